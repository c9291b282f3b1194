"""Decoding the voxels of a MetaImage file, which must have exactly the size it says."""

from __future__ import annotations

import hashlib
import math
import os
import zlib
from io import BufferedIOBase

import numpy as np

from system.errors import DataError
from system.text import shorten
from volumes.formats.bounded_read import (
    SURPLUS_BYTES,
    TruncatedStreamError,
    hash_file,
    open_hashed,
)
from volumes.formats.metaimage_header import MetaImageHeader

_CHUNK_BYTES = 2**20


def read_voxels(header: MetaImageHeader, digest: hashlib._Hash) -> np.ndarray:
    """Decode the voxels, shape (I, J, K), native byte order.

    Args:
        header: Of the file.
        digest: Receives every byte of the file, then of a detached data file.

    Raises:
        DataError: If the data are shorter or longer than the header says, or not
            compressed as it says.
    """
    try:
        if header.data_path != header.path:
            hash_file(header.path, digest)
        with open_hashed(header.data_path, digest) as stream:
            stored = os.fstat(stream.fileno()).st_size
            if header.flag("CompressedData"):
                content = _read_compressed(stream, header, stored)
            else:
                content = _read_raw(stream, header, stored)
    except OSError as error:
        raise DataError(f"{header.data_path}: could not be read: {error}") from error
    flat = np.frombuffer(content, header.dtype)
    flat = flat.astype(header.dtype.newbyteorder("="), copy=False)
    return flat.reshape(header.shape, order="F")


def _expected_bytes(header: MetaImageHeader) -> int:
    return math.prod(header.shape) * header.dtype.itemsize


def _length_fault(header: MetaImageHeader, received: str) -> DataError:
    place = "" if header.data_path == header.path else f" in {header.data_path}"
    return DataError(
        f"{header.path}: the data{place} must have the length given by fields "
        f"'DimSize' and 'ElementType', {_expected_bytes(header)} bytes. "
        f"Received: {received}"
    )


def _read_raw(
    stream: BufferedIOBase, header: MetaImageHeader, stored: int
) -> bytearray:
    """Read uncompressed voxels; with a HeaderSize of -1 they end the file."""
    expected = _expected_bytes(header)
    start = header.data_offset
    if start is None:
        start = max(stored - expected, 0)
    received = max(stored - start, 0)
    if received != expected:
        raise _length_fault(header, f"{received} bytes")
    stream.seek(start)
    content = bytearray(expected)
    stream.readinto(content)
    return content


def _read_compressed(
    stream: BufferedIOBase, header: MetaImageHeader, stored: int
) -> bytearray:
    """Decompress voxels, which must fill the rest of the file."""
    expected = _expected_bytes(header)
    start = header.data_offset or 0  # not None: HeaderSize -1 is refused
    compressed = max(stored - start, 0)
    # As in ITK, 0 means that the size is unknown.
    if header.integer("CompressedDataSize", default=0) not in (0, compressed):
        raise header.fault(
            "CompressedDataSize", f"must be the number of bytes stored, {compressed}"
        )
    stream.seek(start)
    try:
        content = _decompress(stream, expected + SURPLUS_BYTES)
    except TruncatedStreamError as error:
        raise _length_fault(
            header, f"a stream that is truncated after {error.received} bytes"
        ) from error
    except zlib.error as error:
        raise header.fault(
            "CompressedData",
            "must be False unless the data are one zlib or gzip stream "
            f"({shorten(str(error))})",
        ) from error
    if len(content) != expected:
        at_least = "at least " if len(content) == expected + SURPLUS_BYTES else ""
        raise _length_fault(header, f"{at_least}{len(content)} bytes")
    return content


def _decompress(stream: BufferedIOBase, limit: int) -> bytearray:
    """Decompress a zlib or gzip stream that ends the file, up to `limit` bytes.

    Raises:
        TruncatedStreamError: If the stream ends early.
        zlib.error: If it is not such a stream, or bytes follow it.
    """
    decompressor = zlib.decompressobj(zlib.MAX_WBITS | 32)  # zlib or gzip
    content = bytearray()
    while len(content) < limit and not decompressor.eof:
        compressed = decompressor.unconsumed_tail or stream.read(_CHUNK_BYTES)
        if not compressed:
            raise TruncatedStreamError(len(content))
        content += decompressor.decompress(
            compressed, min(_CHUNK_BYTES, limit - len(content))
        )
    if decompressor.eof and (decompressor.unused_data or stream.read(1)):
        raise zlib.error("bytes follow the end of the stream")
    return content
