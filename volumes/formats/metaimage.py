"""Reading and writing MetaImage files: `.mha`, and `.mhd` with its data file.

No maintained reader fits: SimpleITK, MedPy (which calls it) and metaimageio open any
file that a header names, in whatever folder, and allocate or unpack what it promises.
SimpleITK also returns voxels for a broken zlib stream, and metaimageio takes the four
bytes of a MET_LONG for eight.
"""

from __future__ import annotations

import math
import os
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np

from system.atomic import atomic_write
from system.errors import DataError
from system.limits import MAX_VOXELS
from system.text import shorten
from volumes.formats.bounded_read import SURPLUS_BYTES, TruncatedStreamError
from volumes.formats.metaimage_grid import geometry_fields, grid_of, kept_fields
from volumes.formats.metaimage_header import (
    ORDER_NAMES,
    TYPES,
    MetaImageHeader,
    read_header,
)
from volumes.geometry import Grid
from volumes.volume import Volume

_TYPE_NAMES = {np.dtype(code).name: name for name, code in TYPES.items()}
_COMPRESSION_LEVEL = 6
_CHUNK_BYTES = 2**20


def read_metaimage(path: Path, max_voxels: int = MAX_VOXELS) -> Volume:
    """Read a scalar 3-D MetaImage file, attached or detached.

    Axes of one voxel after the third are dropped.

    Raises:
        DataError: If it is not one, is shorter or longer than its header says, or
            its header says more than `max_voxels`.
    """
    header = read_header(path, max_voxels)
    grid, notes = grid_of(header)
    return Volume(
        array=_read_voxels(header),
        grid=grid,
        path=path,
        notes=(*notes, *_value_notes(header)),
        metaimage=kept_fields(header),
    )


def read_metaimage_grid(path: Path) -> Grid:
    """Read the grid alone, from the header."""
    return grid_of(read_header(path))[0]


def _value_notes(header: MetaImageHeader) -> list[str]:
    """List in sentences what had to be assumed of the voxels."""
    notes = []
    if header.dtype.itemsize > 1 and not set(ORDER_NAMES) & header.text.keys():
        notes.append("The header gives no byte order: taken as little-endian.")
    for name, neutral in (("Slope", 1), ("Offset", 0)):
        field = f"ElementToIntensityFunction{name}"
        if field in header.text and header.numbers(field, 1) != [neutral]:
            notes.append(f"{field} is not {neutral}: ignored, as ITK ignores it.")
    return notes


def _read_voxels(header: MetaImageHeader) -> np.ndarray:
    """Decode the voxels, shape (I, J, K), native byte order."""
    try:
        with header.data_path.open("rb") as stream:
            stored = os.fstat(stream.fileno()).st_size
            if header.flag("CompressedData"):
                content = _read_packed(stream, header, stored)
            else:
                content = _read_raw(stream, header, stored)
    except OSError as error:
        raise DataError(f"{header.data_path}: could not be read: {error}") from error
    flat = np.frombuffer(content, header.dtype)
    flat = flat.astype(header.dtype.newbyteorder("="), copy=False)
    return flat.reshape(header.shape, order="F")


def _promised_bytes(header: MetaImageHeader) -> int:
    return math.prod(header.shape) * header.dtype.itemsize


def _length_fault(header: MetaImageHeader, received: str) -> DataError:
    place = "" if header.data_path == header.path else f" in {header.data_path}"
    return DataError(
        f"{header.path}: the data{place} must be exactly as long as fields 'DimSize' "
        f"and 'ElementType' promise, {_promised_bytes(header)} bytes. "
        f"Received: {received}"
    )


def _read_raw(stream: BinaryIO, header: MetaImageHeader, stored: int) -> bytearray:
    """Read uncompressed voxels; a HeaderSize of -1 means the end of the file."""
    promised = _promised_bytes(header)
    start = header.data_offset
    if start is None:
        start = max(stored - promised, 0)
    received = max(stored - start, 0)
    if received != promised:
        raise _length_fault(header, f"{received} bytes")
    stream.seek(start)
    content = bytearray(promised)
    stream.readinto(content)
    return content


def _read_packed(stream: BinaryIO, header: MetaImageHeader, stored: int) -> bytearray:
    """Unpack compressed voxels, which must fill the rest of the file."""
    promised = _promised_bytes(header)
    packed = max(stored - header.data_offset, 0)
    # As in ITK, 0 means that the writer did not know.
    if header.integer("CompressedDataSize", default=0) not in (0, packed):
        raise header.fault(
            "CompressedDataSize", f"must be the number of bytes stored, {packed}"
        )
    stream.seek(header.data_offset)
    try:
        content = _unpack(stream, promised + SURPLUS_BYTES)
    except TruncatedStreamError as error:
        raise _length_fault(
            header, f"{error.received} bytes, then the compressed stream is cut off"
        ) from error
    except zlib.error as error:
        raise header.fault(
            "CompressedData",
            "must be True only where the data are one zlib or gzip stream "
            f"({shorten(str(error))})",
        ) from error
    if len(content) != promised:
        at_least = "at least " if len(content) == promised + SURPLUS_BYTES else ""
        raise _length_fault(header, f"{at_least}{len(content)} bytes")
    return content


def _unpack(stream: BinaryIO, limit: int) -> bytearray:
    """Unpack a zlib or gzip stream that ends with the file, up to `limit` bytes.

    Raises:
        TruncatedStreamError: If the file ends first, with what was unpacked.
        zlib.error: If it is no such stream, or bytes follow it.
    """
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 32)  # either of the two
    content = bytearray()
    while len(content) < limit and not unpacker.eof:
        packed = unpacker.unconsumed_tail or stream.read(_CHUNK_BYTES)
        if not packed:
            raise TruncatedStreamError(len(content))
        content += unpacker.decompress(packed, min(_CHUNK_BYTES, limit - len(content)))
    if unpacker.eof and (unpacker.unused_data or stream.read(1)):
        raise zlib.error("more bytes follow its end")
    return content


def write_metaimage(path: str | Path, array: np.ndarray, like: Volume) -> None:
    """Write a label map as a compressed `.mha` file on the grid of another volume.

    If that volume was MetaImage, its geometry fields are kept as they are written
    there. Equal input gives equal bytes.

    Args:
        path: The file, replaced if it is there.
        array: Voxels, shape (I, J, K) as `like`, an integer or float type.
        like: The volume whose grid it takes.

    Raises:
        DataError: If the file cannot be written.
        ValueError: If MetaImage has no such type.
    """
    if array.dtype.name not in _TYPE_NAMES:
        raise ValueError(
            "The array must be of an integer type, float32 or float64. "
            f"Received: dtype={array.dtype}"
        )
    little = array.astype(array.dtype.newbyteorder("<"), copy=False)
    packed = zlib.compress(little.tobytes(order="F"), _COMPRESSION_LEVEL)
    fields = {
        "ObjectType": "Image",
        "NDims": "3",
        "BinaryData": "True",
        "BinaryDataByteOrderMSB": "False",
        "CompressedData": "True",
        "CompressedDataSize": str(len(packed)),
        **(like.metaimage or geometry_fields(like.grid)),
        "DimSize": " ".join(map(str, array.shape)),
        "ElementType": _TYPE_NAMES[array.dtype.name],
        "ElementDataFile": "LOCAL",
    }
    header = "".join(f"{name} = {text}\n" for name, text in fields.items())
    with atomic_write(path) as temporary:
        temporary.write_bytes(header.encode() + packed)
