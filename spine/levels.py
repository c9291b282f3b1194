"""Repairing a label map whose values are levels, such as L1 and L2, already.

A network confuses neighbouring levels: a part of L3 is called L4, or both are called
L3. The shapes say where each vertebra is, and the labels vote for its name; the names
must follow each other along the spine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from spine.curve import fit_curve
from spine.instances import EXTENSION_MM, Instances, find_instances
from spine.level_pieces import Level, drop_stray_ends, find_levels
from spine.naming import name_from_below
from spine.shape import shape_of
from spine.tables import Naming
from volumes.classes import count_labels
from volumes.geometry import Grid
from volumes.structures import VARIANTS, VERTEBRA_NAMES

# Of the volume of the next level, in a label map to be left as it is.
LEAST_NEIGHBOR_SHARE = 0.3
SKIP_COST = 0.25  # of a name for which there is no gap, in shares of a vertebra
LEAST_SHARE = 0.5  # of a level in one vertebra, to keep its border as it is
SOLE_MM = 10.0  # length of the curve through a single vertebra, to either side


def repair_levels(
    labels: npt.NDArray[np.integer], grid: Grid, levels: Mapping[int, str]
) -> tuple[Instances, list[Naming]] | None:
    """Join, drop and name the parts of a label map of levels.

    Where each level is one piece and one value, and all are in order from the lower
    end of the patient up, nothing changes but that strays are dropped.

    Args:
        labels: Shape of `grid`.
        grid: Of any spacing and direction.
        levels: Names of vertebrae by value; other values do not count.

    Returns:
        The vertebrae, and their names from below; None if none are found.
    """
    found, strays = drop_stray_ends(find_levels(labels, grid, levels))
    if not found:
        return None
    clean = _keep_clean(found, labels.shape, grid)
    if clean is not None:
        stray_ml = strays * grid.voxel_volume / 1000
        clean = replace(clean, dropped_ml=clean.dropped_ml + stray_ml)
        return clean, [Naming(level.name, "labels") for level in found]
    instances = find_instances(np.isin(labels, list(levels)), grid)
    if instances is None:
        return None
    votes = _count_votes(labels, instances, levels)
    names = align_names(votes, instances.centers, set(levels.values()))
    if names is None:
        return instances, name_from_below(len(instances.centers), None)
    namings = [_describe(name, row) for name, row in zip(names, votes, strict=True)]
    _tell_missing(found, names, instances, namings)
    return _drop_empty(_keep_borders(instances, found, names, grid), namings)


def _keep_clean(
    levels: Sequence[Level], shape: Sequence[int], grid: Grid
) -> Instances | None:
    """Return the levels as they are, or None if they need a repair.

    Args:
        levels: From below by their names.
        shape: Of the label map.
        grid: Of the label map.
    """
    are_distinct = len({level.name for level in levels}) == len(levels)
    if not (are_distinct and all(level.is_whole for level in levels)):
        return None
    label_map = np.zeros(shape, np.uint8)
    for number, level in enumerate(levels, start=1):
        label_map[level.box][level.own] = number
    centers = np.array(
        [
            shape_of(label_map, grid, number, level.box).inscribed_sphere()[0]
            for number, level in enumerate(levels, start=1)
        ]
    )
    is_even = _are_even(np.array([level.count for level in levels]))
    steps = np.diff(centers, axis=0)
    chain = centers[-1] - centers[0]
    is_ordered = (steps @ chain > 0).all() and (len(levels) == 1 or chain[2] > 0)
    if not (is_ordered and is_even):
        return None
    ends = centers
    if len(centers) == 1:
        ends = centers + SOLE_MM * np.array([[0, 0, -1], [0, 0, 1]])
    dropped = sum(level.count - np.count_nonzero(level.own) for level in levels)
    return Instances(
        label_map,
        fit_curve(ends, EXTENSION_MM),
        centers,
        frozenset(),
        {},
        dropped * grid.voxel_volume / 1000,
    )


def _are_even(sizes: npt.NDArray[np.integer]) -> bool:
    """Return whether inner levels are of similar size; outer ones may be cut."""
    inner = sizes[1:-1]
    ratios = inner[1:] / inner[:-1]
    return bool((np.minimum(ratios, 1 / ratios) >= LEAST_NEIGHBOR_SHARE).all())


def _count_votes(
    labels: npt.NDArray[np.integer], instances: Instances, levels: Mapping[int, str]
) -> npt.NDArray[np.int64]:
    """Count the voxels of each name in each vertebra, shape (N, names)."""
    num_instances = len(instances.centers)
    votes = np.zeros((num_instances, len(VERTEBRA_NAMES)), np.int64)
    for value, name in levels.items():
        of_level = instances.label_map[labels == value]
        counts = np.bincount(of_level, minlength=num_instances + 1)
        votes[:, VERTEBRA_NAMES.index(name)] += counts[1:]
    return votes


def align_names(
    votes: npt.NDArray[np.integer],
    centers: npt.NDArray[np.float64],
    present: set[str],
) -> list[str] | None:
    """Choose a name for each vertebra, in the order of the spine.

    The sum of the shares of voxels with the chosen name is maximised by dynamic
    programming. Each name that is skipped without a gap costs `SKIP_COST`, and so
    does a gap without one.

    Args:
        votes: Voxels of each of `VERTEBRA_NAMES` in each vertebra from below, shape
            (N, names).
        centers: World mm of the vertebrae, shape (N, 3).
        present: The names in the label map; T13 and L6 are used only if present.

    Returns:
        Names from below; None if there are more vertebrae than names.
    """
    usable = [
        column
        for column, name in enumerate(VERTEBRA_NAMES)
        if name not in VARIANTS or name in present
    ][::-1]
    if len(votes) > len(usable):
        return None
    shares = votes[:, usable] / np.maximum(votes.sum(axis=1, keepdims=True), 1)
    distances = np.linalg.norm(np.diff(centers, axis=0), axis=1)
    usual = np.median(distances) if len(distances) else 1.0
    gaps = np.maximum(np.rint(distances / max(float(usual), 1e-6)) - 1, 0)
    places = np.arange(len(usable))
    skipped = places[None] - places[:, None] - 1  # from the first axis to the second
    best, before = shares[0], []
    for share, gap in zip(shares[1:], gaps, strict=True):
        scores = best[:, None] - SKIP_COST * np.abs(skipped - gap)
        scores[skipped < 0] = -np.inf
        before.append(scores.argmax(axis=0))
        best = scores.max(axis=0) + share
    place = int(best.argmax())
    chosen = [place]
    for origins in reversed(before):
        place = int(origins[place])
        chosen.append(place)
    return [VERTEBRA_NAMES[usable[place]] for place in reversed(chosen)]


def _describe(name: str, votes: npt.NDArray[np.integer]) -> Naming:
    """Return a name with a note if most of the vertebra had another one."""
    share = votes[VERTEBRA_NAMES.index(name)] / max(1, votes.sum())
    if share > 0.5:
        return Naming(name, "labels")
    other = VERTEBRA_NAMES[int(votes.argmax())]
    note = f"was labelled {other} for the most part" if other != name else ""
    note = note or f"was labelled {name} by {share:.0%} only"
    return Naming(name, "labels", (note,))


def _tell_missing(
    levels: Sequence[Level],
    names: Sequence[str],
    instances: Instances,
    namings: list[Naming],
) -> None:
    """Add a note where a level of the label map is no vertebra of its own."""
    for level in levels:
        if level.name in names:
            continue
        inside = instances.label_map[level.box][level.own]
        number = int(np.bincount(inside, minlength=1).argmax())
        if number:
            naming = namings[number - 1]
            note = f"holds what was labelled {level.name}"
            namings[number - 1] = replace(naming, notes=(*naming.notes, note))


def _keep_borders(
    instances: Instances, levels: Sequence[Level], names: Sequence[str], grid: Grid
) -> Instances:
    """Return the vertebrae with the borders of the label map where they agree."""
    label_map = instances.label_map.copy()
    numbers = {name: number for number, name in enumerate(names, start=1)}
    added = 0
    for level in levels:
        number = numbers.get(level.name, 0)
        found = instances.label_map[level.box]
        if number and (found[level.largest] == number).mean() >= LEAST_SHARE:
            is_free = level.own & (found == 0)
            added += np.count_nonzero(is_free)
            label_map[level.box][level.largest | is_free] = number
    dropped = instances.dropped_ml - added * grid.voxel_volume / 1000
    return replace(instances, label_map=label_map, dropped_ml=max(0.0, dropped))


def _drop_empty(
    instances: Instances, namings: Sequence[Naming]
) -> tuple[Instances, list[Naming]]:
    """Drop the vertebrae that lost all voxels to the level of a neighbour."""
    counts = count_labels(instances.label_map, len(namings) + 1)[1:]
    kept = np.flatnonzero(counts)
    if len(kept) == len(namings):
        return instances, list(namings)
    numbers = np.zeros(len(namings) + 1, np.uint8)
    numbers[kept + 1] = np.arange(1, len(kept) + 1)
    dropped = replace(
        instances,
        label_map=numbers[instances.label_map],
        centers=instances.centers[kept],
        partial=frozenset(int(numbers[n]) for n in instances.partial) - {0},
        notes={int(numbers[n]): t for n, t in instances.notes.items() if numbers[n]},
    )
    return dropped, [namings[place] for place in kept.tolist()]
