"""Reading and checking the header of a scalar 3-D NRRD file.

Reference:
    [NRRD format](https://teem.sourceforge.net/nrrd/format.html).
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from system.errors import DataError
from system.limits import MAX_VOXELS
from system.text import short_repr, shorten
from volumes.formats.data_file import find_data_file
from volumes.formats.nrrd_axes import SPATIAL_KINDS, drop_single_axes, is_in_space
from volumes.formats.nrrd_lines import FIELDS, parse_field, read_lines

# Signs that turn a file's x, y, z into right, anterior, superior.
SPACE_SIGNS = {
    "left-posterior-superior": (-1.0, -1.0, 1.0),
    "right-anterior-superior": (1.0, 1.0, 1.0),
    "left-anterior-superior": (-1.0, 1.0, 1.0),
}
SPACE_NAMES = {
    "lps": "left-posterior-superior",
    "ras": "right-anterior-superior",
    "las": "left-anterior-superior",
    **{name: name for name in SPACE_SIGNS},
}
DEFAULT_SPACE = "left-posterior-superior"
UNPLACED_SPACES = ("scanner-xyz", "3d-right-handed", "3d-left-handed")

_REQUIRED = ("type", "dimension", "sizes", "encoding")

_TYPES = {
    "i1": "signed char|int8|int8_t",
    "u1": "uchar|unsigned char|uint8|uint8_t",
    "i2": "short|short int|signed short|signed short int|int16|int16_t",
    "u2": "ushort|unsigned short|unsigned short int|uint16|uint16_t",
    "i4": "int|signed int|int32|int32_t",
    "u4": "uint|unsigned int|uint32|uint32_t",
    "i8": "longlong|long long|long long int|signed long long"
    "|signed long long int|int64|int64_t",
    "u8": "ulonglong|unsigned long long|unsigned long long int|uint64|uint64_t",
    "f4": "float",
    "f8": "double",
}
_CODES = {name: code for code, names in _TYPES.items() for name in names.split("|")}
TEXT_ENCODINGS = ("ascii", "text", "txt")


@dataclass(frozen=True)
class NrrdHeader:
    """A header that was read and checked.

    Args:
        path: The header's file.
        text: Fields by their full lower-case names, and key/value pairs.
        fields: The parsed values of `FIELDS`.
        data_path: The file that holds the voxels, `path` itself if attached.
        data_offset: Byte of `data_path` at which the data begin, before lines and
            bytes are skipped.
        notes: What was assumed about the axes.
    """

    path: Path
    text: dict[str, str]
    fields: dict[str, Any]
    data_path: Path
    data_offset: int
    notes: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of voxels along I, J, K."""
        return tuple(self.fields["sizes"])

    @property
    def encoding(self) -> str:
        """Name of the encoding in lower case."""
        return self.fields["encoding"].lower()

    @property
    def dtype(self) -> np.dtype:
        """Type of a stored voxel, including its byte order.

        Raises:
            DataError: If the type is another or lacks its byte order.
        """
        code = _CODES.get(self.fields["type"].lower())
        if code is None:
            raise self.fault("type", "must be an integer or float type of 8 to 64 bits")
        if code.endswith("1") or self.encoding in TEXT_ENCODINGS:
            return np.dtype(code)
        order = {"little": "<", "big": ">"}.get(self.fields.get("endian", "").lower())
        if order is None:
            raise self.fault("endian", 'must be "little" or "big"')
        return np.dtype(order + code)

    def fault(self, field: str, demand: str) -> DataError:
        """Build the error that names a field and its value."""
        received = (
            short_repr(self.text[field]) if field in self.text else "no such field"
        )
        return DataError(f"{self.path}: field '{field}' {demand}. Received: {received}")


def check_is_file(path: Path) -> None:
    """Check that a path is a regular file.

    Raises:
        DataError: If it is missing, a folder, a device or the like.
    """
    if not os.path.isfile(path):
        kind = "not a regular file" if os.path.exists(path) else "no such file"
        raise DataError(f"{path}: must be a file that exists. Received: {kind}")


