import keras
import numpy as np
import pytest
import tensorflow as tf

from models.losses import LOSSES, DiceCrossEntropyLoss, DiceLoss
from volumes.ignored import IGNORED

# Two unlike cases of four voxels and three classes.
TRUTH = np.array([[1, 1, 0, 2], [1, 1, 1, 1]], np.uint8)
PROBABILITIES = np.array(
    [
        [(0, 1, 0), (0.5, 0.5, 0), (1, 0, 0), (0.2, 0.2, 0.6)],
        [(0.1, 0.8, 0.1)] * 4,
    ],
    np.float32,
)
# First case, class 1: overlap 1 + .5, target 2, probability 1 + .5 + .2; class 2:
# overlap .6, target 1, probability .6. Second case, class 1: overlap 3.2, target 4,
# probability 3.2; class 2: overlap 0, target 0, probability .4.
DICE_LOSSES = [
    1 - ((2 * 1.5 + 1) / (2 + 1.7 + 1) + (2 * 0.6 + 1) / (1 + 0.6 + 1)) / 2,
    1 - ((2 * 3.2 + 1) / (4 + 3.2 + 1) + (0 + 1) / (0 + 0.4 + 1)) / 2,
]
# Probabilities of the true class: 1, .5, 1, .6; and .8 four times.
CROSS_ENTROPIES = [-(np.log(0.5) + np.log(0.6)) / 4, -np.log(0.8)]
SIDES = [(2, 2), (4, 1, 1), (1, 2, 2)]


def shaped(sides):
    return TRUTH.reshape(2, *sides), PROBABILITIES.reshape(2, *sides, 3)


@pytest.mark.parametrize("sides", SIDES)
def test_dice_loss_is_summed_over_each_case_alone(sides):
    found = DiceLoss().call(*shaped(sides))

    np.testing.assert_allclose(found, DICE_LOSSES, atol=1e-6)
    # Over both cases at once: class 1 (2 * 4.7 + 1) / (6 + 4.9 + 1), class 2
    # (2 * .6 + 1) / (1 + 1 + 1). The mean over cases is another figure.
    pooled = 1 - (10.4 / 11.9 + 2.2 / 3) / 2
    assert abs(float(DiceLoss()(*shaped(sides))) - pooled) > 0.01


def test_called_loss_is_the_mean_over_cases():
    assert float(DiceLoss()(*shaped((2, 2)))) == pytest.approx(
        np.mean(DICE_LOSSES), abs=1e-6
    )


@pytest.mark.parametrize("sides", SIDES)
def test_cross_entropy_is_added_case_by_case(sides):
    found = DiceCrossEntropyLoss().call(*shaped(sides))

    expected = np.add(DICE_LOSSES, CROSS_ENTROPIES)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_smooth_is_counted_in_voxels():
    # Of the second case with smooth 2: (6.4 + 2) / (7.2 + 2) and 2 / (.4 + 2).
    found = DiceLoss(smooth=2.0).call(*shaped((2, 2)))

    assert float(found[1]) == pytest.approx(1 - (8.4 / 9.2 + 2 / 2.4) / 2, abs=1e-6)


@pytest.mark.parametrize(
    ("truth", "predicted", "loss"),
    [(0, 0, 0.0), (0, 1, 1 - 1 / (6 + 1)), (1, 0, 1 - 1 / (6 + 1)), (1, 1, 0.0)],
    ids=["both empty", "reference empty", "prediction empty", "both full"],
)
def test_empty_and_full_masks_of_six_voxels(truth, predicted, loss):
    probabilities = np.zeros((1, 2, 3, 2), np.float32)
    probabilities[..., predicted] = 1

    found = DiceLoss().call(np.full((1, 2, 3), truth), probabilities)

    assert float(found[0]) == pytest.approx(loss, abs=1e-6)


def test_absent_class_still_has_a_gradient():
    probabilities = tf.Variable(np.zeros((1, 2, 3, 3), np.float32))

    with tf.GradientTape() as tape:
        loss = DiceLoss().call(np.zeros((1, 2, 3)), probabilities)
    gradient = np.asarray(tape.gradient(loss, probabilities))

    # dice = 1 / (sum p + 1) falls by 1 a unit at p = 0, halved by two classes.
    np.testing.assert_allclose(gradient[..., 1:], 0.5, atol=1e-6)
    np.testing.assert_array_equal(gradient[..., 0], 0)


@pytest.mark.parametrize("loss", LOSSES.values())
@pytest.mark.parametrize("certain", [0, 1, 2])
def test_gradient_is_finite_where_the_network_is_certain(loss, certain):
    probabilities = tf.Variable(np.eye(3, dtype=np.float32)[np.full((2, 4), certain)])

    with tf.GradientTape() as tape:
        value = loss().call(TRUTH, probabilities)

    assert np.isfinite(value).all()
    assert np.isfinite(tape.gradient(value, probabilities)).all()


