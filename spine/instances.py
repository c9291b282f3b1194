"""Vertebrae of a mask, each an instance with a label of its own, from below."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from spine.basins import part_of
from spine.bridges import LONG, Cut, cut_seeds, expected_lengths, find_cuts
from spine.chain import Chain, find_chain
from spine.curve import Curve, fit_curve
from spine.growth import Growth, grow, place_labels, spread
from spine.loose_pieces import MAX_VERTEBRAE, take_loose_pieces
from spine.middles import find_middles
from spine.sections import count_samples, measure_lengths
from volumes.classes import count_labels
from volumes.geometry import Grid

EXTENSION_MM = 60.0  # of the curve beyond the outer vertebrae
SEED_SHARE = 0.6  # of the radius: deeper voxels are sure to belong to a vertebra
INNER_SHARE = 0.6  # of the radius: discs inside a body, to measure its length
OUTER_SHARE = 1.8  # of the radius: discs around a body, to measure its area
PARTIAL_LENGTH = 0.5  # of the length of its neighbours: a part of a vertebra
MIN_VERTEBRAE = 2


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
    pieces = take_loose_pieces(growth, grid)
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


def _grow_chain(chain: Chain) -> Growth:
    """Grow the vertebrae of a chain from the deep voxels of their basins."""
    basins = chain.basins
    numbers = np.zeros(len(basins.radii) + 1, np.int32)
    numbers[chain.numbers] = np.arange(1, len(chain) + 1)
    least = SEED_SHARE * np.concatenate([[0.0], basins.radii])
    seeds = numbers[basins.labels]
    seeds[basins.depths < least[basins.labels]] = 0
    labels = grow(basins, seeds)
    curve = fit_curve(find_middles(chain, labels), EXTENSION_MM)
    return Growth(chain, curve, labels, list(chain.centers), {})


def _measure(growth: Growth) -> tuple[npt.NDArray, npt.NDArray, npt.NDArray]:
    """Return the sections of the instances, their lengths and what is expected."""
    radius = INNER_SHARE * float(np.median(growth.chain.radii))
    sections = count_samples(growth.labels, growth.grid, growth.curve, radius)
    lengths = measure_lengths(sections)
    depths = growth.chain.basins.depths
    is_labelled = growth.labels > 0
    radii = np.zeros(len(lengths) + 1)
    np.maximum.at(radii, growth.labels[is_labelled], depths[is_labelled])
    return sections, lengths, expected_lengths(lengths, radii[1:])


def _cut_bridges(growth: Growth) -> None:
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
    growth: Growth, cut: Cut, names: Sequence[int], sections: npt.NDArray
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


def _sort(growth: Growth, is_found: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint8]:
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


def _check_lengths(growth: Growth, notes: dict[int, list[str]]) -> set[int]:
    """Add a note to the vertebrae that are too long; return those too short."""
    _, lengths, expected = _measure(growth)
    for place in np.flatnonzero(lengths >= LONG * expected):
        ratio = lengths[place] / expected[place]
        text = f"is {ratio:.1f} times as long as its neighbours: it may be several"
        notes.setdefault(int(place) + 1, []).append(text)
    is_short = lengths < PARTIAL_LENGTH * expected
    ends = {0, len(lengths) - 1}
    return {int(place) + 1 for place in np.flatnonzero(is_short) if place in ends}
