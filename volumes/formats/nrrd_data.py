"""Decoding the voxels of an NRRD file.

A file whose data are shorter or longer than its sizes and type say is refused: it is
truncated, or the header is wrong, and the voxels would be too.
"""

from __future__ import annotations

import bz2
import gzip
import hashlib
import math
import os
import zlib
from collections.abc import Iterator
from io import BufferedIOBase

import numpy as np

from system.errors import DataError
from system.text import shorten
from volumes.formats.bounded_read import (
    SURPLUS_BYTES,
    TruncatedStreamError,
    hash_file,
    open_hashed,
    read_up_to,
)
from volumes.formats.nrrd_header import TEXT_ENCODINGS, NrrdHeader

MAX_SKIPPED_BYTES = 2**24
MAX_SKIPPED_LINES = 2**16
_SURPLUS_WORDS = 2**16
_CHUNK_BYTES = 2**20
_MAX_DIGITS = 64

_DECODERS = {
    "gzip": gzip.open,
    "gz": gzip.open,
    "bzip2": bz2.open,
    "bz2": bz2.open,
}


def read_voxels(header: NrrdHeader, digest: hashlib._Hash) -> np.ndarray:
    """Decode the voxels, shape (I, J, K), native byte order.

    Args:
        header: Of the file.
        digest: Receives every byte of the file, then of a detached data file.

    Raises:
        DataError: If the data are shorter or longer than the header says, or not
            in the encoding that it names.
    """
    byte_skip = header.fields.get("byte skip", 0)
    line_skip = header.fields.get("line skip", 0)
    if not 0 <= line_skip <= MAX_SKIPPED_LINES:
        raise header.fault("line skip", f"must be from 0 to {MAX_SKIPPED_LINES}")
    if byte_skip < -1:
        raise header.fault("byte skip", "must be -1 or more")
    try:
        if header.data_path != header.path:
            hash_file(header.path, digest)
        with open_hashed(header.data_path, digest) as stream:
            stream.seek(header.data_offset)
            _skip_lines(stream, line_skip)
            flat = _read_flat(stream, header, byte_skip)
    except OSError as error:
        raise DataError(f"{header.data_path}: could not be read: {error}") from error
    flat = flat.astype(header.dtype.newbyteorder("="), copy=False)
    return flat.reshape(header.shape, order="F")


def _skip_lines(stream: BufferedIOBase, count: int) -> None:
    """Skip lines of any length, or to the end of the file."""
    for _ in range(count):
        while part := stream.readline(_CHUNK_BYTES):
            if part.endswith(b"\n"):
                break


def _read_flat(
    stream: BufferedIOBase, header: NrrdHeader, byte_skip: int
) -> np.ndarray:
    """Read all voxels in the file's order, first axis fastest."""
    if header.encoding == "raw":
        content = _read_raw(stream, header, byte_skip)
    elif header.encoding in _DECODERS:
        content = _read_compressed(stream, header, byte_skip)
    elif header.encoding in TEXT_ENCODINGS:
        return _read_text(stream, header, byte_skip)
    else:
        raise header.fault("encoding", "must be raw, gzip, bzip2 or ascii")
    return np.frombuffer(content, header.dtype)


def _expected_bytes(header: NrrdHeader) -> int:
    return math.prod(header.shape) * header.dtype.itemsize


def _length_fault(header: NrrdHeader, expected: str, received: str) -> DataError:
    place = "" if header.data_path == header.path else f" in {header.data_path}"
    return DataError(
        f"{header.path}: the data{place} must have the length given by fields 'sizes' "
        f"and 'type', {expected} after any 'line skip' and 'byte skip'. "
        f"Received: {received}"
    )


