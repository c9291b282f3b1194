"""Vertebrae of a mask, each an instance with a label of its own, from below."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from spine.basins import label_components, part_of
from spine.bridges import LONG, Cut, cut_seeds, expected_lengths, find_cuts
from spine.chain import Chain, find_chain
from spine.curve import Curve, fit_curve
from spine.growth import grow, place_labels, spread
from spine.middles import find_middles
from spine.sections import count_samples, measure_lengths
from volumes.classes import count_labels
from volumes.geometry import Grid

EXTENSION_MM = 60.0  # of the curve beyond the outer vertebrae
SEED_SHARE = 0.6  # of the radius: deeper voxels are sure to belong to a vertebra
INNER_SHARE = 0.6  # of the radius: discs inside a body, to measure its length
OUTER_SHARE = 1.8  # of the radius: discs around a body, to measure its area
# A loose piece is a vertebra that is partly seen, if it lies on the curve.
LEAST_PIECE_ML = 2.0
MAX_PIECE_OFFSET_MM = 20.0
LEAST_PIECE_STEPS = 0.6  # between it and other vertebrae
PARTIAL_LENGTH = 0.5  # of the length of its neighbours: a part of a vertebra
MIN_VERTEBRAE = 2
MAX_VERTEBRAE = 60  # far more than there are


@dataclass(frozen=True, eq=False)
class Instances:
    """The vertebrae of a mask.

    Args:
        label_map: Shape (I, J, K); 1 is the lowest vertebra, 0 the background.
        curve: Of the spine.
        centers: World mm of each vertebra on the curve or near it, shape (N, 3).
        partial: Labels of vertebrae of which a part was found.
        notes: By label, a sentence for each warning.
        dropped_ml: Volume of the mask that belongs to no vertebra.
    """

    label_map: npt.NDArray[np.uint8]
    curve: Curve
    centers: npt.NDArray[np.float64]
    partial: frozenset[int]
    notes: dict[int, list[str]]
    dropped_ml: float


@dataclass(eq=False)
class _Growth:
    """Vertebrae on the grid of the basins, not yet in order."""

    chain: Chain
    curve: Curve
    labels: npt.NDArray[np.int32]
    centers: list[npt.NDArray[np.float64]]
    notes: dict[int, list[str]]

    @property
    def grid(self) -> Grid:
        return self.chain.basins.grid

    @property
    def step(self) -> float:
        """Median distance in mm between the vertebrae of the chain."""
        steps = np.linalg.norm(np.diff(self.chain.centers, axis=0), axis=1)
        return float(np.median(steps))


def find_instances(mask: npt.NDArray[np.bool_], grid: Grid) -> Instances | None:
    """Divide a mask into vertebrae.

    Args:
        mask: Of all vertebrae together, shape of `grid`.
        grid: Of any spacing and direction.

    Returns:
        The vertebrae; None if there is no chain of at least `MIN_VERTEBRAE`.
    """
    boxes = ndimage.find_objects(mask.view(np.uint8))
    if not boxes:
        return None
    box = boxes[0]
    part = part_of(grid, box)
    chain = find_chain(mask[box], part)
    if chain is None or not MIN_VERTEBRAE <= len(chain) <= MAX_VERTEBRAE:
        return None
    growth = _grow_chain(chain)
    _cut_bridges(growth)
    pieces = _take_loose_pieces(growth)
    spread_labels = spread(growth.labels, growth.grid)
    placed = place_labels(spread_labels, growth.grid, mask[box], part)
    numbers = _sort(growth, is_found=count_labels(placed) > 0)
    order = [label for label in np.argsort(numbers) if numbers[label]]
    if len(order) < MIN_VERTEBRAE:
        return None
    label_map = np.zeros(mask.shape, np.uint8)
    for plane, numbered in zip(placed, label_map[box], strict=True):
        numbered[:] = numbers[plane]  # one by one, as indices need 8 bytes a voxel
    notes = {int(numbers[label]): growth.notes.get(label, []) for label in order}
    notes = {number: texts for number, texts in notes.items() if texts}
    partial = {int(numbers[label]) for label in pieces if numbers[label]}
    partial |= _check_lengths(growth, notes)
    dropped = np.count_nonzero(mask[box] & (label_map[box] == 0))
    return Instances(
        label_map,
        growth.curve,
        np.array([growth.centers[label - 1] for label in order]),
        frozenset(partial),
        notes,
        dropped * grid.voxel_volume / 1000,
    )


def _grow_chain(chain: Chain) -> _Growth:
    """Grow the vertebrae of a chain from the deep voxels of their basins."""
    basins = chain.basins
    numbers = np.zeros(len(basins.radii) + 1, np.int32)
    numbers[chain.numbers] = np.arange(1, len(chain) + 1)
    least = SEED_SHARE * np.concatenate([[0.0], basins.radii])
    seeds = numbers[basins.labels]
    seeds[basins.depths < least[basins.labels]] = 0
    labels = grow(basins, seeds)
    curve = fit_curve(find_middles(chain, labels), EXTENSION_MM)
    return _Growth(chain, curve, labels, list(chain.centers), {})


def _measure(growth: _Growth) -> tuple[npt.NDArray, npt.NDArray, npt.NDArray]:
    """Return the sections of the instances, their lengths and what is expected."""
    radius = INNER_SHARE * float(np.median(growth.chain.radii))
    sections = count_samples(growth.labels, growth.grid, growth.curve, radius)
    lengths = measure_lengths(sections)
    depths = growth.chain.basins.depths
    is_labelled = growth.labels > 0
    radii = np.zeros(len(lengths) + 1)
    np.maximum.at(radii, growth.labels[is_labelled], depths[is_labelled])
    return sections, lengths, expected_lengths(lengths, radii[1:])


def _cut_bridges(growth: _Growth) -> None:
    """Cut the instances that are several vertebrae, and grow the parts."""
    sections, lengths, expected = _measure(growth)
    radius = float(np.median(growth.chain.radii))
    wide = OUTER_SHARE * radius
    areas = count_samples(growth.labels, growth.grid, growth.curve, wide)
    cuts = find_cuts(sections, areas[:, 1:].sum(axis=1), lengths, expected)
    if not cuts:
        return
    labels = growth.labels.copy()
    is_cut = np.isin(labels, [cut.instance for cut in cuts])
    voxels = np.argwhere(is_cut)
    parts = cut_seeds(
        labels[is_cut], growth.grid.to_world(voxels), growth.curve, cuts, wide
    )
    labels[is_cut] = np.where(parts > 0, labels[is_cut], 0)
    count = len(growth.centers)
    for cut in cuts:
        names = [cut.instance, *range(count + 1, count + len(cut.points) + 1)]
        count += len(cut.points)
        of_cut = labels[is_cut] == cut.instance
        voxel_labels = labels[is_cut]
        voxel_labels[of_cut] = np.array([0, *names])[parts[of_cut]]
        labels[is_cut] = voxel_labels
        _describe_cut(growth, cut, names, sections)
    growth.labels = grow(growth.chain.basins, labels)


def _describe_cut(
    growth: _Growth, cut: Cut, names: Sequence[int], sections: npt.NDArray
) -> None:
    """Record the centres of the parts of a cut instance, and a note for each."""
    filled = np.flatnonzero(3 * sections[:, cut.instance] >= sections.sum(axis=1))
    ends = [int(filled[0]), *cut.points, int(filled[-1])]
    middles = [(first + last) // 2 for first, last in pairwise(ends)]
    centers = growth.curve.points[middles]
    growth.centers[cut.instance - 1] = centers[0]
    growth.centers += list(centers[1:])
    where = "where it is narrow" if cut.is_seen else "by length alone"
    note = f"was cut from a piece as long as {len(names)} vertebrae, {where}"
    for name in names:
        growth.notes.setdefault(name, []).append(note)


def _take_loose_pieces(growth: _Growth) -> list[int]:
    """Label the pieces of the mask that no vertebra reached.

    A large piece on the curve, away from all vertebrae, is one of its own. Others
    belong to the nearest vertebra, if it is near, or to none.

    Returns:
        The labels of the new vertebrae.
    """
    is_loose = (growth.chain.basins.labels > 0) & (growth.labels == 0)
    pieces, count = label_components(is_loose)
    if not count:
        return []
    sizes = np.bincount(pieces.ravel(), minlength=count + 1)
    near = spread(growth.labels, growth.grid)
    found = []
    for number, box in enumerate(ndimage.find_objects(pieces), start=1):
        of_piece = pieces[box] == number
        if sizes[number] * growth.grid.voxel_volume / 1000 >= LEAST_PIECE_ML:
            start = [side.start for side in box]
            center = growth.grid.to_world(np.argwhere(of_piece).mean(axis=0) + start)
            if _is_vertebra(growth, center) and len(growth.centers) < MAX_VERTEBRAE:
                growth.centers.append(center)
                growth.labels[box][of_piece] = len(growth.centers)
                found.append(len(growth.centers))
                continue
        touched = near[box][of_piece]
        touched = touched[touched > 0]
        if len(touched):
            growth.labels[box][of_piece] = np.bincount(touched).argmax()
    return found


def _is_vertebra(growth: _Growth, center: npt.NDArray[np.float64]) -> bool:
    """Return whether a piece lies where a vertebra is missing."""
    _, is_near = growth.curve.nearest(center[None], MAX_PIECE_OFFSET_MM)
    distances = np.linalg.norm(np.array(growth.centers) - center, axis=1)
    return bool(is_near[0] and distances.min() > LEAST_PIECE_STEPS * growth.step)


def _sort(growth: _Growth, is_found: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint8]:
    """Number the vertebrae that have voxels along the curve from below.

    Args:
        growth: Its labels become the new ones.
        is_found: Whether a label has a voxel of the mask, from label 0; a part of a
            cut may have none.

    Returns:
        The new number of each former label, from label 0; 0 of those without voxels.
    """
    nearest, _ = growth.curve.nearest(np.array(growth.centers), np.inf)
    labels = np.argsort(nearest, kind="stable") + 1
    labels = [label for label in labels if label < len(is_found) and is_found[label]]
    numbers = np.zeros(len(growth.centers) + 1, np.uint8)
    numbers[labels] = np.arange(1, len(labels) + 1)
    growth.labels = numbers[growth.labels].astype(np.int32)
    return numbers


def _check_lengths(growth: _Growth, notes: dict[int, list[str]]) -> set[int]:
    """Add a note to the vertebrae that are too long; return those too short."""
    _, lengths, expected = _measure(growth)
    for place in np.flatnonzero(lengths >= LONG * expected):
        ratio = lengths[place] / expected[place]
        text = f"is {ratio:.1f} times as long as its neighbours: it may be several"
        notes.setdefault(int(place) + 1, []).append(text)
    is_short = lengths < PARTIAL_LENGTH * expected
    ends = {0, len(lengths) - 1}
    return {int(place) + 1 for place in np.flatnonzero(is_short) if place in ends}
