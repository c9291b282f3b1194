"""Converting between the geometry fields of a MetaImage header and a grid.

MetaImage's world is left-posterior-superior, in mm. A row of `TransformMatrix` is the
direction of one axis.
"""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt

from system.errors import DataError
from system.limits import MAX_LENGTH
from system.text import short_repr
from volumes.formats.metaimage_header import (
    MATRIX_NAMES,
    OFFSET_NAMES,
    MetaImageHeader,
)
from volumes.formats.nrrd_header import DEFAULT_SPACE, SPACE_SIGNS
from volumes.geometry import Grid, affine_from

_SIGNS = np.array(SPACE_SIGNS[DEFAULT_SPACE])
_ORIENTATION = re.compile("[RLAPSI]{3}")
# The world axis of each letter, and its sense in RAS.
_LETTERS = {
    "R": (0, 1),
    "L": (0, -1),
    "A": (1, 1),
    "P": (1, -1),
    "S": (2, 1),
    "I": (2, -1),
}
# In an oblique scan, the cosine between an axis and its letter is larger than this.
_SMALLEST_COSINE = 0.2
_UNITS = ("mm", "um", "cm")  # those that ITK knows


def grid_of(header: MetaImageHeader) -> tuple[Grid, tuple[str, ...]]:
    """Return the grid and a note for each assumption; cubes store the notes.

    As in ITK, `CenterOfRotation`, `AnatomicalOrientation` and `DistanceUnits` do not
    move a voxel.

    Raises:
        DataError: If a spacing, direction or origin is invalid.
    """
    notes: list[str] = []
    spacing = _spacing(header, notes)
    direction = _direction(header, notes) * _SIGNS[:, None]
    origin = _origin(header, notes) * _SIGNS
    try:
        affine = affine_from(spacing, origin, direction)
        grid = Grid(header.shape, affine + 0.0)  # + 0: no minus zero
    except ValueError as error:
        raise DataError(
            f"{header.path}: fields 'DimSize', 'ElementSpacing', 'TransformMatrix' and "
            f"'Offset' must describe a grid: {error}"
        ) from error
    return grid, (*notes, *_ignored_notes(header, grid))


def _spacing(header: MetaImageHeader, notes: list[str]) -> list[float]:
    """Return the spacing; append to `notes` if it is absent."""
    name = _spacing_name(header)
    if name is None:
        notes.append(
            "The header gives no ElementSpacing: taken as 1 mm along each axis."
        )
        return [1.0, 1.0, 1.0]
    if name == "ElementSize":  # not the spacing where slices overlap or have gaps
        notes.append("The header gives no ElementSpacing: ElementSize is used.")
    spacing = header.numbers(name, header.num_dimensions)[:3]
    if not all(0 < side < MAX_LENGTH for side in spacing):
        raise header.fault(name, "must hold positive numbers, in mm")
    return spacing


def _spacing_name(header: MetaImageHeader) -> str | None:
    """Return the field of the spacing: as in ITK, ElementSize only if it is alone."""
    names = ("ElementSpacing", "ElementSize")
    return next((name for name in names if name in header.text), None)


def _direction(header: MetaImageHeader, notes: list[str]) -> npt.NDArray[np.float64]:
    """Return the axes' directions as columns in LPS; append to `notes` if absent."""
    count = header.num_dimensions
    name = header.name_of(MATRIX_NAMES, count**2)
    if name is None:
        notes.append(
            "The header gives no TransformMatrix: the axes are taken to run to left, "
            "posterior, superior."
        )
        return np.eye(3)
    rows = np.array(header.numbers(name, count**2)).reshape(count, count)[:3, :3]
    if not (np.abs(rows) < MAX_LENGTH).all():
        raise header.fault(name, "must hold direction cosines")
    return rows.T


