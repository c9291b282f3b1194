"""Scores of the vertebrae of one case as instances: each one found, and named.

Prediction and reference are label maps on one grid, in which every value above 0 is an
instance. All scores come from one table of shared voxels. Two instances match if their
intersection is at least half of their union; no instance then overlaps a second one by
more, and the assignment decides where two are equal.

Reference:
    [Kirillov et al., 2019](https://doi.org/10.1109/CVPR.2019.00963), section 4.1:
    matching by IoU, precision and recall of segments, and void voxels.
    [Sekuboyina et al., 2021](https://doi.org/10.1016/j.media.2021.102166):
    identification rate, there of all vertebrae of the reference, by their centroids.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from evaluation.levels import find_centroids
from volumes.geometry import Grid
from volumes.structures import SACRAL, VARIANTS, VERTEBRA_NAMES

MIN_IOU = 0.5


@dataclass(frozen=True)
class InstanceScore:
    """The scores of the instances of one case.

    Args:
        case_id: The scan.
        subject: The person.
        num_reference: Instances in the reference.
        num_predicted: Instances in the prediction.
        num_matched: Pairs of the two whose IoU is at least 0.5.
        precision: Share of the predicted instances that are matched; 0 if there are
            none, 1 if there are none in the reference either.
        recall: Share of the reference's instances that are matched; 0 if there are
            none, 1 if none were predicted either.
        matched_dice: Mean Dice coefficient of the pairs; None without a pair.
        num_merged: Predicted instances that cover more than half of two or more of
            the reference's.
        num_split: Instances of the reference that hold more than half of two or more
            predicted ones.
        num_named: Pairs whose names can be compared; see `score_instances`.
        num_identified: Those that have the right name.
        identification_rate: Their share; None if there are none to compare.
    """

    case_id: str
    subject: str
    num_reference: int
    num_predicted: int
    num_matched: int
    precision: float
    recall: float
    matched_dice: float | None
    num_merged: int
    num_split: int
    num_named: int
    num_identified: int
    identification_rate: float | None


@dataclass(frozen=True, eq=False)
class _Overlaps:
    """Voxels that P predicted instances share with R of the reference.

    Args:
        predicted: Values of the predicted instances, ascending, shape (P,).
        annotated: Values of the reference's, ascending, shape (R,).
        shared: Voxels of each pair, shape (P, R).
        predicted_voxels: Of each predicted instance outside the void, shape (P,).
        annotated_voxels: Of each of the reference's, shape (R,).
    """

    predicted: npt.NDArray[np.integer]
    annotated: npt.NDArray[np.integer]
    shared: npt.NDArray[np.int64]
    predicted_voxels: npt.NDArray[np.int64]
    annotated_voxels: npt.NDArray[np.int64]


def score_instances(
    prediction: npt.NDArray[np.integer],
    reference: npt.NDArray[np.integer],
    *,
    grid: Grid,
    predicted_names: Mapping[int, str] | None = None,
    reference_names: Mapping[int, str] | None = None,
    void: npt.NDArray[np.bool_] | None = None,
    case_id: str = "",
    subject: str = "",
) -> InstanceScore:
    """Score predicted instances against those of the reference.

    If both have names, a pair is identified if its names are equal. If the prediction
    has none, its values count the instances from below: the lowest pair is taken to
    have the right name, as if a user had stated it, and each of the others is
    identified if it lies as many levels above the lowest as in the reference. The
    reference's levels are those of its names or, without names, its order from below.

    Args:
        prediction: Value of each voxel's instance, 0 for none, shape (I, J, K).
        reference: The same of the reference, on the same grid.
        grid: The grid of both.
        predicted_names: Canonical name of each predicted value; None if they are
            numbered from below.
        reference_names: Canonical name of a vertebra for each value of the reference
            that is an instance; None if they have no names.
        void: Mask of voxels that do not count, such as those of structures that are
            no instances, shape (I, J, K); nor does an unmatched prediction with more
            than half of its voxels there. None if all count.
        case_id: Name of the case.
        subject: The person; by default the case.

    Raises:
        ValueError: If the shapes differ.
    """
    if prediction.shape != reference.shape:
        raise ValueError(
            "Prediction and reference must have one shape. Received: prediction "
            f"{prediction.shape}, reference {reference.shape}"
        )
    overlaps, in_void = _measure_overlaps(prediction, reference, void)
    rows, columns = _match(overlaps)
    pairs = [
        (int(overlaps.predicted[row]), int(overlaps.annotated[column]))
        for row, column in zip(rows, columns, strict=True)
    ]
    if predicted_names is not None:
        named = _compare_names(pairs, predicted_names, reference_names or {})
    else:
        values = overlaps.annotated.tolist()
        if reference_names is not None:
            places = _count_levels({value: reference_names[value] for value in values})
        else:
            places = _rank_from_below(reference, values, grid)
        named = _compare_places(pairs, places)
    num_ignored = np.count_nonzero(np.delete(in_void, rows))
    num_predicted = len(overlaps.predicted) - int(num_ignored)
    num_reference, num_matched = len(overlaps.annotated), len(pairs)
    is_empty = not (num_predicted or num_reference)
    return InstanceScore(
        case_id=case_id,
        subject=subject or case_id,
        num_reference=num_reference,
        num_predicted=num_predicted,
        num_matched=num_matched,
        precision=1.0 if is_empty else num_matched / max(num_predicted, 1),
        recall=1.0 if is_empty else num_matched / max(num_reference, 1),
        matched_dice=_mean_dice(overlaps, rows, columns),
        num_merged=_count_covering(overlaps.shared, overlaps.annotated_voxels),
        num_split=_count_covering(overlaps.shared.T, overlaps.predicted_voxels),
        num_named=len(named),
        num_identified=sum(named),
        identification_rate=sum(named) / len(named) if named else None,
    )


def _measure_overlaps(
    prediction: npt.NDArray[np.integer],
    reference: npt.NDArray[np.integer],
    void: npt.NDArray[np.bool_] | None,
) -> tuple[_Overlaps, npt.NDArray[np.bool_]]:
    """Count the shared voxels, and find the predictions that lie in the void."""
    inside = (prediction > 0) | (reference > 0)
    predicted, rows = _index_values(prediction[inside])
    annotated, columns = _index_values(reference[inside])
    if void is not None:
        columns[void[inside]] = len(annotated)  # a column of their own
    shape = len(predicted), len(annotated) + 1
    counts = np.bincount(rows * shape[1] + columns, minlength=shape[0] * shape[1])
    counts = counts.reshape(shape)[predicted > 0]
    outside_void = counts[:, :-1]
    of_reference = np.bincount(columns, minlength=shape[1])[:-1]
    is_instance = (annotated > 0) & (of_reference > 0)
    overlaps = _Overlaps(
        predicted=predicted[predicted > 0],
        annotated=annotated[is_instance],
        shared=outside_void[:, is_instance],
        predicted_voxels=outside_void.sum(axis=1),
        annotated_voxels=of_reference[is_instance],
    )
    return overlaps, 2 * counts[:, -1] > counts.sum(axis=1)


def _index_values(
    values: npt.NDArray[np.integer],
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Return the values that occur, and the place of each voxel's among them."""
    found = np.flatnonzero(np.bincount(values))
    places = np.zeros(int(values.max(initial=0)) + 1, np.intp)
    places[found] = np.arange(len(found))
    return found, places[values]


def _match(
    overlaps: _Overlaps,
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Return the rows and columns of the pairs whose IoU is at least 0.5."""
    totals = overlaps.predicted_voxels[:, None] + overlaps.annotated_voxels
    ious = overlaps.shared / np.maximum(totals - overlaps.shared, 1)
    ious[ious < MIN_IOU] = 0
    rows, columns = linear_sum_assignment(ious, maximize=True)
    is_pair = ious[rows, columns] > 0
    return rows[is_pair], columns[is_pair]


def _mean_dice(
    overlaps: _Overlaps, rows: npt.NDArray[np.intp], columns: npt.NDArray[np.intp]
) -> float | None:
    if not len(rows):
        return None
    totals = overlaps.predicted_voxels[rows] + overlaps.annotated_voxels[columns]
    return float(np.mean(2 * overlaps.shared[rows, columns] / totals))


def _count_covering(
    shared: npt.NDArray[np.int64], voxels: npt.NDArray[np.int64]
) -> int:
    """Count the rows that hold more than half of the voxels of several columns."""
    num_covered = np.count_nonzero(2 * shared > voxels, axis=1)
    return int(np.count_nonzero(num_covered >= 2))


def _compare_names(
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


def _compare_places(
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
