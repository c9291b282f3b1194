"""Reading and checking the header of a scalar 3-D MetaImage file.

A header that says one thing twice and differently is refused, where ITK takes the
first or the last, depending on its version.

Reference:
    [MetaIO](https://itk.org/Wiki/ITK/MetaIO/Documentation), and ITK's
    `metaImage.cxx`, which decides where that page is silent.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from system.errors import DataError
from system.limits import MAX_VOXELS
from system.text import short_repr, shorten
from volumes.formats.data_file import find_data_file
from volumes.formats.nrrd_header import check_is_file
from volumes.formats.nrrd_lines import MAX_HEADER_BYTES

MAX_HEADER_LINES = 2**14
TYPES = {
    "MET_CHAR": "i1",
    "MET_UCHAR": "u1",
    "MET_SHORT": "i2",
    "MET_USHORT": "u2",
    "MET_INT": "i4",
    "MET_UINT": "u4",
    "MET_LONG_LONG": "i8",
    "MET_ULONG_LONG": "u8",
    "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}
# ITK stores a long in four bytes on every machine.
_CODES = {**TYPES, "MET_LONG": "i4", "MET_ULONG": "u4"}

# Fields of one meaning, under the names that the format has had.
OFFSET_NAMES = ("Offset", "Position", "Origin", "ImagePosition")
MATRIX_NAMES = ("TransformMatrix", "Rotation", "Orientation")
ORDER_NAMES = ("BinaryDataByteOrderMSB", "ElementByteOrderMSB")

_REQUIRED = ("NDims", "DimSize", "ElementType", "ElementDataFile")
_FIELDS = {
    *_REQUIRED,
    *OFFSET_NAMES,
    *MATRIX_NAMES,
    *ORDER_NAMES,
    "ObjectType",
    "ElementNumberOfChannels",
    "ElementSpacing",
    "ElementSize",
    "CenterOfRotation",
    "AnatomicalOrientation",
    "DistanceUnits",
    "BinaryData",
    "CompressedData",
    "CompressedDataSize",
    "HeaderSize",
    "ElementToIntensityFunctionSlope",
    "ElementToIntensityFunctionOffset",
}
_INTEGER = re.compile(r"[-+]?\d{1,18}", re.ASCII)
_NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?", re.ASCII)
_FLAGS = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}


@dataclass(frozen=True)
class MetaImageHeader:
    """A header that was read and checked.

    Args:
        path: The header's file.
        text: Values by name, of the fields that are used here.
        data_path: The file that holds the voxels, `path` itself if attached.
        end: Byte of `path` at which the header ends.
    """

    path: Path
    text: dict[str, str]
    data_path: Path
    end: int

    @property
    def num_dimensions(self) -> int:
        """Number of axes, those of length 1 after the third included."""
        return self.integer("NDims")

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of voxels along I, J, K."""
        i, j, k = self.integers("DimSize", self.num_dimensions)[:3]
        return i, j, k

    @property
    def dtype(self) -> np.dtype:
        """Type of a stored voxel, including its byte order.

        Raises:
            DataError: If the type is another or the byte orders differ.
        """
        code = _CODES.get(self.text["ElementType"])
        if code is None:
            raise self.fault("ElementType", f"must be one of {', '.join(_CODES)}")
        orders = {self.flag(name) for name in ORDER_NAMES if name in self.text}
        if len(orders) > 1:
            raise self.fault(ORDER_NAMES[0], f"must agree with '{ORDER_NAMES[1]}'")
        return np.dtype((">" if True in orders else "<") + code)

    @property
    def data_offset(self) -> int | None:
        """Byte of `data_path` at which the data begin; None if they end the file."""
        size = self.integer("HeaderSize", default=0)
        if size == -1:
            return None
        attached = self.end if self.data_path == self.path else 0
        return size or attached

    def fault(self, field: str, demand: str) -> DataError:
        """Build the error that names a field and its value."""
        received = "no such field"
        if field in self.text:
            received = short_repr(self.text[field])
        return DataError(f"{self.path}: field '{field}' {demand}. Received: {received}")

    def flag(self, field: str, *, default: bool = False) -> bool:
        """Parse a field that holds True or False; raise DataError if not."""
        if field not in self.text:
            return default
        flag = _FLAGS.get(self.text[field].lower())
        if flag is None:
            raise self.fault(field, "must be True or False")
        return flag

    def integer(self, field: str, *, default: int | None = None) -> int:
        """Parse a field that holds one integer."""
        if default is not None and field not in self.text:
            return default
        return self.integers(field, 1)[0]

    def integers(self, field: str, count: int) -> list[int]:
        """Parse a field that holds `count` integers; raise DataError if not."""
        words = self.text[field].split()
        if len(words) != count or not all(map(_INTEGER.fullmatch, words)):
            raise self.fault(field, f"must hold exactly {count} integer(s)")
        return [int(word) for word in words]

    def numbers(self, field: str, count: int) -> list[float]:
        """Parse a field that holds `count` decimal numbers; raise DataError if not."""
        words = self.text[field].split()
        if len(words) != count or not all(map(_NUMBER.fullmatch, words)):
            raise self.fault(field, f"must hold exactly {count} number(s)")
        return [float(word) for word in words]

    def name_of(self, names: Sequence[str], count: int) -> str | None:
        """Return the name under which `count` numbers are given, None if none is.

        Raises:
            DataError: If they are given under two names and differ.
        """
        given = [name for name in names if name in self.text]
        for other in given[1:]:
            if self.numbers(other, count) != self.numbers(given[0], count):
                value = short_repr(self.text[other])
                raise self.fault(given[0], f"must agree with '{other}' = {value}")
        return given[0] if given else None


