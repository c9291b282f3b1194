"""Reading and writing MetaImage files: `.mha`, and `.mhd` with its data file.

No maintained reader fits: SimpleITK, MedPy (which calls it) and metaimageio open any
file that a header names, in whatever folder, and allocate or decompress what it says.
SimpleITK also returns voxels for a broken zlib stream, and metaimageio reads the four
bytes of a MET_LONG as eight.
"""

from __future__ import annotations

import hashlib
import zlib
from pathlib import Path

import numpy as np

from system.atomic import atomic_write
from system.limits import MAX_VOXELS
from volumes.formats.metaimage_data import read_voxels
from volumes.formats.metaimage_grid import geometry_fields, grid_of, kept_fields
from volumes.formats.metaimage_header import (
    ORDER_NAMES,
    TYPES,
    MetaImageHeader,
    read_header,
)
from volumes.volume import Volume

_TYPE_NAMES = {np.dtype(code).name: name for name, code in TYPES.items()}
_COMPRESSION_LEVEL = 6


def read_metaimage(path: Path, max_voxels: int = MAX_VOXELS) -> Volume:
    """Read a scalar 3-D MetaImage file, attached or detached.

    Axes of one voxel after the third are dropped.

    Raises:
        DataError: If it is not one, its data are shorter or longer than the header
            says, or the header says more than `max_voxels`.
    """
    header = read_header(path, max_voxels)
    grid, notes = grid_of(header)
    digest = hashlib.sha256()
    return Volume(
        array=read_voxels(header, digest),
        grid=grid,
        path=path,
        notes=(*notes, *_value_notes(header)),
        checksum=digest.hexdigest(),
        metaimage=kept_fields(header),
    )


def _value_notes(header: MetaImageHeader) -> list[str]:
    """Return a note for each assumption about the voxels."""
    notes = []
    if header.dtype.itemsize > 1 and not set(ORDER_NAMES) & header.text.keys():
        notes.append("The header gives no byte order: taken as little-endian.")
    for name, neutral in (("Slope", 1), ("Offset", 0)):
        field = f"ElementToIntensityFunction{name}"
        if field in header.text and header.numbers(field, 1) != [neutral]:
            notes.append(f"{field} is not {neutral}: ignored, as ITK ignores it.")
    return notes


def write_metaimage(path: str | Path, array: np.ndarray, like: Volume) -> None:
    """Write a label map as a compressed `.mha` file on the grid of another volume.

    If that volume was MetaImage, its geometry fields are kept as they are written
    there. Equal input gives equal bytes.

    Args:
        path: The file, replaced if it exists.
        array: Voxels, shape (I, J, K) as `like`, an integer or float type.
        like: The volume that defines the grid.

    Raises:
        DataError: If the file cannot be written.
        ValueError: If MetaImage does not have the type.
    """
    if array.dtype.name not in _TYPE_NAMES:
        raise ValueError(
            "The array must be of an integer type, float32 or float64. "
            f"Received: dtype={array.dtype}"
        )
    little = array.astype(array.dtype.newbyteorder("<"), copy=False)
    compressed = zlib.compress(little.tobytes(order="F"), _COMPRESSION_LEVEL)
    fields = {
        "ObjectType": "Image",
        "NDims": "3",
        "BinaryData": "True",
        "BinaryDataByteOrderMSB": "False",
        "CompressedData": "True",
        "CompressedDataSize": str(len(compressed)),
        **(like.metaimage or geometry_fields(like.grid)),
        "DimSize": " ".join(map(str, array.shape)),
        "ElementType": _TYPE_NAMES[array.dtype.name],
        "ElementDataFile": "LOCAL",
    }
    header = "".join(f"{name} = {text}\n" for name, text in fields.items())
    with atomic_write(path) as temporary:
        temporary.write_bytes(header.encode() + compressed)