def _origin(header: MetaImageHeader, notes: list[str]) -> npt.NDArray[np.float64]:
    """Return the origin in LPS; append to `notes` if it is absent."""
    name = header.name_of(OFFSET_NAMES, header.num_dimensions)
    if name is None:
        notes.append("The header gives no Offset: taken as (0, 0, 0).")
        return np.zeros(3)
    return _point(header, name)


def _point(header: MetaImageHeader, name: str) -> npt.NDArray[np.float64]:
    """Parse a field that holds a point in LPS."""
    point = np.array(header.numbers(name, header.num_dimensions)[:3])
    if not (np.abs(point) < MAX_LENGTH).all():
        raise header.fault(name, "must hold finite numbers, in mm")
    return point


def _ignored_notes(header: MetaImageHeader, grid: Grid) -> list[str]:
    """Return a note for each geometry field that is ignored, here as in ITK."""
    notes = []
    name = "CenterOfRotation"
    if name in header.text and _point(header, name).any():
        notes.append("CenterOfRotation is not zero: ignored, as ITK ignores it.")
    orientation = header.text.get("AnatomicalOrientation", "")
    if _contradicts(orientation, grid):
        notes.append(
            f"AnatomicalOrientation {orientation} contradicts the axes, which run to "
            f"{grid.orientation}: ignored, as ITK ignores it."
        )
    unit = header.text.get("DistanceUnits", "mm")
    if unit not in ("mm", "?", ""):
        notes.append(
            f"The header gives lengths in {short_repr(unit)}: taken as mm, number for "
            "number."
        )
    return notes


def _contradicts(orientation: str, grid: Grid) -> bool:
    """Return whether letters such as "RAI" are not those of the axes.

    ITK writes the side from which each axis runs, the format's documentation the one
    to which it runs; either is accepted, if it holds for all three axes.
    """
    if not _ORIENTATION.fullmatch(orientation):
        return False
    cosines = []
    for axis, letter in enumerate(orientation):
        row, sign = _LETTERS[letter]
        cosines.append(sign * grid.direction[row, axis])
    return min(cosines) < _SMALLEST_COSINE and max(cosines) > -_SMALLEST_COSINE


def kept_fields(header: MetaImageHeader) -> dict[str, str]:
    """Return the geometry fields of a MetaImage file, worded as in that file.

    Axes after the third are dropped. Fields that the file lacks are filled in with
    what was assumed on reading.
    """
    count = header.num_dimensions
    fields = {
        "TransformMatrix": "1 0 0 0 1 0 0 0 1",
        "Offset": "0 0 0",
        "ElementSpacing": "1 1 1",
    }
    matrix = header.name_of(MATRIX_NAMES, count**2)
    if matrix is not None:
        words = header.text[matrix].split()
        rows = [words[count * row : count * row + 3] for row in range(3)]
        fields["TransformMatrix"] = " ".join(word for row in rows for word in row)
    sources = {
        "Offset": header.name_of(OFFSET_NAMES, count),
        "CenterOfRotation": "CenterOfRotation",
        "ElementSpacing": _spacing_name(header),
    }
    for name, source in sources.items():
        if source in header.text:
            fields[name] = " ".join(header.text[source].split()[:3])
    if _ORIENTATION.fullmatch(header.text.get("AnatomicalOrientation", "")):
        fields["AnatomicalOrientation"] = header.text["AnatomicalOrientation"]
    if header.text.get("DistanceUnits") in _UNITS:
        fields["DistanceUnits"] = header.text["DistanceUnits"]
    return fields


def geometry_fields(grid: Grid) -> dict[str, str]:
    """Build the MetaImage fields that describe a grid."""
    return {
        "TransformMatrix": _format(grid.direction.T * _SIGNS),
        "Offset": _format(np.array(grid.origin) * _SIGNS),
        "ElementSpacing": _format(np.array(grid.spacing)),
    }


def _format(values: npt.NDArray[np.float64]) -> str:
    """Format numbers so that reading them returns the same doubles; -0 as 0."""
    return " ".join(repr(float(x) + 0.0).removesuffix(".0") for x in values.ravel())
