import bz2
import gzip

import numpy as np
import pytest
from support.nrrd_files import SHAPE, VOXELS, nrrd_bytes, write

from system.errors import DataError
from volumes.formats.files import (
    read_volume,
)


@pytest.mark.parametrize("endian", ["little", "big"])
@pytest.mark.parametrize(
    ("encoding", "pack"),
    [
        ("raw", bytes),
        ("gzip", gzip.compress),
        ("gz", gzip.compress),
        ("bzip2", bz2.compress),
        ("bz2", bz2.compress),
    ],
)
def test_voxels_are_exact_in_every_encoding(tmp_path, encoding, pack, endian):
    stored = VOXELS.astype({"little": "<i2", "big": ">i2"}[endian])
    content = nrrd_bytes(
        pack(stored.tobytes(order="F")), encoding=encoding, endian=endian
    )

    volume = read_volume(write(tmp_path, content))

    np.testing.assert_array_equal(volume.array, VOXELS)
    assert volume.array.dtype == np.dtype(np.int16)  # native
    assert volume.notes == ()


@pytest.mark.parametrize("encoding", ["ascii", "ASCII", "text", "txt"])
def test_voxels_written_as_text_are_exact(tmp_path, encoding):
    words = " ".join(str(value) for value in VOXELS.ravel(order="F"))
    content = nrrd_bytes(words.encode() + b"\n", encoding=encoding, endian=None)

    np.testing.assert_array_equal(read_volume(write(tmp_path, content)).array, VOXELS)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("signed char", "i1"),
        ("uchar", "u1"),
        ("uint16", "u2"),
        ("int", "i4"),
        ("unsigned int", "u4"),
        ("long long", "i8"),
        ("uint64_t", "u8"),
        ("float", "f4"),
        ("double", "f8"),
    ],
)
def test_voxels_are_exact_in_every_type(tmp_path, name, code):
    stored = (VOXELS % 100).astype("<" + code)
    content = nrrd_bytes(stored.tobytes(order="F"), type=name)

    array = read_volume(write(tmp_path, content)).array

    np.testing.assert_array_equal(array, stored)
    assert array.dtype == np.dtype(code)


@pytest.mark.parametrize("skips", [{"byte_skip": "7"}, {"byte_skip": "-1"}])
def test_a_detached_header_finds_its_data_behind_skipped_lines(tmp_path, skips):
    (tmp_path / "below").mkdir()
    data = b"two\nlines\n" + b"7 bytes" + VOXELS.tobytes(order="F")
    write(tmp_path / "below", data, "voxels.raw")
    content = nrrd_bytes(b"", line_skip="2", data_file="below/voxels.raw", **skips)

    array = read_volume(write(tmp_path, content, "scan.nhdr")).array

    np.testing.assert_array_equal(array, VOXELS)


@pytest.mark.parametrize("byte_skip", ["5", "-1"])
def test_bytes_are_skipped_after_unpacking(tmp_path, byte_skip):
    data = gzip.compress(b"other" + VOXELS.tobytes(order="F"))
    content = nrrd_bytes(data, encoding="gzip", byte_skip=byte_skip)

    np.testing.assert_array_equal(read_volume(write(tmp_path, content)).array, VOXELS)


def test_text_and_skipped_lines_longer_than_a_piece_are_exact(tmp_path):
    voxels = np.arange(400_000, dtype=np.int32)  # 2.7 MB of text
    data = b"#" * 3_000_000 + b"\nanother\n" + " ".join(map(str, voxels)).encode()
    fields = {"type": "int", "sizes": "100 80 50", "encoding": "text"}
    path = write(tmp_path, nrrd_bytes(data, line_skip="2", **fields))

    array = read_volume(path).array

    np.testing.assert_array_equal(array.ravel(order="F"), voxels)


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [("raw", bytes), ("gzip", gzip.compress), ("bzip2", bz2.compress)],
)
@pytest.mark.parametrize("change", [-48, -3, 5])
def test_data_of_another_length_are_refused_with_both_counts(
    tmp_path, encoding, pack, change
):
    # 2 * 3 * 4 voxels of 2 bytes are 48 bytes.
    data = (VOXELS.tobytes(order="F") + b"extra")[: 48 + change]
    path = write(tmp_path, nrrd_bytes(pack(data), encoding=encoding))

    with pytest.raises(DataError, match=rf"48 bytes.*Received: {48 + change} bytes"):
        read_volume(path)


def test_a_stream_that_is_cut_off_is_refused(tmp_path):
    noise = np.random.default_rng(0).integers(0, 2**15, SHAPE).astype("<i2")
    data = gzip.compress(noise.tobytes(order="F"))[:-20]
    path = write(tmp_path, nrrd_bytes(data, encoding="gzip"))

    message = r"48 bytes.*Received: a gzip stream that is truncated after \d+ bytes"
    with pytest.raises(DataError, match=message):
        read_volume(path)


def test_a_wrong_number_of_words_is_refused_with_both_counts(tmp_path):
    path = write(tmp_path, nrrd_bytes(b"1 2 3", encoding="ascii"))

    with pytest.raises(DataError, match=r"24 numbers.*Received: 3 numbers"):
        read_volume(path)


@pytest.mark.parametrize("kind", ["short", "float"])
@pytest.mark.parametrize("word", ["40000", "1.5", "one", "1e300", "1_0", "9" * 500])
def test_a_word_that_does_not_fit_the_type_is_refused(tmp_path, word, kind):
    data = f"{word} {'0 ' * 23}".encode()
    path = write(tmp_path, nrrd_bytes(data, encoding="ascii", type=kind))

    if kind == "float" and word in ("40000", "1.5"):
        assert read_volume(path).array[0, 0, 0] == float(word)
        return
    with pytest.raises(DataError, match="field 'type' must"):
        read_volume(path)


def test_a_word_without_end_is_refused(tmp_path):
    path = write(tmp_path, nrrd_bytes(b"1" * 2**21, encoding="ascii"))

    with pytest.raises(DataError, match="field 'type' must be numeric"):
        read_volume(path)


def test_counting_words_stops_soon_after_the_promised_numbers(tmp_path):
    path = write(tmp_path, nrrd_bytes(b"1 " * 2**21, encoding="ascii"))

    # Of 2^21 words, those of the first piece of 2^20 bytes.
    with pytest.raises(DataError, match="Received: at least 524288 numbers"):
        read_volume(path)


@pytest.mark.parametrize("pack", [gzip, bz2])
def test_unpacking_stops_soon_after_the_promised_bytes(tmp_path, pack):
    bomb = pack.compress(bytes(2**24))  # 16 MiB in some kB
    encoding = {gzip: "gzip", bz2: "bzip2"}[pack]
    path = write(tmp_path, nrrd_bytes(bomb, encoding=encoding))

    # 48 promised bytes and the 64 kiB by which a surplus is measured.
    with pytest.raises(DataError, match="Received: at least 65584 bytes"):
        read_volume(path)
