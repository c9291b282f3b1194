"""Naming the scans that make the grid of a cube much larger than most scans need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from cube.resources import estimate_resources
from cube.rows import CubeSpec, draw_extent
from cube.survey import CaseInfo
from system.text import format_bytes
from volumes.geometry import canonical_grid
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
    if not is_large.any():
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