def test_sums_of_float16_do_not_overflow():
    # 64 * 32 * 33 = 67,584 foreground voxels; float16 ends at 65,504.
    probabilities = np.zeros((1, 64, 32, 33, 2), np.float16)
    probabilities[..., 1] = 0.75
    probabilities[..., 0] = 0.25

    found = DiceLoss().call(np.ones((1, 64, 32, 33), np.uint8), probabilities)

    assert found.dtype == "float32"
    # 2 * .75 / (1 + .75) = 6 / 7; the one voxel of smooth is a share of 1e-5.
    assert float(found[0]) == pytest.approx(1 / 7, abs=2e-5)


@pytest.mark.parametrize("loss", LOSSES.values())
def test_loss_survives_serialisation(loss):
    before = loss(smooth=0.25, name="mine", ignores=True)

    after = keras.losses.deserialize(keras.losses.serialize(before))

    assert type(after) is loss
    assert (after.smooth, after.name, after.ignores) == (0.25, "mine", True)
    np.testing.assert_array_equal(
        after.call(*shaped((2, 2))), before.call(*shaped((2, 2)))
    )


# The truth with one voxel of the first case ignored, and two of the second.
IGNORING = np.array([[1, IGNORED, 0, 2], [IGNORED, IGNORED, 1, 1]], np.uint8)
# First case: voxels 0, 2 and 3; class 1: overlap 1, target 1, probability 1 + .2; class
# 2: overlap .6, target 1, probability .6. Second case, two voxels: class 1: overlap
# 1.6, target 2, probability 1.6; class 2: overlap 0, target 0, probability .2.
IGNORING_DICE_LOSSES = [
    1 - ((2 * 1 + 1) / (1 + 1.2 + 1) + (2 * 0.6 + 1) / (1 + 0.6 + 1)) / 2,
    1 - ((2 * 1.6 + 1) / (2 + 1.6 + 1) + (0 + 1) / (0 + 0.2 + 1)) / 2,
]
# Of three voxels with 1, 1, .6, and of two with .8.
IGNORING_CROSS_ENTROPIES = [-np.log(0.6) / 3, -np.log(0.8)]


@pytest.mark.parametrize("sides", SIDES)
def test_ignored_voxels_are_left_out_of_every_sum(sides):
    truth, (_, probabilities) = IGNORING.reshape(2, *sides), shaped(sides)

    dice = DiceLoss(ignores=True).call(truth, probabilities)
    both = DiceCrossEntropyLoss(ignores=True).call(truth, probabilities)

    np.testing.assert_allclose(dice, IGNORING_DICE_LOSSES, atol=1e-6)
    expected = np.add(IGNORING_DICE_LOSSES, IGNORING_CROSS_ENTROPIES)
    np.testing.assert_allclose(both, expected, atol=1e-6)


@pytest.mark.parametrize("loss", LOSSES.values())
def test_loss_is_the_same_to_the_bit_where_nothing_is_ignored(loss):
    np.testing.assert_array_equal(
        loss(ignores=True).call(*shaped((2, 2))), loss().call(*shaped((2, 2)))
    )


@pytest.mark.parametrize("loss", LOSSES.values())
def test_gradient_is_zero_at_ignored_voxels_alone(loss):
    probabilities = tf.Variable(PROBABILITIES)

    with tf.GradientTape() as tape:
        value = loss(ignores=True).call(IGNORING, probabilities)
    gradient = np.asarray(tape.gradient(value, probabilities))

    assert (gradient[IGNORING == IGNORED] == 0).all()
    assert gradient[IGNORING != IGNORED].any(axis=-1).all()


@pytest.mark.parametrize("loss", LOSSES.values())
@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_case_of_ignored_voxels_has_no_loss_and_no_gradient(loss, dtype):
    probabilities = tf.Variable(np.eye(3, dtype=dtype)[np.ones((2, 4), int)])

    with tf.GradientTape() as tape:
        value = loss(ignores=True).call(np.full((2, 4), IGNORED), probabilities)
    gradient = np.asarray(tape.gradient(value, probabilities))

    assert value.dtype == "float32"
    np.testing.assert_array_equal(value, [0, 0])
    np.testing.assert_array_equal(gradient, np.zeros((2, 4, 3)))


def test_sums_of_float16_without_ignored_voxels_do_not_overflow():
    # 128 * 32 * 33 voxels, of which half count: 67,584; float16 ends at 65,504.
    truth = np.ones((1, 128, 32, 33), np.uint8)
    truth[:, ::2] = IGNORED
    probabilities = np.full((*truth.shape, 2), (0.25, 0.75), np.float16)

    found = DiceCrossEntropyLoss(ignores=True).call(truth, probabilities)

    # As without the ignored half: 1 - 6 / 7, and -log(.75).
    assert float(found[0]) == pytest.approx(1 / 7 - np.log(0.75), abs=2e-5)
