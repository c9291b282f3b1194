import numpy as np
import pytest

from models.validation import mean_dice
from volumes.ignored import IGNORED


def test_ignored_voxels_do_not_count_in_the_dice_of_a_case():
    prediction = np.array([1, 1, 0, 2], np.uint8).reshape(1, 2, 2)
    reference = np.array([1, IGNORED, 2, 2], np.uint8).reshape(1, 2, 2)

    # Class 1: 2 * 1 / (1 + 1); class 2: 2 * 1 / (1 + 2).
    assert mean_dice(prediction, reference, 3) == pytest.approx((1 + 2 / 3) / 2)


def test_last_of_256_classes_is_not_ignored():
    classes = np.array([255, 0], np.uint8).reshape(1, 1, 2)

    assert mean_dice(classes, classes, 256) == 1
    # One of 255 classes is predicted where it is not.
    assert mean_dice(classes, 0 * classes, 256) == pytest.approx(254 / 255)
