import gzip
import hashlib
import io

import pytest

from volumes.formats.bounded_read import (
    TruncatedStreamError,
    hash_file,
    open_hashed,
    read_up_to,
)

CONTENT = bytes(range(251)) * 20_000  # 5 MB: several buffers


def read_all(stream):
    return stream.read()


def read_a_part(stream):
    stream.seek(3_000_000)
    return stream.read(10)


def read_backwards(stream):
    for position in (4_000_000, 2_000_000, 0):
        stream.seek(position)
        stream.read(1_500_000)


def read_into(stream):
    stream.seek(7)
    stream.readinto(bytearray(4_000_000))


def read_lines(stream):
    return [stream.readline(100_000) for _ in range(5)]


def read_nothing(stream):
    return None


@pytest.mark.parametrize(
    "read",
    [read_all, read_a_part, read_backwards, read_into, read_lines, read_nothing],
)
def test_every_byte_is_hashed_once_however_a_file_is_read(tmp_path, read):
    (tmp_path / "scan").write_bytes(CONTENT)
    digest = hashlib.sha256()

    with open_hashed(tmp_path / "scan", digest) as stream:
        read(stream)

    assert digest.hexdigest() == hashlib.sha256(CONTENT).hexdigest()


def test_hashed_files_follow_one_another_and_are_read_exactly(tmp_path):
    (tmp_path / "header").write_bytes(b"header")
    (tmp_path / "data.gz").write_bytes(gzip.compress(CONTENT, mtime=0) + bytes(9))
    digest = hashlib.sha256()

    hash_file(tmp_path / "header", digest)
    with open_hashed(tmp_path / "data.gz", digest) as file, gzip.open(file) as stream:
        found = stream.read()

    assert found == CONTENT
    stored = b"header" + (tmp_path / "data.gz").read_bytes()
    assert digest.hexdigest() == hashlib.sha256(stored).hexdigest()


@pytest.mark.parametrize(
    ("limit", "expected"), [(4, b"abcd"), (6, b"abcdef"), (9, b"abcdef")]
)
def test_a_stream_is_read_to_its_end_or_to_the_limit(limit, expected):
    assert read_up_to(io.BytesIO(b"abcdef"), limit) == expected


def test_a_truncated_stream_tells_how_much_could_be_read():
    content = gzip.compress(b"abcdef")[:-4]

    with (
        gzip.open(io.BytesIO(content)) as stream,
        pytest.raises(TruncatedStreamError, match=r"^6$"),
    ):
        read_up_to(stream, 100)