def read_header(path: Path, max_voxels: int = MAX_VOXELS) -> MetaImageHeader:
    """Read and check the header of a scalar 3-D MetaImage file.

    Args:
        path: The file.
        max_voxels: Largest number of voxels accepted.

    Raises:
        DataError: If the file is not a MetaImage file, not scalar and 3-D, or uses an
            unsupported feature; names the field.
    """
    check_is_file(path)
    try:
        with path.open("rb") as stream:
            text = _read_fields(stream, path)
            end = stream.tell()
            is_local = text.get("ElementDataFile") in ("LOCAL", "Local", "local")
            is_last = is_local or not stream.read(MAX_HEADER_BYTES).strip()
    except OSError as error:
        raise DataError(f"{path}: could not be read: {error}") from error
    header = MetaImageHeader(path, text, path, end)
    for name in _REQUIRED:
        if name not in text:
            raise DataError(f"{path}: field '{name}' is missing.")
    if not is_last:
        raise header.fault("ElementDataFile", "must be LOCAL or the last field")
    if not is_local:
        header = MetaImageHeader(path, text, _data_path(header), end)
    _check_scalar_volume(header, max_voxels)
    _check_storage(header)
    return header


def _read_fields(stream: BinaryIO, path: Path) -> dict[str, str]:
    """Read the fields up to ElementDataFile, which is the last."""
    fields: dict[str, str] = {}
    for _ in range(MAX_HEADER_LINES):
        line = stream.readline(MAX_HEADER_BYTES)
        if stream.tell() >= MAX_HEADER_BYTES:
            break
        if not line:
            return fields
        line = line.strip()
        if not line or line.startswith(b"#"):
            continue
        match = re.fullmatch(r"([^=:]+)[=:](.*)", line.decode("utf-8", "replace"))
        if match is None:
            raise DataError(
                f'{path}: each header line must read "field = value". '
                f"Received: {line[:60]!r}"
            )
        name, value = match[1].strip(), match[2].strip()
        if name not in _FIELDS:
            continue
        if name in fields:
            raise DataError(
                f"{path}: field '{name}' must appear once. "
                f"Received: {short_repr(fields[name])} and {short_repr(value)}"
            )
        fields[name] = value
        if name == "ElementDataFile":
            return fields
    raise DataError(
        f"{path}: the header must end with field 'ElementDataFile' within "
        f"{MAX_HEADER_LINES} lines and {MAX_HEADER_BYTES} bytes. Received: none"
    )


def _data_path(header: MetaImageHeader) -> Path:
    name = header.text["ElementDataFile"]
    if re.match(r"LIST(\s|$)", name) or "%" in name:
        raise header.fault(
            "ElementDataFile",
            "must name one file; data split over several files (LIST or a numbered "
            "pattern) are not supported",
        )
    try:
        return find_data_file(header.path, name)
    except ValueError as error:
        raise header.fault("ElementDataFile", str(error)) from error


def _check_scalar_volume(header: MetaImageHeader, max_voxels: int) -> None:
    """Raise if the file is not a scalar 3-D volume of an acceptable size and type."""
    if header.text.get("ObjectType", "Image").lower() != "image":
        raise header.fault("ObjectType", "must be Image")
    count = header.num_dimensions
    sides = header.integers("DimSize", count)
    if len(sides) < 3 or any(side != 1 for side in sides[3:]):
        received = f"{count}-D data of sizes {' x '.join(map(str, sides))}"
        raise DataError(
            f"{header.path}: must be a scalar 3-D volume (fields 'NDims', 'DimSize'). "
            f"Received: {shorten(received)}"
        )
    if header.integer("ElementNumberOfChannels", default=1) != 1:
        raise header.fault("ElementNumberOfChannels", "must be 1")
    if min(sides) < 1 or math.prod(sides) > max_voxels:
        raise header.fault(
            "DimSize",
            f"must be positive and at most {max_voxels} voxels in total (--max-voxels)",
        )
    header.dtype  # noqa: B018 - raises if the type or byte order is invalid


def _check_storage(header: MetaImageHeader) -> None:
    """Raise if the voxels are text, or the HeaderSize cannot be right."""
    if not header.flag("BinaryData", default=True):
        raise header.fault(
            "BinaryData", "must be True; voxels written as text are not supported"
        )
    size = header.integer("HeaderSize", default=0)
    if size < -1:
        raise header.fault("HeaderSize", "must be -1 or more")
    if size == -1 and header.flag("CompressedData"):
        raise header.fault("HeaderSize", "must not be -1 if the data are compressed")
    if header.data_path == header.path and 0 < size < header.end:
        raise header.fault(
            "HeaderSize", f"must be 0, -1 or at least the header's {header.end} bytes"
        )
