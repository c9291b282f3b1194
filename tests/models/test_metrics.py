import keras
import numpy as np
import pytest

from models.metrics import DiceCoefficient
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
def test_mean_is_over_cases_and_classes_that_occur(sides):
    metric = DiceCoefficient()

    metric.update_state(REFERENCE.reshape(2, *sides), PREDICTION.reshape(2, *sides, 3))

    assert float(metric.result()) == pytest.approx(np.mean(COEFFICIENTS), abs=1e-6)


def test_batches_count_by_their_classes():
    metric = DiceCoefficient()

    metric.update_state(REFERENCE[:1], PREDICTION[:1])
    metric.update_state(REFERENCE[1:], PREDICTION[1:])

    assert float(metric.result()) == pytest.approx(np.mean(COEFFICIENTS), abs=1e-6)


def test_background_alone_counts_for_nothing():
    metric = DiceCoefficient()
    empty = np.zeros((2, 3, 4), int)

    metric.update_state(empty, probabilities_of(empty))

    assert float(metric.count) == 0
    assert float(metric.result()) == 1


@pytest.mark.parametrize(("reference", "prediction"), [(0, 2), (2, 0), (1, 2)])
def test_false_negative_and_false_positive_classes_score_zero(reference, prediction):
    metric = DiceCoefficient()
    shape = (1, 2, 3)

    metric.update_state(
        np.full(shape, reference), probabilities_of(np.full(shape, prediction))
    )

    assert float(metric.result()) == 0


def test_reset_forgets_every_batch():
    metric = DiceCoefficient()
    metric.update_state(np.full((1, 2), 1), probabilities_of(np.full((1, 2), 2)))

    metric.reset_state()
    metric.update_state(REFERENCE, PREDICTION)

    assert float(metric.result()) == pytest.approx(np.mean(COEFFICIENTS), abs=1e-6)


def test_metric_survives_serialisation():
    before = DiceCoefficient("mine", ignores=True)

    after = keras.metrics.deserialize(keras.metrics.serialize(before))

    assert (type(after), after.name, after.ignores) == (DiceCoefficient, "mine", True)


def test_tie_goes_to_the_first_class():
    metric = DiceCoefficient()
    tied = np.array([[[0.4, 0.4, 0.2], [0.2, 0.4, 0.4]]], np.float32)

    metric.update_state(np.array([[0, 1]]), tied)

    # Predicted 0 and 1, as the reference has it.
    assert float(metric.result()) == 1


def test_ignored_voxels_count_in_neither_mask():
    # Of the first case the missed voxel is ignored, of the second the two of the
    # last row: 2 * 1 / (1 + 1) for both classes, and 2 * 2 / (2 + 2).
    reference = np.array([[[1, IGNORED], [0, 2]], [[1, 1], [IGNORED, IGNORED]]])
    metric, plain = DiceCoefficient(ignores=True), DiceCoefficient()

    metric.update_state(reference, PREDICTION)
    plain.update_state(reference, PREDICTION)

    assert float(metric.result()) == 1
    assert float(plain.result()) < 1
    assert float(metric.count) == 3
