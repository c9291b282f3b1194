import keras
import numpy as np
import pytest
import tensorflow as tf

from models.losses import DiceLoss
from models.training_step import TrainingStep, read_sums

RATE = 0.5


class Twins:
    """Stands in for two processes that do the same."""

    rank, size = 0, 2

    def total(self, tensors):
        return [2 * tensor for tensor in tensors]


def build_step(group=None, scale_loss=False):
    keras.utils.set_random_seed(3)
    model = keras.Sequential(
        [
            keras.Input((None, None, 1)),
            keras.layers.Conv2D(4, 3, padding="same"),
            keras.layers.BatchNormalization(),
            keras.layers.Conv2D(3, 1, activation="softmax"),
        ]
    )
    optimizer = keras.optimizers.SGD(RATE, momentum=0.9)  # which the scale matters to
    if scale_loss:
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    model.compile(optimizer, DiceLoss(), jit_compile=False)
    return TrainingStep(model, group=group)


def a_batch():
    rng = np.random.default_rng(0)
    images = rng.normal(size=(1, 4, 6, 1)).astype(np.float32)
    return images, rng.integers(0, 3, (1, 4, 6)).astype(np.uint8)


def test_two_processes_with_the_same_patch_are_one_with_that_patch_twice():
    images, labels = a_batch()
    twins, alone = build_step(Twins()), build_step()
    inputs = {"rate": RATE, "batch_size": 2, "seconds": 7.0}

    for _ in range(2):
        halves = read_sums(twins(images, labels, **inputs))
        whole = read_sums(
            alone(np.repeat(images, 2, 0), np.repeat(labels, 2, 0), **inputs)
        )

    assert (halves.loss, halves.dice) == pytest.approx((whole.loss, whole.dice))
    assert (whole.seconds, halves.seconds) == (7, 14)
    for one, other in zip(
        twins.model.get_weights() + twins.average.values,
        alone.model.get_weights() + alone.average.values,
        strict=True,
    ):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_loss_scale_does_not_change_the_step_and_overflow_skips_it():
    images, labels = a_batch()
    inputs = {"rate": RATE, "batch_size": 1, "seconds": 0.0}
    plain, scaled = build_step(), build_step(scale_loss=True)

    for step in (plain, scaled):
        read_sums(step(images, labels, **inputs))
    for one, other in zip(
        plain.model.get_weights(), scaled.model.get_weights(), strict=True
    ):
        np.testing.assert_allclose(one, other, atol=1e-5)
    before = scaled.model.get_weights()
    sums = read_sums(scaled(np.full_like(images, np.inf), labels, **inputs))

    assert scaled.skips
    assert not plain.skips
    assert np.isnan(sums.loss)
    for one, other in zip(before, scaled.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert all(np.isfinite(each).all() for each in scaled.average.values)


def test_dice_is_the_mean_and_one_for_a_batch_without_classes():
    assert read_sums(tf.constant([0.5, 1.5, 2, 9])) == (0.5, 0.75, 9)
    assert read_sums(tf.constant([0.5, 0, 0, 9])) == (0.5, 1, 9)
