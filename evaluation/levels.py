"""Vertebrae told apart by level: found or not, and what shifted labels would give."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import ndimage

FOUND_WITHIN = 20.0  # mm


def score_levels(
    prediction: npt.NDArray[np.integer],
    reference: npt.NDArray[np.integer],
    *,
    spacing: Sequence[float],
    levels: Sequence[int],
    num_classes: int,
) -> dict[int, dict[str, str | float | None]]:
    """Judge each vertebra of a case by its place among the others.

    A vertebra is found if the centroid of its prediction is less than 20 mm from
    its own in the reference, and from no other vertebra's less: VerSe's rule, with
    the centroids of the masks.

    Neighbours are the next levels up and down that this case holds, in either
    label map. That a prediction's label is one level off shows in the Dice of
    the neighbour's prediction against this level's reference; a level without that
    neighbour has 0 there.

    Args:
        prediction: Class numbers, shape (I, J, K).
        reference: Class numbers, shape (I, J, K), on the same grid.
        spacing: Distance in mm between voxel centres along I, J, K.
        levels: Class numbers of the vertebrae, from the neck down.
        num_classes: Above every class number.

    Returns:
        For each level `found`, which is "yes", "no" or, where the reference lacks
        it, "absent"; `centroid_error_mm`, `dice_of_upper` and `dice_of_lower`.
        The last three are None where the reference lacks the level, the first of
        them also where the prediction does.

    Reference:
        [Sekuboyina et al., 2021](https://doi.org/10.1016/j.media.2021.102166),
        identification rate.
    """
    overlaps = count_pairs(prediction, reference, num_classes)
    predicted, held = overlaps.sum(axis=1), overlaps.sum(axis=0)
    there = [level for level in levels if predicted[level] or held[level]]
    places = find_centroids(prediction, levels, spacing)
    own_places = find_centroids(reference, levels, spacing)
    absent = dict.fromkeys(("centroid_error_mm", "dice_of_upper", "dice_of_lower"))
    scored = {level: {"found": "absent", **absent} for level in levels}
    for level, upper, lower in zip(
        there, [None, *there[:-1]], [*there[1:], None], strict=True
    ):
        if not held[level]:
            continue
        scored[level] = _judge(places.get(level), level, own_places)
        for name, other in (("dice_of_upper", upper), ("dice_of_lower", lower)):
            total = held[level] + (0 if other is None else predicted[other])
            shared = 0 if other is None else overlaps[other, level]
            scored[level][name] = float(2 * shared / total)
    return scored


def _judge(place, level, own_places) -> dict[str, str | float | None]:
    """Say whether the vertebra predicted at `place` is the one at its own place."""
    if place is None:
        return {"found": "no", "centroid_error_mm": None}
    apart = {
        other: float(np.linalg.norm(place - own)) for other, own in own_places.items()
    }
    error = apart[level]
    is_found = error < FOUND_WITHIN and error == min(apart.values())
    return {"found": "yes" if is_found else "no", "centroid_error_mm": error}


def count_pairs(
    prediction: npt.NDArray[np.integer],
    reference: npt.NDArray[np.integer],
    num_classes: int,
) -> npt.NDArray[np.int64]:
    """Count the voxels of each pair of classes.

    Returns:
        Voxels of predicted class p and annotated class r at [p, r], shape (C, C).
    """
    counts = np.zeros(num_classes**2, np.int64)
    # Plane by plane: the pair's number is 8 times as wide as a class.
    for predicted, annotated in zip(prediction, reference, strict=True):
        pairs = predicted.astype(np.int64) * num_classes + annotated
        counts += np.bincount(pairs.ravel(), minlength=num_classes**2)
    return counts.reshape(num_classes, num_classes)


def find_centroids(
    classes: npt.NDArray[np.integer], levels: Sequence[int], spacing: Sequence[float]
) -> dict[int, npt.NDArray[np.float64]]:
    """Give the centre of mass in mm of each level that has a voxel."""
    boxes = ndimage.find_objects(classes, max(levels))
    centroids = {}
    for level in levels:
        box = boxes[level - 1]
        if box is not None:
            inside = np.argwhere(classes[box] == level).mean(axis=0)
            centroids[level] = (inside + [side.start for side in box]) * spacing
    return centroids
