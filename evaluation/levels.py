"""Scores of vertebrae by level: identification, and Dice with shifted labels."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

FOUND_WITHIN = 20.0  # mm
# The scores of a level that is missing in the reference.
ABSENT = {
    "found": "absent",
    "centroid_error_mm": None,
    "dice_of_upper": None,
    "dice_of_lower": None,
}


def score_levels(
    prediction: npt.NDArray[np.integer],
    reference: npt.NDArray[np.integer],
    *,
    steps: npt.NDArray[np.float64],
    levels: Sequence[int],
    num_classes: int,
) -> dict[int, dict[str, Any]]:
    """Score the position of each vertebra of a case among the others.

    A vertebra is found if the centroid of its prediction is less than 20 mm from
    its centroid in the reference, and closer to it than to any other vertebra's.
    This is the rule of VerSe, applied to the centroids of the masks.

    Args:
        prediction: Class numbers, shape (I, J, K).
        reference: Class numbers, shape (I, J, K), on the same grid.
        steps: As of `volumes.geometry.Grid.steps`.
        levels: Class numbers of the vertebrae, from the neck down.
        num_classes: Number of classes, background included.

    Returns:
        For each level `found`, which is "yes", "no" or, if it is missing in the
        reference, "absent"; `centroid_error_mm`, `dice_of_upper` and
        `dice_of_lower`. The last three are None if the level is missing in the
        reference, the first of them also if it is missing in the prediction.

    Reference:
        [Sekuboyina et al., 2021](https://doi.org/10.1016/j.media.2021.102166),
        identification rate.
    """
    predicted_centroids = find_centroids(prediction, levels, steps)
    reference_centroids = find_centroids(reference, levels, steps)
    overlaps = count_pairs(prediction, reference, num_classes)
    neighbours = _score_neighbours(overlaps, levels)
    scores = {}
    for level in levels:
        if level in reference_centroids:
            centroid = predicted_centroids.get(level)
            found = _identify(centroid, level, reference_centroids)
            scores[level] = found | neighbours[level]
        else:
            scores[level] = dict(ABSENT)
    return scores


def _identify(centroid, level, reference_centroids) -> dict[str, str | float | None]:
    """Return whether a level is found at the centroid of its prediction, or None."""
    if centroid is None:
        return {"found": "no", "centroid_error_mm": None}
    distances = {
        other: float(np.linalg.norm(centroid - other_centroid))
        for other, other_centroid in reference_centroids.items()
    }
    error = distances[level]
    is_found = error < FOUND_WITHIN and error == min(distances.values())
    return {"found": "yes" if is_found else "no", "centroid_error_mm": error}


def _score_neighbours(
    overlaps: npt.NDArray[np.int64], levels: Sequence[int]
) -> dict[int, dict[str, float]]:
    """Score the predictions of the next levels against each level of the reference.

    The neighbours of a level are the next levels above and below that are present
    in either label map of the case. If all labels are one level off, the Dice of
    the neighbour's prediction against this level's reference is high. It is 0 for
    a level without that neighbour.

    Args:
        overlaps: Result of `count_pairs`.
        levels: As of `score_levels`.

    Returns:
        `dice_of_upper` and `dice_of_lower` of each level in the reference.
    """
    num_predicted, num_reference = overlaps.sum(axis=1), overlaps.sum(axis=0)
    present = [
        level for level in levels if num_predicted[level] or num_reference[level]
    ]
    lowers = dict(pairwise(present))
    uppers = {lower: upper for upper, lower in pairwise(present)}

    def dice_of(neighbour: int | None, level: int) -> float:
        if neighbour is None:
            return 0.0
        total = num_reference[level] + num_predicted[neighbour]
        return float(2 * overlaps[neighbour, level] / total)

    return {
        level: {
            "dice_of_upper": dice_of(uppers.get(level), level),
            "dice_of_lower": dice_of(lowers.get(level), level),
        }
        for level in levels
        if num_reference[level]
    }


def count_pairs(
    prediction: npt.NDArray[np.integer],
    reference: npt.NDArray[np.integer],
    num_classes: int,
) -> npt.NDArray[np.int64]:
    """Count the voxels of each pair of predicted and reference class.

    Returns:
        Voxels of predicted class p and reference class r at [p, r], shape (C, C).
    """
    counts = np.zeros(num_classes**2, np.int64)
    # Plane by plane, as the pair numbers take 8 times the memory of the classes.
    for predicted, annotated in zip(prediction, reference, strict=True):
        pairs = predicted.astype(np.int64) * num_classes + annotated
        counts += np.bincount(pairs.ravel(), minlength=num_classes**2)
    return counts.reshape(num_classes, num_classes)


def find_centroids(
    classes: npt.NDArray[np.integer],
    levels: Sequence[int],
    steps: npt.NDArray[np.float64],
) -> dict[int, npt.NDArray[np.float64]]:
    """Return the centroid of each level that is present, in mm from voxel (0, 0, 0)."""
    boxes = ndimage.find_objects(classes, max(levels))
    centroids = {}
    for level in levels:
        box = boxes[level - 1]
        if box is not None:
            in_box = np.argwhere(classes[box] == level).mean(axis=0)
            centroids[level] = steps @ (in_box + [side.start for side in box])
    return centroids
