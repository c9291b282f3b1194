"""Label maps of vertebrae in a column, and their scores."""

import numpy as np

from evaluation.scores import score_case
from volumes.geometry import Grid, affine_from

SPACING = (3.0, 2.0, 4.0)
# T12, L1, L2, L3 down a column of K, two voxels of 4 mm each; a disc beside them.
NAMES = ("background", "T12", "L1", "L2", "L3", "disc")
LEVELS = (1, 2, 3, 4)


def column(*classes):
    """Stack vertebrae of two voxels along K, shape (3, 4, 2 * len(classes))."""
    array = np.zeros((3, 4, 2 * len(classes)), np.uint8)
    array[1, 2] = np.repeat(classes, 2)
    return array


def score_column(prediction, reference, case_id="ann"):
    return score_case(
        prediction,
        reference,
        grid=Grid(prediction.shape, affine_from(SPACING)),
        class_names=NAMES,
        vertebrae=LEVELS,
        case_id=case_id,
        subject="subject",
    )
