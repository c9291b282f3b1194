"""Decoding the voxels of an NRRD file, no further than its header promises.

A file that holds fewer or more bytes than its sizes and type promise is
refused: it is cut off, or the header is wrong, and the voxels would be too.
"""

from __future__ import annotations

import bz2
import gzip
import math
import os
import zlib
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np

from system.errors import DataError
from system.text import shorten
from volumes.formats.bounded_read import SURPLUS_BYTES, TruncatedStreamError, read_up_to
from volumes.formats.nrrd_header import NrrdHeader

# How much may stand before the voxels, where the header says so.
MAX_SKIPPED_BYTES = 2**24
MAX_SKIPPED_LINES = 2**16
_SURPLUS_WORDS = 2**16
_CHUNK_BYTES = 2**20
_MAX_DIGITS = 64

_DECODERS = {"gzip": gzip.open, "gz": gzip.open}
_DECODERS.update({"bzip2": bz2.open, "bz2": bz2.open})
_TEXT_ENCODINGS = ("ascii", "text", "txt")


def read_voxels(header: NrrdHeader) -> np.ndarray:
    """Decode the voxels, shape (I, J, K), native byte order.

    Raises:
        DataError: If the data are shorter or longer than promised, or not in
            the encoding that the header names.
    """
    byte_skip = header.fields.get("byte skip", 0)
    line_skip = header.fields.get("line skip", 0)
    if not 0 <= line_skip <= MAX_SKIPPED_LINES:
        raise header.fault("line skip", f"must be from 0 to {MAX_SKIPPED_LINES}")
    if byte_skip < -1:
        raise header.fault("byte skip", "must be -1 or more")
    try:
        with header.data_path.open("rb") as stream:
            stream.seek(header.data_offset)
            _skip_lines(stream, line_skip)
            flat = _read_flat(stream, header, byte_skip)
    except OSError as error:
        raise DataError(f"{header.data_path}: could not be read: {error}") from error
    flat = flat.astype(header.dtype.newbyteorder("="), copy=False)
    return flat.reshape(header.shape, order="F")


def _skip_lines(stream: BinaryIO, count: int) -> None:
    """Pass over lines of any length, or to the end of the file."""
    for _ in range(count):
        while part := stream.readline(_CHUNK_BYTES):
            if part.endswith(b"\n"):
                break


def _read_flat(stream: BinaryIO, header: NrrdHeader, byte_skip: int) -> np.ndarray:
    """Read all voxels in the file's order, first axis fastest."""
    if header.encoding == "raw":
        content = _read_raw(stream, header, byte_skip)
    elif header.encoding in _DECODERS:
        content = _read_packed(stream, header, byte_skip)
    elif header.encoding in _TEXT_ENCODINGS:
        return _read_text(stream, header, byte_skip)
    else:
        raise header.fault("encoding", "must be raw, gzip, bzip2 or ascii")
    return np.frombuffer(content, header.dtype)


def _promised_bytes(header: NrrdHeader) -> int:
    return math.prod(header.shape) * header.dtype.itemsize


def _length_fault(header: NrrdHeader, promised: str, received: str) -> DataError:
    place = "" if header.data_path == header.path else f" in {header.data_path}"
    return DataError(
        f"{header.path}: the data{place} must be exactly as long as fields 'sizes' and "
        f"'type' promise, {promised} after any 'line skip' and 'byte skip'. "
        f"Received: {received}"
    )


def _read_raw(stream: BinaryIO, header: NrrdHeader, byte_skip: int) -> bytearray:
    """Read uncompressed voxels; a byte skip of -1 means the end of the file."""
    promised = _promised_bytes(header)
    start = stream.tell()
    end = os.fstat(stream.fileno()).st_size
    if byte_skip >= 0:
        start += byte_skip
    else:
        start = max(start, end - promised)
    received = max(end - start, 0)
    if received != promised:
        raise _length_fault(header, f"{promised} bytes", f"{received} bytes")
    stream.seek(start)
    content = bytearray(promised)
    stream.readinto(content)
    return content


def _read_packed(stream: BinaryIO, header: NrrdHeader, byte_skip: int) -> bytearray:
    """Unpack voxels; bytes are skipped in what was unpacked."""
    promised = _promised_bytes(header)
    if byte_skip > MAX_SKIPPED_BYTES:
        raise header.fault("byte skip", f"must be at most {MAX_SKIPPED_BYTES}")
    skip = MAX_SKIPPED_BYTES if byte_skip == -1 else byte_skip
    content = _unpack(stream, header, promised + skip + SURPLUS_BYTES)
    if byte_skip == -1:
        skip = max(len(content) - promised, 0)
    received = max(len(content) - skip, 0)
    if received != promised:
        at_least = "at least " if received >= promised + SURPLUS_BYTES else ""
        raise _length_fault(header, f"{promised} bytes", f"{at_least}{received} bytes")
    del content[:skip]
    return content


def _unpack(stream: BinaryIO, header: NrrdHeader, limit: int) -> bytearray:
    """Unpack up to `limit` bytes."""
    try:
        with _DECODERS[header.encoding](stream, "rb") as unpacked:
            return read_up_to(unpacked, limit)
    except TruncatedStreamError as error:
        raise _length_fault(
            header,
            f"{_promised_bytes(header)} bytes",
            f"{error.received} bytes, then the {header.encoding} stream is cut off",
        ) from error
    except (OSError, zlib.error) as error:
        raise header.fault(
            "encoding", f"must be the one the data are in ({shorten(str(error))})"
        ) from error


def _read_text(stream: BinaryIO, header: NrrdHeader, byte_skip: int) -> np.ndarray:
    """Read voxels written as numbers."""
    if byte_skip < 0:
        raise header.fault("byte skip", "must not be -1 where the encoding is text")
    stream.seek(byte_skip, os.SEEK_CUR)
    promised = math.prod(header.shape)
    parts, received = [np.empty(0, header.dtype)], 0
    for words in _words(stream, header):
        parts.append(_numbers(words, header))
        received += len(words)
        if received >= promised + _SURPLUS_WORDS:
            break
    if received != promised:
        at_least = "at least " if received >= promised + _SURPLUS_WORDS else ""
        raise _length_fault(
            header, f"{promised} numbers", f"{at_least}{received} numbers"
        )
    return np.concatenate(parts)


def _words(stream: BinaryIO, header: NrrdHeader) -> Iterator[list[bytes]]:
    """Split what is left of a file at blanks and commas, a piece at a time."""
    begun = b""
    while chunk := stream.read(_CHUNK_BYTES):
        text = begun + chunk.replace(b",", b" ")
        words = text.split()
        # The last word may go on in the next piece.
        begun = b"" if text[-1:].isspace() else words.pop()
        longest = max(map(len, [begun, *words]))
        if longest > _MAX_DIGITS or b"_" in text:  # Python takes 1_000 for a number
            raise header.fault("type", "must be that of numbers, but the data are not")
        yield words
    if begun:
        yield [begun]


def _numbers(words: list[bytes], header: NrrdHeader) -> np.ndarray:
    """Turn words into voxels; refuse those that the type cannot hold."""
    number = int if header.dtype.kind in "iu" else float
    try:
        with np.errstate(over="raise"):
            return np.array([number(word) for word in words], dtype=header.dtype)
    except (ValueError, ArithmeticError) as error:
        raise header.fault(
            "type", f"must fit every number of the data ({shorten(str(error))})"
        ) from error
