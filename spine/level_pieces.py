"""The pieces of each level in a label map of levels: which belong together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from spine.basins import label_components
from spine.measures import MAX_SIDE_MM
from spine.shape import Box, sides_of
from volumes.geometry import Grid
from volumes.structures import VERTEBRA_NAMES

OWN_GAP_MM = 10.0  # up to which a piece of a level belongs to its largest one
# A level is whole if its largest piece, and that with those near it, are these shares.
CLEAN_LARGEST = 0.7
CLEAN_SHARE = 0.9
STRAY_SHARE = 0.05  # of the volume of the next level: a level at an end that is none


@dataclass(frozen=True, eq=False)
class Level:
    """The voxels of a level: its largest component and what lies near that.

    Args:
        name: Of the level.
        box: In which all of `own` lies.
        largest: The component, shape of `box`.
        own: The component and what lies near it, shape of `box`.
        count: Number of voxels of the level, wherever they lie.
        is_whole: Whether it is one piece, but for details, and no longer than any
            vertebra.
    """

    name: str
    box: Box
    largest: npt.NDArray[np.bool_]
    own: npt.NDArray[np.bool_]
    count: int
    is_whole: bool


def find_levels(
    labels: npt.NDArray[np.integer], grid: Grid, levels: Mapping[int, str]
) -> list[Level]:
    """Find the pieces of each value that is a level; two values may be the same one.

    Args:
        labels: Shape of `grid`.
        grid: Of any spacing and direction.
        levels: Names of vertebrae by value; other values do not count.

    Returns:
        The levels that are present, from below by their names.
    """
    boxes = dict(enumerate(ndimage.find_objects(labels), start=1))
    found = [
        _find_level(labels, grid, value, name, boxes[value])
        for value, name in levels.items()
        if boxes.get(value)
    ]
    return sorted(
        found, key=lambda level: VERTEBRA_NAMES.index(level.name), reverse=True
    )


def _find_level(
    labels: npt.NDArray[np.integer], grid: Grid, value: int, name: str, box: Box
) -> Level:
    """Find the largest component of a value, and what lies near it.

    Nothing is sought near a component that is longer than any vertebra, which bounds
    time and memory.
    """
    components, count = label_components(labels[box] == value)
    sizes = np.bincount(components[components > 0])
    total, largest = int(sizes.sum()), int(sizes.argmax())
    is_largest = components == largest
    core = ndimage.find_objects(is_largest.view(np.uint8))[0]
    is_own = np.arange(len(sizes)) == largest
    is_short = max(sides_of(core, grid)) <= MAX_SIDE_MM
    if count > 1 and is_short:
        is_own[_find_near(components, largest, core, grid)] = True
    shares = sizes[largest] / total, sizes[is_own].sum() / total
    is_whole = is_short and shares[0] >= CLEAN_LARGEST and shares[1] >= CLEAN_SHARE
    own = is_own[components]
    around = ndimage.find_objects(own.view(np.uint8))[0]
    first, second, third = (
        slice(outer.start + inner.start, outer.start + inner.stop)
        for outer, inner in zip(box, around, strict=True)
    )
    return Level(
        name,
        (first, second, third),
        is_largest[around].copy(),
        own[around].copy(),
        total,
        bool(is_whole),
    )


def _find_near(
    components: npt.NDArray[np.int32], number: int, box: Box, grid: Grid
) -> npt.NDArray[np.int32]:
    """Return the numbers of components within `OWN_GAP_MM` of one of them.

    Args:
        components: Shape (I, J, K); 0 is the background.
        number: Of the one.
        box: Of that.
        grid: Of the label map.
    """
    pads = [int(OWN_GAP_MM / side) + 1 for side in grid.spacing]
    first, second, third = (
        slice(max(0, side.start - pad), side.stop + pad)
        for side, pad in zip(box, pads, strict=True)
    )
    inner = components[first, second, third]
    distances = np.asarray(
        ndimage.distance_transform_edt(inner != number, sampling=list(grid.spacing))
    )
    near = np.unique(inner[distances <= OWN_GAP_MM])
    return near[near > 0]


def drop_stray_ends(levels: Sequence[Level]) -> tuple[list[Level], int]:
    """Leave out levels at both ends that are a few voxels.

    Args:
        levels: From below.

    Returns:
        The others, and how many voxels were left out.
    """
    kept, dropped = list(levels), 0
    for end, neighbor in ((0, 1), (-1, -2)):
        while len(kept) > 1 and kept[end].count < STRAY_SHARE * kept[neighbor].count:
            dropped += kept.pop(end).count
    return kept, dropped