def _read_raw(stream: BufferedIOBase, header: NrrdHeader, byte_skip: int) -> bytearray:
    """Read uncompressed voxels; with a byte skip of -1 they end the file."""
    expected = _expected_bytes(header)
    start = stream.tell()
    end = os.fstat(stream.fileno()).st_size
    if byte_skip >= 0:
        start += byte_skip
    else:
        start = max(start, end - expected)
    received = max(end - start, 0)
    if received != expected:
        raise _length_fault(header, f"{expected} bytes", f"{received} bytes")
    stream.seek(start)
    content = bytearray(expected)
    stream.readinto(content)
    return content


def _read_compressed(
    stream: BufferedIOBase, header: NrrdHeader, byte_skip: int
) -> bytearray:
    """Decompress voxels; a byte skip counts decompressed bytes."""
    expected = _expected_bytes(header)
    if byte_skip > MAX_SKIPPED_BYTES:
        raise header.fault("byte skip", f"must be at most {MAX_SKIPPED_BYTES}")
    skip = MAX_SKIPPED_BYTES if byte_skip == -1 else byte_skip
    content = _decompress(stream, header, expected + skip + SURPLUS_BYTES)
    if byte_skip == -1:
        skip = max(len(content) - expected, 0)
    received = max(len(content) - skip, 0)
    if received != expected:
        at_least = "at least " if received >= expected + SURPLUS_BYTES else ""
        raise _length_fault(header, f"{expected} bytes", f"{at_least}{received} bytes")
    del content[:skip]
    return content


def _decompress(stream: BufferedIOBase, header: NrrdHeader, limit: int) -> bytearray:
    """Decompress up to `limit` bytes."""
    try:
        with _DECODERS[header.encoding](stream, "rb") as decompressed:
            return read_up_to(decompressed, limit)
    except TruncatedStreamError as error:
        raise _length_fault(
            header,
            f"{_expected_bytes(header)} bytes",
            f"a {header.encoding} stream that is truncated after {error.received} "
            "bytes",
        ) from error
    except (OSError, zlib.error) as error:
        raise header.fault(
            "encoding", f"must be the encoding of the data ({shorten(str(error))})"
        ) from error


def _read_text(
    stream: BufferedIOBase, header: NrrdHeader, byte_skip: int
) -> np.ndarray:
    """Read voxels written as numbers."""
    if byte_skip < 0:
        raise header.fault("byte skip", "must not be -1 if the encoding is text")
    stream.seek(byte_skip, os.SEEK_CUR)
    expected = math.prod(header.shape)
    parts, received = [np.empty(0, header.dtype)], 0
    for words in _words(stream, header):
        parts.append(_numbers(words, header))
        received += len(words)
        if received >= expected + _SURPLUS_WORDS:
            break
    if received != expected:
        at_least = "at least " if received >= expected + _SURPLUS_WORDS else ""
        raise _length_fault(
            header, f"{expected} numbers", f"{at_least}{received} numbers"
        )
    return np.concatenate(parts)


def _words(stream: BufferedIOBase, header: NrrdHeader) -> Iterator[list[bytes]]:
    """Yield the rest of a file in lists of words, split at whitespace and commas."""
    begun = b""
    while chunk := stream.read(_CHUNK_BYTES):
        text = begun + chunk.replace(b",", b" ")
        words = text.split()
        # The last word may continue in the next chunk.
        begun = b"" if text[-1:].isspace() else words.pop()
        longest = max(map(len, [begun, *words]))
        if longest > _MAX_DIGITS or b"_" in text:  # Python reads 1_000 as a number
            raise header.fault("type", "must be numeric, but the data are not numbers")
        yield words
    if begun:
        yield [begun]


def _numbers(words: list[bytes], header: NrrdHeader) -> np.ndarray:
    """Convert words to voxels; raise if the type cannot hold one."""
    number = int if header.dtype.kind in "iu" else float
    try:
        with np.errstate(over="raise"):
            return np.array([number(word) for word in words], dtype=header.dtype)
    except (ValueError, ArithmeticError) as error:
        raise header.fault(
            "type", f"must fit every number of the data ({shorten(str(error))})"
        ) from error
