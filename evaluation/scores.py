"""Scores of one case: a predicted label map against the reference.

Both are arrays of class numbers, shape (I, J, K), on the scan's own grid;
0 is background. Distances are in mm and volumes in ml.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
import surface_distance
from scipy import ndimage

from evaluation.levels import score_levels
from evaluation.surfaces import compute_surface_distances
from system.errors import DataError
from volumes.geometry import Grid

HAUSDORFF_PERCENTILE = 95

EMPTY_MASK_RULES = (
    "Absent in both masks: Dice and IoU are 1; distances and NSD do not apply and are "
    "left out of their means.\n"
    "False negative (in the reference only) or false positive (in the prediction "
    "only): Dice, IoU and NSD are 0;\nHD95 and ASSD are the diagonal of the scan."
)


@dataclass(frozen=True)
class Score:
    """The scores of one class in one case.

    Args:
        case_id: The scan.
        subject: The person.
        class_name: The structure.
        dice: Dice coefficient, 2 |A and B| / (|A| + |B|), in [0, 1].
        iou: Intersection over union, in [0, 1].
        hd95_mm: The larger of the two directed 95th percentiles of the
            distances between the surfaces; None if both masks are empty.
        assd_mm: Average symmetric surface distance: the mean over the area of
            both surfaces together; None if both masks are empty.
        nsd_1mm: Normalised surface Dice, the share of both surfaces' area that
            lies within 1 mm of the other; None if both masks are empty.
        nsd_2mm: The same within 2 mm.
        prediction_ml: Volume of the predicted structure.
        reference_ml: Volume of the annotated structure.
        volume_error_ml: Prediction minus reference; negative if too small.
        empty: The mask without a voxel: "", "both", "prediction" or "reference".
        found: Whether a vertebra was found: "yes", "no", or "absent" from the
            reference; "" if the class is no vertebra. See `score_levels`.
        centroid_error_mm: Distance between a vertebra's centroids; None unless
            it is present in both masks.
        dice_of_upper: Dice coefficient of the prediction of the level above against
            this vertebra's reference; None if the reference lacks it.
        dice_of_lower: The same for the level below.
        dice_all: Dice coefficient of all that was predicted; the other scores are of
            what was kept of it. None if all is kept.
        hd95_all_mm: The same for `hd95_mm`.
        dropped_ml: Volume that was not kept; None if all is.
        disagreement: Of an ensemble's members, 1 minus their mean pairwise Dice
            coefficient before anything is dropped; None of a single network.
    """

    case_id: str
    subject: str
    class_name: str
    dice: float
    iou: float
    hd95_mm: float | None
    assd_mm: float | None
    nsd_1mm: float | None
    nsd_2mm: float | None
    prediction_ml: float
    reference_ml: float
    volume_error_ml: float
    empty: str
    found: str = ""
    centroid_error_mm: float | None = None
    dice_of_upper: float | None = None
    dice_of_lower: float | None = None
    dice_all: float | None = None
    hd95_all_mm: float | None = None
    dropped_ml: float | None = None
    disagreement: float | None = None


def score_case(
    prediction: npt.NDArray[np.integer],
    reference: npt.NDArray[np.integer],
    *,
    grid: Grid,
    class_names: Sequence[str],
    vertebrae: Sequence[int] = (),
    void: npt.NDArray[np.bool_] | None = None,
    case_id: str = "",
    subject: str = "",
) -> list[Score]:
    """Score every foreground class of a case; for empty masks see `score_masks`.

    Args:
        prediction: Class numbers, shape (I, J, K).
        reference: Class numbers, shape (I, J, K), on the same grid.
        grid: The grid of both; its axes need not be at right angles.
        class_names: Name of each class number, "background" first.
        vertebrae: Class numbers that are one vertebra each, from the neck down.
        void: Mask of voxels that do not count; see `volumes.ignored.find_void`.
        case_id: Name of the case.
        subject: The person; by default the case.

    Returns:
        A score for each of `class_names[1:]`, in that order.

    Raises:
        DataError: If the shapes differ, or a voxel has an unknown class.
        TypeError: If an array is not of integers.
    """
    num_classes = len(class_names)
    _check_arguments(prediction, reference, grid, num_classes, case_id)
    if void is not None:  # its cuts through both masks are surfaces that coincide
        prediction, reference = prediction * ~void, reference * ~void
    scores = _score_classes(prediction, reference, grid, num_classes)
    if vertebrae:
        levels = score_levels(
            prediction,
            reference,
            steps=grid.steps,
            levels=vertebrae,
            num_classes=num_classes,
        )
        for number, of_level in levels.items():
            scores[number] |= of_level
    return [
        Score(case_id, subject or case_id, class_name, **scores[number])
        for number, class_name in enumerate(class_names[1:], start=1)
    ]


def _score_classes(
    prediction: npt.NDArray[np.integer],
    reference: npt.NDArray[np.integer],
    grid: Grid,
    num_classes: int,
) -> dict[int, dict[str, Any]]:
    """Score the mask of each foreground class in the box that holds both masks."""
    predicted_boxes = ndimage.find_objects(prediction, num_classes - 1)
    reference_boxes = ndimage.find_objects(reference, num_classes - 1)
    diagonal = _longest_diagonal(grid)
    scores = {}
    for number in range(1, num_classes):
        box = _joint_box(predicted_boxes[number - 1], reference_boxes[number - 1])
        scores[number] = score_masks(
            prediction[box] == number,
            reference[box] == number,
            steps=grid.steps,
            voxel_volume=grid.voxel_volume,
            diagonal=diagonal,
        )
    return scores


def score_masks(
    prediction: npt.NDArray[np.bool_],
    reference: npt.NDArray[np.bool_],
    *,
    steps: npt.NDArray[np.float64],
    voxel_volume: float,
    diagonal: float,
) -> dict[str, Any]:
    """Score one mask against another.

    Both masks empty: Dice and IoU 1, distances and NSD None. One empty: Dice,
    IoU and NSD 0, HD95 and ASSD the diagonal of the whole scan, so that a
    missed structure lowers the mean instead of being left out of it.

    Args:
        prediction: Boolean mask, shape (I, J, K).
        reference: Boolean mask, shape (I, J, K).
        steps: As of `volumes.geometry.Grid.steps`.
        voxel_volume: In mm3.
        diagonal: The distance in mm to return if one mask is empty.

    Returns:
        The fields of `Score` from `dice` to `empty`.
    """
    num_predicted = int(np.count_nonzero(prediction))
    num_reference = int(np.count_nonzero(reference))
    num_shared = int(np.count_nonzero(prediction & reference))
    num_union = num_predicted + num_reference - num_shared
    voxel_ml = voxel_volume / 1000
    scores = {
        "dice": 2 * num_shared / (num_predicted + num_reference) if num_union else 1.0,
        "iou": num_shared / num_union if num_union else 1.0,
        "prediction_ml": num_predicted * voxel_ml,
        "reference_ml": num_reference * voxel_ml,
        "volume_error_ml": (num_predicted - num_reference) * voxel_ml,
    }
    if not num_union:
        return scores | _distances(None, None) | {"empty": "both"}
    if not num_predicted:
        return scores | _distances(diagonal, 0.0) | {"empty": "prediction"}
    if not num_reference:
        return scores | _distances(diagonal, 0.0) | {"empty": "reference"}
    return scores | _surface_scores(prediction, reference, steps) | {"empty": ""}


def _longest_diagonal(grid: Grid) -> float:
    """Return the longest diagonal of a volume in mm, voxel borders included."""
    sides = [
        np.multiply(grid.shape, signs) for signs in product((1,), (1, -1), (1, -1))
    ]
    return max(float(np.linalg.norm(grid.steps @ side)) for side in sides)


def _surface_scores(prediction, reference, steps) -> dict[str, float]:
    """Compute the surface metrics of two masks, neither of which is empty."""
    surfaces = compute_surface_distances(reference, prediction, steps)
    distances = np.concatenate(
        [surfaces["distances_gt_to_pred"], surfaces["distances_pred_to_gt"]]
    )
    areas = np.concatenate([surfaces["surfel_areas_gt"], surfaces["surfel_areas_pred"]])
    hausdorff = surface_distance.compute_robust_hausdorff(
        surfaces, HAUSDORFF_PERCENTILE
    )
    within = [
        surface_distance.compute_surface_dice_at_tolerance(surfaces, tolerance)
        for tolerance in (1.0, 2.0)
    ]
    return {
        "hd95_mm": float(hausdorff),
        "assd_mm": float(np.sum(distances * areas) / np.sum(areas)),
        "nsd_1mm": float(within[0]),
        "nsd_2mm": float(within[1]),
    }


def _distances(distance: float | None, nsd: float | None) -> dict[str, float | None]:
    return {
        "hd95_mm": distance,
        "assd_mm": distance,
        "nsd_1mm": nsd,
        "nsd_2mm": nsd,
    }


def _joint_box(*boxes: tuple[slice, ...] | None) -> tuple[slice, ...]:
    """Return the bounding box of the given boxes and a margin of one voxel.

    One voxel if all boxes are None.
    """
    present = [box for box in boxes if box is not None]
    if not present:
        return (slice(0, 1),) * 3
    return tuple(
        slice(
            max(min(side.start for side in sides) - 1, 0),
            max(side.stop for side in sides) + 1,  # slicing stops at the border
        )
        for sides in zip(*present, strict=True)
    )


def _check_arguments(prediction, reference, grid, num_classes, case_id) -> None:
    if prediction.shape != reference.shape:
        raise DataError(
            f"Prediction and reference of case '{case_id}' must have one shape. "
            f"Received: prediction {prediction.shape}, reference {reference.shape}"
        )
    if prediction.shape != grid.shape:
        raise ValueError(
            "Prediction and reference must have the shape of their grid. "
            f"Received: shape={prediction.shape} on a grid of {grid.shape}"
        )
    for name, array in (("prediction", prediction), ("reference", reference)):
        if not np.issubdtype(array.dtype, np.integer):
            raise TypeError(
                f"The {name} must hold integer class numbers. Received: {array.dtype}"
            )
        low, high = int(array.min()), int(array.max())
        if low < 0 or high >= num_classes:
            raise DataError(
                f"The {name} of case '{case_id}' must hold class numbers from 0 to "
                f"{num_classes - 1}. Received: values from {low} to {high}"
            )
