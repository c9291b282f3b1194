"""Growing seeds over a mask: where two vertebrae touch, the border is the thin place.

Everything lies on the grid of the mask's basins; see `spine.basins`.
"""

from __future__ import annotations

from typing import cast

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra

from spine.basins import Basins
from volumes.geometry import Grid

LEAST_DEPTH_MM = 0.3  # shallower voxels cost no more than this depth
POWER = 3  # the cost of a mm is 1 / depth ** POWER
MAX_GAP_MM = 3.0  # up to which a loose piece belongs to its neighbour

Labels = npt.NDArray[np.int32]


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
    nodes = np.full(is_inside.shape, -1, np.int32)
    count = np.count_nonzero(is_inside)
    nodes[is_inside] = np.arange(count, dtype=np.int32)
    depths = np.maximum(basins.depths[is_inside], LEAST_DEPTH_MM).astype(np.float64)
    costs = basins.grid.spacing[0] / depths**POWER
    pairs = [_neighbors(nodes, axis) for axis in range(3)]
    first, second = (np.concatenate(side) for side in zip(*pairs, strict=True))
    steps = (costs[first] + costs[second]) / 2
    graph = coo_array((steps, (first, second)), shape=(count, count)).tocsr()
    of_node = seeds[is_inside]
    _, _, sources = dijkstra(
        graph,
        directed=False,
        indices=np.flatnonzero(of_node),
        min_only=True,
        return_predecessors=True,
    )
    labels = np.zeros(is_inside.shape, np.int32)
    # What no seed reaches has a source below zero.
    labels[is_inside] = np.where(sources >= 0, of_node[np.maximum(sources, 0)], 0)
    return labels


def _neighbors(nodes: Labels, axis: int) -> tuple[Labels, Labels]:
    """Return the nodes of all pairs of voxels that share a face across an axis."""
    along = np.moveaxis(nodes, axis, 0)
    first, second = along[:-1], along[1:]
    are_nodes = (first >= 0) & (second >= 0)
    return first[are_nodes], second[are_nodes]


def spread(labels: Labels, grid: Grid) -> Labels:
    """Give voxels the label of the nearest one behind a gap of up to `MAX_GAP_MM`.

    Args:
        labels: Shape of `grid`; at least one voxel has a label.
        grid: Isotropic.
    """
    found = ndimage.distance_transform_edt(labels == 0, return_indices=True)
    distances, nearest = cast(tuple[npt.NDArray, npt.NDArray], found)
    gaps = (distances - 1) * grid.spacing[0]  # between the faces of voxels
    is_near = gaps <= MAX_GAP_MM
    return np.where(is_near, labels[tuple(nearest)], 0)


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
