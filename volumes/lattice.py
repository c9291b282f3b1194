"""Placing a label map on its scan's grid, where the voxels of both coincide.

3D Slicer saves a segmentation at its effective extent, a box of the scan, and other
programs reorder or reverse axes. The voxels are the scan's own all the same, so they
are placed by slicing: nothing is interpolated. Origin and directions say where, and
`Segmentation_ReferenceImageExtentOffset`, which repeats that, is not read.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import permutations

import numpy as np
import numpy.typing as npt

from system.errors import DataError
from volumes.geometry import (
    SHARED_GRID_TOLERANCE,
    Grid,
    largest_corner_distance,
    share_a_grid,
)
from volumes.volume import Volume

Integers = npt.NDArray[np.int64]
_RESAMPLE = "resample the label map to the scan by nearest neighbours"
_IN_SLICER = (
    "In 3D Slicer, module Segmentations, section Export/import models and labelmaps: "
    "export as Labelmap, in Advanced with the scan as Reference volume."
)


def check_not_empty(label_map: Volume) -> None:
    """Check that a label map labels a voxel.

    Raises:
        DataError: If all its voxels are 0.
    """
    if not label_map.array.any():
        raise DataError(
            f"{label_map.path} is empty: no voxel is labelled, where there must be at "
            "least one value above 0. 3D Slicer saves a segmentation so if nothing was "
            "drawn in its segments, or they were removed."
        )


def place_on_grid(label_map: Volume, image: Volume, case_id: str) -> Volume:
    """Place a label map on the grid of its scan.

    It may be a box of the scan, or larger than the scan if nothing is labelled
    outside; its axes may have another order or run in the opposite direction. Not so
    if only the number of slices differs, by one: a slice was lost then, and the equal
    origins do not say at which end.

    Args:
        label_map: As read, on any grid.
        image: The scan.
        case_id: What messages call the two.

    Returns:
        The label map itself if it shares the scan's grid. Otherwise its labels on
        that grid, 0 where it has no voxel, with a note that says what was done.

    Raises:
        DataError: If the voxels of the two do not coincide, or a labelled voxel lies
            outside the scan; says why, and names both grids.
    """
    grid, other = image.grid, label_map.grid
    if share_a_grid(grid, other):
        return label_map
    axes, signs = _match_axes(grid, other)
    reason = _find_lost_slice(grid, other) or _find_difference(grid, other, axes, signs)
    offset = np.rint(_first_index(grid, other)).astype(np.int64)
    turned = label_map.array.transpose(axes)
    turned = turned[tuple(slice(None, None, int(sign)) for sign in signs)]
    first = np.clip(offset, 0, grid.shape)
    last = np.clip(offset + turned.shape, first, grid.shape)
    inside = turned[tuple(map(slice, first - offset, last - offset))]
    if not reason:
        reason = _find_overhang(turned, inside)
    if reason:
        raise DataError(
            f"Image and label map of case '{case_id}' are on different grids, "
            f"{reason}.\n  {image.path}: {grid}\n  {label_map.path}: {other}\n"
            f"  {_IN_SLICER}"
        )
    array = np.zeros(grid.shape, label_map.array.dtype)
    array[tuple(map(slice, first, last))] = inside
    notes = (*label_map.notes, _describe(offset, axes, signs))
    return replace(label_map, array=array, grid=grid, notes=notes)


def _match_axes(grid: Grid, other: Grid) -> tuple[Integers, Integers]:
    """Return the axis of `other` nearest to each axis of `grid`, and its sign."""
    cosines = grid.direction.T @ other.direction
    places = np.arange(3)
    axes = np.array(
        max(
            permutations(range(3)),
            key=lambda order: float(np.abs(cosines[places, list(order)]).sum()),
        )
    )
    return axes, np.where(cosines[places, axes] < 0, -1, 1)


def _first_index(grid: Grid, other: Grid) -> npt.NDArray[np.float64]:
    """Return the lowest index in `grid`, along each axis, of a voxel of `other`."""
    return grid.to_index(other.corners()).min(axis=0)


def _find_lost_slice(grid: Grid, other: Grid) -> str:
    """Describe that one of two grids lacks the last plane of the other; "" if not."""
    more = np.subtract(other.shape, grid.shape)
    same_extent = Grid(grid.shape, other.affine)
    if np.abs(more).sum() != 1 or not share_a_grid(grid, same_extent):
        return ""
    axis = int(np.flatnonzero(more)[0])
    return (
        f"their shapes differ, by one slice along axis {'IJK'[axis]}. If the first "
        "slice is missing, all labels would be off by one, and nothing but the equal "
        "origins speaks for the last; save the label map on the scan's own grid"
    )


def _find_difference(grid: Grid, other: Grid, axes: Integers, signs: Integers) -> str:
    """Describe why the voxels of two grids do not coincide; "" if they do."""
    sides = np.array(other.shape)[axes]
    steps = np.maximum(sides - 1, 1)
    spacing = np.array(other.spacing)[axes]
    # How far voxels move, from one end of `other` to the other, in voxels.
    stretch = np.abs(spacing / grid.spacing - 1) * steps
    if stretch.max() > SHARED_GRID_TOLERANCE:
        return (
            f"{_corners(grid, other)}their spacings differ, {_tuple(grid.spacing)} and "
            f"{_tuple(spacing)} mm along the scan's axes; {_RESAMPLE}"
        )
    turned = other.direction[:, axes] * signs
    drift = np.linalg.solve(grid.direction, turned) - np.eye(3)
    drift = np.abs(drift * spacing / np.array(grid.spacing)[:, None]) * steps
    if drift.max() > SHARED_GRID_TOLERANCE:
        return f"{_corners(grid, other)}{_describe_turn(grid, turned)}; {_RESAMPLE}"
    first = _first_index(grid, other)
    if (first > np.array(grid.shape) - 0.5).any() or (first + sides < 0.5).any():
        apart = np.linalg.norm(other.center - grid.center)
        return f"they do not overlap, their centres are {apart:.1f} mm apart"
    shift = first - np.rint(first)
    if np.abs(shift).max() > SHARED_GRID_TOLERANCE:
        apart = np.linalg.norm(grid.affine[:3, :3] @ shift)
        return (
            f"{_corners(grid, other)}their voxels do not coincide, but are shifted by "
            f"{_tuple(first)} voxels, {apart:.3f} mm from the nearest; {_RESAMPLE}"
        )
    return ""


def _corners(grid: Grid, other: Grid) -> str:
    """Begin a description with how far apart the corners of grids of one shape are."""
    distance = largest_corner_distance(grid, other)
    if not np.isfinite(distance):
        return ""
    return f"their corners are up to {distance:.3f} mm apart: "


def _describe_turn(grid: Grid, turned: npt.NDArray[np.float64]) -> str:
    """Describe how a label map's axes, in the scan's order, are turned."""
    rotation = turned @ np.linalg.inv(grid.direction)
    if np.allclose(rotation.T @ rotation, np.eye(3), atol=1e-3):
        # The antisymmetric part is exact for small angles, where the trace is not.
        sine = np.linalg.norm(rotation - rotation.T) / np.sqrt(8)
        cosine = (np.trace(rotation) - 1) / 2
        degrees = np.degrees(np.arctan2(sine, cosine))
        return f"their axes are rotated by {degrees:.2f} degrees"
    cosines = np.clip((turned * grid.direction).sum(axis=0), -1, 1)
    degrees = np.degrees(np.arccos(cosines)).max()
    return f"their axes run in other directions, up to {degrees:.2f} degrees apart"


def _find_overhang(turned: np.ndarray, inside: np.ndarray) -> str:
    """Describe labelled voxels that lie outside the scan; "" if there are none."""
    num_labelled = np.count_nonzero(turned)
    num_outside = num_labelled - np.count_nonzero(inside)
    if not num_outside:
        return ""
    return f"{num_outside} of {num_labelled} labelled voxels lie outside the scan"


def _describe(offset: Integers, axes: Integers, signs: Integers) -> str:
    """Return the note on how a label map was placed."""
    parts = [f"offset {_tuple(offset)} voxels"]
    if axes.tolist() != [0, 1, 2]:
        parts.append("axes re-ordered")
    reversed_axes = [name for name, sign in zip("IJK", signs, strict=True) if sign < 0]
    if reversed_axes:
        parts.append(f"reversed along {', '.join(reversed_axes)}")
    return f"The label map is placed on the scan's grid: {', '.join(parts)}."


def _tuple(values: Iterable[float]) -> str:
    return "(" + ", ".join(f"{value + 0.0:.4g}" for value in values) + ")"