def read_header(path: Path, max_voxels: int = MAX_VOXELS) -> NrrdHeader:
    """Read and check the header of a scalar 3-D NRRD file.

    Args:
        path: The file.
        max_voxels: Largest number of voxels accepted.

    Raises:
        DataError: If the file is not an NRRD file, not scalar and 3-D, or uses an
            unsupported feature; names the field.
    """
    check_is_file(path)
    try:
        with path.open("rb") as stream:
            fields, pairs = read_lines(stream, path)
            offset = stream.tell()
    except OSError as error:
        raise DataError(f"{path}: could not be read: {error}") from error
    text = {**pairs, **fields}
    for name in _REQUIRED:
        if name not in fields:
            raise DataError(f"{path}: field '{name}' must be given. Received: none")
    parsed = {
        name: parse_field(name, fields[name], path) for name in FIELDS if name in fields
    }
    text, parsed, notes = drop_single_axes(text, parsed)
    header = NrrdHeader(path, text, parsed, path, offset, notes)
    if "data file" in parsed:
        header = replace(header, data_path=_data_path(header), data_offset=0)
    _check_scalar_volume(header, max_voxels)
    return header


def _data_path(header: NrrdHeader) -> Path:
    try:
        return find_data_file(header.path, header.fields["data file"])
    except ValueError as error:
        raise header.fault("data file", str(error)) from error


def _check_scalar_volume(header: NrrdHeader, max_voxels: int) -> None:
    """Raise if the file is not a scalar 3-D volume of an acceptable size."""
    sides = header.fields["sizes"]
    kinds = [kind.lower() for kind in header.fields.get("kinds", [])]
    dimension = header.fields["dimension"]
    if dimension != len(sides):
        raise header.fault("sizes", f"must hold dimension = {dimension} numbers")
    if kinds and dimension != len(kinds):
        raise header.fault("kinds", f"must hold dimension = {dimension} words")
    if 0 in sides:
        raise header.fault(
            "sizes",
            "must be positive, but the file is empty: it holds no voxel. 3D Slicer "
            "saves a segmentation without segments so",
        )
    if len(sides) == 4 and kinds[:1] == ["list"]:
        raise header.fault(
            "kinds",
            f"must describe one scalar 3-D volume, but this file holds {sides[0]} "
            "layers (a segmentation with overlapping segments, or a list of volumes); "
            "a label map has one label per voxel. In 3D Slicer, module Segmentations, "
            "section Binary labelmap layers: check Force collapse to single layer, "
            "press Collapse labelmap layers, and save the segmentation again",
        )
    received = f"{dimension}-D data of sizes {' x '.join(map(str, sides))}"
    if kinds:
        received += f" and kinds {', '.join(header.fields['kinds'])}"
    if dimension > 3:
        received += f". {_describe_surplus(header)}"
    if dimension != 3 or not set(kinds) <= set(SPATIAL_KINDS):
        raise DataError(
            f"{header.path}: must be a scalar 3-D volume (fields 'dimension', 'kinds')."
            f" Received: {shorten(received)}"
        )
    if min(sides) < 1 or math.prod(sides) > max_voxels:
        raise header.fault(
            "sizes",
            f"must be positive and at most {max_voxels} voxels in total (--max-voxels)",
        )


def _describe_surplus(header: NrrdHeader) -> str:
    """Name the axis that makes a file more than one volume."""
    sides, in_space = header.fields["sizes"], is_in_space(header.fields)
    longer = [axis for axis, side in enumerate(sides) if side > 1]
    axis = min(longer, key=lambda axis: (in_space[axis], -axis), default=3)
    return (
        f"Axis {axis + 1} has length {sides[axis]}: a file must hold one volume, and "
        "only axes of length 1 are dropped"
    )
