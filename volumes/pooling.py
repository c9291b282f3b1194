"""Pooling sizes, on which the cube's plan and the networks must agree."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


def pooling_sizes(spacing: Sequence[float], depth: int) -> list[tuple[int, int, int]]:
    """Compute the pooling size of each of `depth` levels.

    An axis is not pooled while its spacing is more than twice the finest of the
    other axes, so that thick slices are pooled only when voxels are nearly isotropic.

    Returns:
        For each level a factor, 1 or 2, along each axis.
    """
    current = np.array(spacing, dtype=float)
    sizes = []
    for _ in range(depth):
        others = [np.delete(current, axis).min() for axis in range(len(current))]
        factors = np.where(current > 2 * np.array(others), 1, 2)
        sizes.append(tuple(factors.tolist()))
        current = current * factors
    return sizes


def round_to_pooling(
    sides: npt.ArrayLike, spacing: Sequence[float], depth: int = 4
) -> npt.NDArray[np.int64]:
    """Round sides in voxels up to multiples of their axis' down-sampling factor.

    Args:
        sides: Shape (..., 3).
        spacing: Of the voxels, in mm.
        depth: Number of poolings.
    """
    multiple = np.prod(pooling_sizes(spacing, depth), axis=0)
    return -(-np.asarray(sides) // multiple) * multiple
