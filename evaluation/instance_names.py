"""Whether matched vertebrae have the right names.

If both have names, a pair is identified if its names are equal. If the prediction has
none, its values count the instances from below: the lowest pair is taken to have the
right name, as if a user had stated it, and each of the others is identified if it lies
as many levels above the lowest as in the reference. The reference's levels are those of
its names or, without names, its order from below.

Reference:
    [Sekuboyina et al., 2021](https://doi.org/10.1016/j.media.2021.102166):
    identification rate, there of all vertebrae of the reference, by their centroids.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from evaluation.levels import find_centroids
from volumes.geometry import Grid
from volumes.structures import SACRAL, VARIANTS, VERTEBRA_NAMES


def compare_names(
    pairs: Sequence[tuple[int, int]],
    predicted_names: Mapping[int, str],
    reference_names: Mapping[int, str],
) -> list[bool]:
    """Return, for each pair in which both have names, whether they are equal."""
    return [
        predicted_names[predicted] == reference_names[annotated]
        for predicted, annotated in pairs
        if predicted in predicted_names and annotated in reference_names
    ]


def compare_places(
    pairs: Sequence[tuple[int, int]], places: Mapping[int, int]
) -> list[bool]:
    """Return, for each pair above the lowest, whether it lies as high as it should.

    Args:
        pairs: Predicted values, which count from below, and values of the reference.
        places: Level of each value of the reference, counted from below.
    """
    placed = sorted((number, places[value]) for number, value in pairs)
    return [
        number - placed[0][0] == place - placed[0][1] for number, place in placed[1:]
    ]


def find_places(
    reference: npt.NDArray[np.integer],
    values: Sequence[int],
    names: Mapping[int, str] | None,
    grid: Grid,
) -> dict[int, int]:
    """Return the level of each value of the reference, counted from below."""
    if names is not None:
        return _count_levels({value: names[value] for value in values})
    return _rank_from_below(reference, values, grid)


def _count_levels(names: Mapping[int, str]) -> dict[int, int]:
    """Return the level of each named value, counted from the sacrum upwards.

    T13 and L6, which most people do not have, count only if they are among the names.
    """
    found = set(names.values())
    levels = [
        name
        for name in (*reversed(SACRAL), *reversed(VERTEBRA_NAMES))
        if name not in VARIANTS or name in found
    ]
    return {value: levels.index(name) for value, name in names.items()}


def _rank_from_below(
    reference: npt.NDArray[np.integer], values: Sequence[int], grid: Grid
) -> dict[int, int]:
    """Return the place of each value in the order of the centroids, from below."""
    if not values:
        return {}
    centroids = find_centroids(reference, values, np.eye(3))  # in voxels
    heights = {value: grid.to_world(each)[2] for value, each in centroids.items()}
    order = sorted(heights, key=lambda value: float(heights[value]))
    return {value: place for place, value in enumerate(order)}
