"""Growing seeds over a mask: where two vertebrae touch, the border is the thin place.

Everything lies on the grid of the mask's basins; see `spine.basins`.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from spine.basins import Basins
from spine.chain import Chain
from spine.curve import Curve
from spine.nearest import find_nearest
from system.compiled import compiled_for_one_thread
from volumes.geometry import Grid

LEAST_DEPTH_MM = 0.3  # shallower voxels cost no more than this depth
POWER = 3  # the cost of a mm is 1 / depth ** POWER
MAX_GAP_MM = 3.0  # up to which a loose piece belongs to its neighbour

UNREACHED = 1e30  # kernels know no infinity

Labels = npt.NDArray[np.int32]


@dataclass(eq=False)
class Growth:
    """Vertebrae on the grid of the basins, not yet in order."""

    chain: Chain
    curve: Curve
    labels: npt.NDArray[np.int32]
    centers: list[npt.NDArray[np.float64]]
    notes: dict[int, list[str]]

    @property
    def grid(self) -> Grid:
        """The grid of the labels."""
        return self.chain.basins.grid

    @property
    def step(self) -> float:
        """Median distance in mm between the vertebrae of the chain."""
        steps = np.linalg.norm(np.diff(self.chain.centers, axis=0), axis=1)
        return float(np.median(steps))


def grow(basins: Basins, seeds: Labels) -> Labels:
    """Label each voxel of a mask by the seed that is reached at the lowest cost.

    The cost of a path inside the mask is the integral of 1 / depth^3, so that paths
    through a pedicle are short, and those through a facet joint or a bridge long.

    Args:
        basins: Of the mask.
        seeds: Labels from 1, shape of the basins' grid; 0 where there is no seed.

    Returns:
        Labels, shape of the grid; 0 outside the mask and in components of it without
        a seed.
    """
    is_inside = basins.labels > 0
    costs = np.zeros(is_inside.shape, np.float32)
    depths = np.maximum(basins.depths[is_inside], LEAST_DEPTH_MM)
    costs[is_inside] = basins.grid.spacing[0] / depths**POWER
    labels = np.where(is_inside, seeds, 0)
    _grow(costs, labels)
    return labels


@compiled_for_one_thread
def _grow(costs, labels):
    """Label voxels by Dijkstra's algorithm with a heap of voxels and their costs.

    Args:
        costs: Of a step between two such voxels; 0 outside the mask, which touches no
            border.
        labels: The seeds, inside the mask; receives the labels.
    """
    flat, numbers = costs.ravel(), labels.reshape(-1)
    row, plane = costs.shape[2], costs.shape[1] * costs.shape[2]
    steps = (-plane, plane, -row, row, -1, 1)
    reached = np.full(flat.size, UNREACHED, np.float32)
    seeds = np.flatnonzero(numbers)
    reached[seeds] = 0
    heap = [(np.float32(0), seed) for seed in seeds]
    while heap:
        cost, voxel = heapq.heappop(heap)
        if cost > reached[voxel]:
            continue  # a shorter path was found after this one
        for step in steps:
            other = voxel + step
            if flat[other] == 0:
                continue
            longer = np.float32(cost + (flat[voxel] + flat[other]) / 2)
            if longer < reached[other]:
                reached[other] = longer
                numbers[other] = numbers[voxel]
                heapq.heappush(heap, (longer, other))


def spread(labels: Labels, grid: Grid) -> Labels:
    """Assign voxels the label of the nearest one behind a gap of up to `MAX_GAP_MM`.

    Args:
        labels: Shape of `grid`; at least one voxel has a label.
        grid: Isotropic.
    """
    reach = 1 + MAX_GAP_MM / grid.spacing[0]  # a gap lies between faces of voxels
    spread_labels = np.zeros_like(labels)
    planes = zip(spread_labels, find_nearest(labels == 0), strict=True)
    for plane, (nearest, distances) in planes:
        plane[:] = np.where(distances <= reach, labels[tuple(nearest)], 0)
    return spread_labels


def place_labels(
    labels: Labels, grid: Grid, mask: npt.NDArray[np.bool_], target: Grid
) -> npt.NDArray[np.uint8]:
    """Return the labels of the voxels of a mask on another grid, shape of `target`.

    Args:
        labels: At most 255, shape of `grid`; see `spread`.
        grid: Of the labels.
        mask: Shape of `target`.
        target: Any grid.
    """
    to_index = np.linalg.inv(grid.affine) @ target.affine
    placed = ndimage.affine_transform(
        labels.astype(np.uint8),
        to_index,
        output_shape=target.shape,
        output=np.uint8,
        order=0,
    )
    placed = cast(npt.NDArray[np.uint8], placed)
    placed *= mask
    return placed
