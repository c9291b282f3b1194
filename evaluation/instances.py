"""Scores of the vertebrae of one case as instances: each one found, and named.

Prediction and reference are label maps on one grid, in which every value above 0 is an
instance. All scores come from one table of shared voxels. Two instances match if their
intersection is at least half of their union; no instance then overlaps a second one by
more, and the assignment decides where two are equal.

Reference:
    [Kirillov et al., 2019](https://doi.org/10.1109/CVPR.2019.00963), section 4.1:
    matching by IoU, precision and recall of segments, and void voxels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from evaluation.instance_names import compare_names, compare_places, find_places
from volumes.geometry import Grid

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
        num_named: Pairs whose names can be compared, see `evaluation.instance_names`.
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
        in_void: Whether more than half of a predicted instance lies in the void,
            shape (P,).
    """

    predicted: npt.NDArray[np.integer]
    annotated: npt.NDArray[np.integer]
    shared: npt.NDArray[np.int64]
    predicted_voxels: npt.NDArray[np.int64]
    annotated_voxels: npt.NDArray[np.int64]
    in_void: npt.NDArray[np.bool_]

    def values_at(
        self, rows: npt.NDArray[np.intp], columns: npt.NDArray[np.intp]
    ) -> list[tuple[int, int]]:
        """Return the predicted value of each row, and the reference's of its column."""
        return [
            (int(self.predicted[row]), int(self.annotated[column]))
            for row, column in zip(rows, columns, strict=True)
        ]


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

    Args:
        prediction: Value of each voxel's instance, 0 for none, shape (I, J, K).
        reference: The same of the reference, on the same grid.
        grid: The grid of both.
        predicted_names: Canonical name of each value; None if numbered from below.
        reference_names: The same of each value of the reference; None without names.
        void: Mask of voxels that do not count, such as those of structures that are
            no instances, shape (I, J, K); nor, but for `num_merged`, does an unmatched
            prediction with more than half of its voxels there. None if all count.
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
    overlaps = _measure_overlaps(prediction, reference, void)
    rows, columns = _match(overlaps)
    pairs = overlaps.values_at(rows, columns)
    if predicted_names is None:
        values = overlaps.annotated.tolist()
        places = find_places(reference, values, reference_names, grid)
        named = compare_places(pairs, places)
    else:
        named = compare_names(pairs, predicted_names, reference_names or {})
    return InstanceScore(
        case_id=case_id,
        subject=subject or case_id,
        **_score_pairs(overlaps, rows, columns),
        num_named=len(named),
        num_identified=sum(named),
        identification_rate=sum(named) / len(named) if named else None,
    )


def _measure_overlaps(
    prediction: npt.NDArray[np.integer],
    reference: npt.NDArray[np.integer],
    void: npt.NDArray[np.bool_] | None,
) -> _Overlaps:
    """Count the shared voxels outside the void."""
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
    return _Overlaps(
        predicted=predicted[predicted > 0],
        annotated=annotated[is_instance],
        shared=outside_void[:, is_instance],
        predicted_voxels=outside_void.sum(axis=1),
        annotated_voxels=of_reference[is_instance],
        in_void=2 * counts[:, -1] > counts.sum(axis=1),
    )


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


def _score_pairs(
    overlaps: _Overlaps, rows: npt.NDArray[np.intp], columns: npt.NDArray[np.intp]
) -> dict[str, Any]:
    """Return the fields of `InstanceScore` from `num_reference` to `num_split`.

    Args:
        overlaps: Of prediction and reference.
        rows: Row of the predicted instance of each pair.
        columns: Column of the other one.
    """
    is_counted = ~overlaps.in_void
    is_counted[rows] = True
    pieces = overlaps.shared[is_counted].T
    num_predicted = int(np.count_nonzero(is_counted))
    num_reference, num_matched = len(overlaps.annotated), len(rows)
    is_empty = not (num_predicted or num_reference)
    return {
        "num_reference": num_reference,
        "num_predicted": num_predicted,
        "num_matched": num_matched,
        "precision": 1.0 if is_empty else num_matched / max(num_predicted, 1),
        "recall": 1.0 if is_empty else num_matched / max(num_reference, 1),
        "matched_dice": _mean_dice(overlaps, rows, columns),
        "num_merged": _count_covering(overlaps.shared, overlaps.annotated_voxels),
        "num_split": _count_covering(pieces, overlaps.predicted_voxels[is_counted]),
    }


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
