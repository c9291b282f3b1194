import numpy as np
import pytest

from models.metrics import sum_dice
from volumes.ignored import IGNORED


def probabilities_of(classes, num_classes=3):
    """Return .6 for each predicted class, and the rest evenly for the others."""
    certain = np.eye(num_classes, dtype=np.float32)[np.array(classes)]
    return 0.4 / (num_classes - 1) * (1 - certain) + 0.6 * certain


REFERENCE = np.array([[[1, 1], [0, 2]], [[1, 1], [1, 0]]])
PREDICTION = probabilities_of([[[1, 0], [0, 2]], [[1, 1], [1, 1]]])
# First case: 2 * 1 / (2 + 1) and 2 * 1 / (1 + 1); second: 2 * 3 / (3 + 4), and
# class 2 is in neither mask.
COEFFICIENTS = [2 / 3, 1, 6 / 7]


@pytest.mark.parametrize("sides", [(2, 2), (4, 1, 1)])
def test_sum_is_over_cases_and_classes_that_occur(sides):
    total, count = sum_dice(
        REFERENCE.reshape(2, *sides), PREDICTION.reshape(2, *sides, 3)
    )

    assert float(total) == pytest.approx(sum(COEFFICIENTS), abs=1e-6)
    assert float(count) == 3


def test_background_alone_counts_for_nothing():
    empty = np.zeros((2, 3, 4), int)

    total, count = sum_dice(empty, probabilities_of(empty))

    assert (float(total), float(count)) == (0, 0)


@pytest.mark.parametrize(("reference", "prediction"), [(0, 2), (2, 0), (1, 2)])
def test_false_negative_and_false_positive_classes_score_zero(reference, prediction):
    shape = (1, 2, 3)

    total, count = sum_dice(
        np.full(shape, reference), probabilities_of(np.full(shape, prediction))
    )

    assert float(total) == 0
    assert float(count) == len({reference, prediction} - {0})


def test_tie_goes_to_the_first_class():
    tied = np.array([[[0.4, 0.4, 0.2], [0.2, 0.4, 0.4]]], np.float32)

    total, count = sum_dice(np.array([[0, 1]]), tied)

    # Predicted 0 and 1, as the reference has it.
    assert (float(total), float(count)) == (1, 1)


def test_ignored_voxels_count_in_neither_mask():
    # Of the first case the missed voxel is ignored, of the second the two of the
    # last row: 2 * 1 / (1 + 1) for both classes, and 2 * 2 / (2 + 2).
    reference = np.array([[[1, IGNORED], [0, 2]], [[1, 1], [IGNORED, IGNORED]]])

    total, count = sum_dice(reference, PREDICTION, ignores=True)

    assert (float(total), float(count)) == (3, 3)
    assert float(sum_dice(reference, PREDICTION)[0]) < 3
