"""Converting between the geometry fields of an NRRD header and a grid."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from system.limits import MAX_LENGTH
from volumes.formats.nrrd_header import (
    DEFAULT_SPACE,
    SPACE_NAMES,
    SPACE_SIGNS,
    UNPLACED_SPACES,
    NrrdHeader,
)
from volumes.geometry import Grid, affine_from

_MILLIMETRES = ("mm", "millimeter", "millimeters", "millimetre", "millimetres", "")


def grid_of(header: NrrdHeader) -> tuple[Grid, tuple[str, ...]]:
    """Return the grid and a note for each assumption; cubes store the notes.

    Without directions the axes run along left, posterior, superior, whatever the
    space, as in ITK; without spacings they are 1 mm.

    Raises:
        DataError: If a spacing, direction or origin is not valid.
    """
    space, notes = _space(header)
    signs = np.array(SPACE_SIGNS[space])
    block = _directions(header)
    if block is None:
        spacing = _spacings(header)
        if spacing is None:
            notes.append("The header gives no spacing: taken as 1 mm along each axis.")
            spacing = (1.0, 1.0, 1.0)
        notes.append(
            "The header gives no space directions: the axes are taken to run to "
            "left, posterior, superior."
        )
        block = affine_from(spacing, direction=np.diag(SPACE_SIGNS[DEFAULT_SPACE]))
        block = block[:3, :3]
    else:
        block = block * signs[:, None]
    affine = np.eye(4)
    affine[:3, :3] = block
    affine[:3, 3] = _origin(header, notes) * signs
    try:
        return Grid(header.shape, affine + 0.0), tuple(notes)  # + 0: no minus zero
    except ValueError as error:
        field = "spacings" if _directions(header) is None else "space directions"
        raise header.fault(
            field, "must span space, with voxels of 1e-6 to 1e6 mm and sides to 1e9 mm"
        ) from error


def _space(header: NrrdHeader) -> tuple[str, list[str]]:
    """Return the space's long name, and notes if it or its unit was assumed."""
    notes = []
    units = [unit.lower() for unit in header.fields.get("space units", [])]
    if not set(units) <= set(_MILLIMETRES):
        notes.append(
            f"The header gives lengths in {', '.join(sorted(set(units)))}: "
            "taken as mm, number for number."
        )
    given = header.fields.get("space", "")
    if not given:
        notes.insert(0, f"The header gives no space: taken as {DEFAULT_SPACE}.")
        return DEFAULT_SPACE, notes
    if given.lower() in UNPLACED_SPACES:
        notes.insert(
            0,
            f"The space {given} does not tell left from right: taken as "
            f"{DEFAULT_SPACE}.",
        )
        return DEFAULT_SPACE, notes
    if given.lower() not in SPACE_NAMES:
        raise header.fault("space", f"must be one of {', '.join(SPACE_NAMES)}")
    return SPACE_NAMES[given.lower()], notes


def _directions(header: NrrdHeader) -> npt.NDArray[np.float64] | None:
    """Return the axis vectors as columns in the file's space, None if absent."""
    rows = header.fields.get("space directions")
    if rows is None:
        return None
    missing = [row is None or bool(np.isnan(row).all()) for row in rows]
    written = "none" in header.text["space directions"].lower()
    if all(missing) and written:
        return None
    if any(missing) or len(rows) != 3 or any(len(row) != 3 for row in rows):
        raise header.fault("space directions", "must hold three 3-D vectors")
    columns = np.array(rows, dtype=np.float64).T
    if not (np.abs(columns) < MAX_LENGTH).all():
        raise header.fault("space directions", "must hold finite numbers, in mm")
    return columns


def _spacings(header: NrrdHeader) -> tuple[float, ...] | None:
    """Return the plain spacings, None if the field is absent."""
    spacings = header.fields.get("spacings")
    if spacings is None:
        return None
    if len(spacings) != 3 or not ((spacings > 0) & (spacings < MAX_LENGTH)).all():
        raise header.fault("spacings", "must hold three positive numbers")
    return tuple(spacings.tolist())


def _origin(header: NrrdHeader, notes: list[str]) -> npt.NDArray[np.float64]:
    """Return the origin in the file's space; append to `notes` if it is absent."""
    origin = header.fields.get("space origin")
    if origin is None:
        notes.append("The header gives no space origin: taken as (0, 0, 0).")
        return np.zeros(3)
    if len(origin) != 3 or not (np.abs(origin) < MAX_LENGTH).all():
        raise header.fault("space origin", "must hold three finite numbers, in mm")
    return np.asarray(origin, dtype=np.float64)


def geometry_fields(grid: Grid, space: str = DEFAULT_SPACE) -> dict[str, str]:
    """Build the NRRD fields that describe a grid.

    Args:
        grid: The grid, RAS+ in mm.
        space: "left-posterior-superior", "right-anterior-superior" or
            "left-anterior-superior", or their short names.

    Raises:
        ValueError: If the space is not one of these.
    """
    name = SPACE_NAMES.get(space.lower())
    if name is None:
        raise ValueError(
            f"Space must be one of {', '.join(SPACE_NAMES)}. Received: space={space!r}"
        )
    columns = grid.affine[:3] * np.array(SPACE_SIGNS[name])[:, None]
    return {
        "space": name,
        "space directions": " ".join(_vector(columns[:, axis]) for axis in range(3)),
        "space origin": _vector(columns[:, 3]),
    }


def _vector(values: npt.NDArray[np.float64]) -> str:
    """Format a vector so that reading it returns the same doubles; -0 as 0."""
    return f"({','.join(repr(float(x) + 0.0).removesuffix('.0') for x in values)})"
