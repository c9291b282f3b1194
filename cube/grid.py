"""The grid of a cube: its spacing and shape, and the scans that make it large."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from cube.resources import (
    estimate_resources,
)
from cube.rows import CubeSpec, draw_extent
from cube.survey import CaseInfo
from system.errors import UsageError
from system.limits import MAX_LENGTH, SPACING_RANGE
from system.text import format_bytes
from volumes.geometry import Grid, canonical_grid, canonical_spacing
from volumes.pooling import round_to_pooling

AXES = ("right-left", "posterior-anterior", "inferior-superior")
MAX_FACTOR = 2  # of what the median case needs, along an axis or in all
MAX_NAMED = 5


def plan_extents(
    cases: Sequence[CaseInfo], copies: Sequence[int], spec: CubeSpec
) -> npt.NDArray[np.int64]:
    """Return the box that the scan of each row will fill, shape (N, 3, 2).

    Args:
        cases: Every case.
        copies: Number of augmented copies of each.
        spec: What all rows have in common.
    """
    return np.array(
        [
            draw_extent(spec, case.pair.case_id, case.grid, copy)
            for case, count in zip(cases, copies, strict=True)
            for copy in range(1 + count)
        ]
    )


def check_copies(
    cases: Sequence[CaseInfo], copies: Sequence[int], extents: npt.NDArray[np.int64]
) -> None:
    """Check that every copy will show some of its scan, where the scan itself does.

    Args:
        cases: Every case.
        copies: Number of augmented copies of each.
        extents: What `plan_extents` returned.

    Raises:
        UsageError: If one will not; the message names it.
    """
    first = 0
    for case, count in zip(cases, copies, strict=True):
        scan, *others = extents[first : first + 1 + count]
        first += 1 + count
        if not _is_filled(scan):
            continue
        for copy, extent in enumerate(others, start=1):
            if not _is_filled(extent):
                raise UsageError(
                    f"Copy {copy} of case '{case.pair.case_id}' must show some of the "
                    "scan. Received: an empty copy; use a smaller --shift or a "
                    "narrower --rescaling"
                )


def _is_filled(extent: npt.NDArray[np.int64]) -> bool:
    return bool((extent[:, 0] < extent[:, 1]).all())


def describe_grid(
    cases: Sequence[CaseInfo], copies: Sequence[int], spec: CubeSpec
) -> list[str]:
    """Describe the cases that need far more voxels than the median case.

    Args:
        cases: Every case.
        copies: Number of augmented copies of each.
        spec: What all rows have in common; its shape holds the largest scan.

    Returns:
        One note; none if no case needs more than twice the voxels along an axis, or
        in all.
    """
    sides = [canonical_grid(case.grid, spec.spacing).shape for case in cases]
    shapes = round_to_pooling(sides, spec.spacing).astype(float)
    counts = np.column_stack([shapes, shapes.prod(axis=1)])
    # The lower of two middle cases: one of two scans may be huge.
    median = np.percentile(counts, 50, axis=0, method="lower")
    is_large = (counts > MAX_FACTOR * median).any(axis=1)
    if not is_large.any() or is_large.all():  # along one axis or another
        return []
    large = [
        case.pair.case_id for case, found in zip(cases, is_large, strict=True) if found
    ]
    others = tuple(int(side) for side in shapes[~is_large].max(axis=0))
    smaller = replace(spec, shape=others)
    extents = plan_extents(cases, copies, smaller)
    size = estimate_resources(cases, extents, others).cube
    axis = int(np.argmax(counts[:, :3].max(axis=0) / median[:3]))
    row = int(np.argmax(counts[:, axis]))
    return [
        f"case '{cases[row].pair.case_id}' sets the grid: {counts[row, axis]:.0f} "
        f"voxels {AXES[axis]}, where the median case needs {median[axis]:.0f}, and "
        f"{np.prod(spec.shape, dtype=float) / 1e6:.3g} million in all instead of "
        f"{median[3] / 1e6:.3g}. --shape {others[0]} {others[1]} {others[2]} fits all "
        f"but {_name(large)}, whose middle it keeps: {format_bytes(size)}"
    ]


def _name(case_ids: Sequence[str]) -> str:
    named = ", ".join(f"'{case_id}'" for case_id in case_ids[:MAX_NAMED])
    rest = len(case_ids) - MAX_NAMED
    return f"{named} and {rest} more" if rest > 0 else named


MAX_COARSENING = 1000  # the blur before resampling reaches over as many voxels


def choose_spacing(grids: Sequence[Grid]) -> tuple[float, float, float]:
    """Choose the scans' median spacing, with the two finest axes made equal.

    Returns:
        Spacing in mm along right, anterior, superior; the two finest are both the
        smaller of their medians.
    """
    median = np.median([canonical_spacing(grid) for grid in grids], axis=0)
    order = np.argsort(median, kind="stable")
    median[order[1]] = median[order[0]]
    return tuple(float(f"{value:.4g}") for value in median)


def spacing_for_side(grids: Sequence[Grid], side: int) -> tuple[float, float, float]:
    """Choose the isotropic spacing at which the longest scan takes `side` voxels."""
    longest = max(max(np.array(grid.shape) * np.array(grid.spacing)) for grid in grids)
    return (float(longest / side),) * 3


def check_spacing(
    spacing: Sequence[float], shape: Sequence[int], cases: Sequence[CaseInfo]
) -> None:
    """Check that a grid is of possible size and not far coarser than a scan.

    Raises:
        UsageError: If it is not.
    """
    low, high = SPACING_RANGE
    longest = max(side * count for side, count in zip(spacing, shape, strict=True))
    if not all(low <= side <= high for side in spacing) or longest > MAX_LENGTH:
        raise UsageError(
            f"The voxels of a cube must measure {low:g} to {high:g} mm, and its grid "
            f"{MAX_LENGTH:g} mm at most. Received: {spacing} mm, {shape} voxels"
        )
    for case in cases:
        finest = min(case.grid.spacing)
        if max(spacing) > MAX_COARSENING * finest:
            raise UsageError(
                f"A cube's voxels must be at most {MAX_COARSENING} times coarser than "
                f"a scan's. Received: {max(spacing):g} mm, and {finest:g} mm of case "
                f"'{case.pair.case_id}'"
            )


def choose_shape(
    grids: Sequence[Grid], spacing: Sequence[float], depth: int = 4
) -> tuple[int, int, int]:
    """Choose the smallest grid that holds every scan and that networks can pool.

    Returns:
        Sides in voxels, each a multiple of its axis' down-sampling factor: 16, or
        less along thick slices.
    """
    sides = np.max([canonical_grid(grid, spacing).shape for grid in grids], axis=0)
    return tuple(round_to_pooling(sides, spacing, depth).tolist())
