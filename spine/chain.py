"""The chain of vertebrae: the best path through the basins of a mask, from below.

A basin is a node of radius r, the largest sphere that fits into it. The path of the
highest score is found by dynamic programming over pairs of edges:

    score = sum of min(r / r_ref, 1)^3 over its nodes
            - max(0, gap - 14 mm) / 20 mm         for each edge
            - 0.3 (larger / smaller radius - 1)   for each edge
            - 0.4 (bend / 45 degrees)^2           for each pair of edges

The gap of an edge lies between the spheres of its nodes. r_ref is the mean radius of
the three largest nodes, at most 12 mm, so that a large blob does not belittle the
vertebrae. There is no source for the score: its constants were set on label maps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spine.basins import Basins, find_basins
from volumes.geometry import Grid

# Radii of vertebrae in mm: smaller basins are processes, larger ones other organs.
RADIUS_RANGE = (3.0, 22.0)
LEAST_RADIUS_SHARE = 0.35  # of the reference radius
MAX_REFERENCE_RADIUS = 12.0
MAX_NODES = 200  # the largest are taken, which bounds the time
# An edge joins nodes that follow each other along the spine.
MAX_TILT_DEGREES = 75.0  # from the patient's superior axis
LEAST_DISTANCE_SHARE = 0.8  # of the sum of the radii
MAX_GAP_MM = 60.0  # where one vertebra is missing between two lumbar bodies it is 50
MAX_RADIUS_RATIO = 2.0
MAX_BEND_DEGREES = 45.0
# What lowers the score.
FREE_GAP_MM = 14.0
GAP_MM_PER_NODE = 20.0
RATIO_PENALTY = 0.3
BEND_PENALTY = 0.4


@dataclass(frozen=True, eq=False)
class Chain:
    """Vertebrae in order from below.

    Args:
        basins: Of the whole mask.
        numbers: The basin of each vertebra, shape (N,).
        score: See the module.
    """

    basins: Basins
    numbers: npt.NDArray[np.int64]
    score: float

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def centers(self) -> npt.NDArray[np.float64]:
        """World mm of each vertebra's core, shape (N, 3)."""
        return self.basins.centers[self.numbers - 1]

    @property
    def radii(self) -> npt.NDArray[np.float64]:
        """Radius of the largest sphere in each vertebra in mm, shape (N,)."""
        return self.basins.radii[self.numbers - 1]


def find_chain(mask: npt.NDArray[np.bool_], grid: Grid) -> Chain | None:
    """Find the chain of vertebrae in a mask.

    Args:
        mask: Of all vertebrae together, shape of `grid`.
        grid: Of any spacing and direction.

    Returns:
        The best chain, of one vertebra or more; None if nothing in the mask is as
        thick as a vertebra.
    """
    basins = find_basins(mask, grid)
    if basins is None:
        return None
    nodes, weights = _choose_nodes(basins.radii)
    if not len(nodes):
        return None
    order = np.argsort(basins.centers[nodes, 2], kind="stable")
    nodes, weights = nodes[order], weights[order]
    path, score = _best_path(basins.centers[nodes], basins.radii[nodes], weights)
    return Chain(basins, nodes[path] + 1, score)


def _choose_nodes(
    radii: npt.NDArray[np.float64],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Return the indices of the basins that may be vertebrae, and their weights."""
    low, high = RADIUS_RANGE
    nodes = np.flatnonzero((radii >= low) & (radii <= high))
    nodes = nodes[np.argsort(-radii[nodes], kind="stable")][:MAX_NODES]
    if not len(nodes):
        return nodes, np.zeros(0)
    reference = min(radii[nodes[:3]].mean(), MAX_REFERENCE_RADIUS)
    nodes = nodes[radii[nodes] >= LEAST_RADIUS_SHARE * reference]
    return nodes, np.minimum(radii[nodes] / reference, 1) ** 3


def _find_edges(
    centers: npt.NDArray[np.float64], radii: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the directions of all edges, shape (N, N, 3), and their penalties.

    The penalty, shape (N, N), is infinite where there is no edge.
    """
    steps = centers[None] - centers[:, None]  # from the first axis to the second
    distances = np.maximum(np.linalg.norm(steps, axis=2), 1e-9)
    directions = steps / distances[..., None]
    sums = radii[None] + radii[:, None]
    gaps = distances - sums
    ratios = np.maximum(radii[None] / radii[:, None], radii[:, None] / radii[None])
    is_edge = (
        (directions[..., 2] >= math.cos(math.radians(MAX_TILT_DEGREES)))
        & (distances >= LEAST_DISTANCE_SHARE * sums)
        & (gaps <= MAX_GAP_MM)
        & (ratios <= MAX_RADIUS_RATIO)
    )
    penalties = np.maximum(gaps - FREE_GAP_MM, 0) / GAP_MM_PER_NODE
    penalties += RATIO_PENALTY * (ratios - 1)
    return directions, np.where(is_edge, penalties, np.inf)


def _best_path(
    centers: npt.NDArray[np.float64],
    radii: npt.NDArray[np.float64],
    weights: npt.NDArray[np.float64],
) -> tuple[list[int], float]:
    """Return the path of the highest score, and the score.

    Args:
        centers: Of the nodes, from below, shape (N, 3).
        radii: Of the nodes, shape (N,).
        weights: What each node adds to the score, shape (N,).
    """
    directions, penalties = _find_edges(centers, radii)
    # Scores of the best paths that end in the edge (first axis -> second axis).
    scores = weights[:, None] + weights[None] - penalties
    before = np.full(scores.shape, -1)
    for node in range(len(weights)):
        lower = np.flatnonzero(np.isfinite(penalties[:, node]))
        upper = np.flatnonzero(np.isfinite(penalties[node]))
        if not (len(lower) and len(upper)):
            continue
        cosines = directions[lower, node] @ directions[node, upper].T
        bends = np.degrees(np.arccos(np.clip(cosines, -1, 1)))
        costs = BEND_PENALTY * (bends / MAX_BEND_DEGREES) ** 2
        costs[bends > MAX_BEND_DEGREES] = np.inf
        longer = scores[lower, node, None] - costs
        best = longer.argmax(axis=0)
        gains = longer.max(axis=0) + weights[upper] - penalties[node, upper]
        is_better = gains > scores[node, upper]
        scores[node, upper[is_better]] = gains[is_better]
        before[node, upper[is_better]] = lower[best[is_better]]
    if scores.max(initial=-np.inf) <= weights.max():
        return [int(weights.argmax())], float(weights.max())
    first, second = np.unravel_index(scores.argmax(), scores.shape)
    score, path = float(scores[first, second]), [int(second)]
    while first >= 0:
        path.append(int(first))
        first, second = before[first, second], first
    return path[::-1], score
