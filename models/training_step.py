"""One training step: the gradients of all processes, the update, the average."""

from __future__ import annotations

from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from models.averaging import WeightAverage
from models.metrics import sum_dice
from models.process_group import ProcessGroup


class StepSums(NamedTuple):
    """What a step adds up over the processes.

    Args:
        loss: Mean over the batch.
        dice: Mean of the Dice coefficients; 1 if all classes are absent.
        seconds: Of the training so far, by the clock of the first process.
    """

    loss: float
    dice: float
    seconds: float


class TrainingStep:
    """Train a model on one batch, of which each process has a part.

    Model, optimizer and average are variables of each process. What they are updated
    with is summed over the processes before, so that they stay the same in all.
    Normalisation by "batch" takes its statistics from the part; their moving averages
    are those of all parts.

    Args:
        model: Compiled, with a loss of `models.losses`.
        average: Of its weights; by default a new one.
        group: The processes; by default this one alone.
    """

    def __init__(
        self,
        model: keras.Model,
        average: WeightAverage | None = None,
        group: ProcessGroup | None = None,
    ):
        self.model, self.optimizer = model, model.optimizer
        self.average = average or WeightAverage(model)
        self.group = group or ProcessGroup()
        # First, since an optimizer that is not built scales losses by a constant.
        self.optimizer.build(model.trainable_variables)
        # Compiled apart from the sum over processes, which cannot be.
        self._gradients = tf.function(
            self._compute_gradients, jit_compile=model.jit_compile, autograph=False
        )
        self._update = tf.function(self._take, autograph=False)

    @property
    def skips(self) -> bool:
        """Whether steps are skipped whose gradients are not finite."""
        return isinstance(self.optimizer, keras.optimizers.LossScaleOptimizer)

    def __call__(
        self,
        images: np.ndarray,
        labels: np.ndarray,
        *,
        rate: float,
        batch_size: int,
        seconds: float,
    ) -> tf.Tensor:
        """Take a step, without waiting for the device.

        Args:
            images: This process's part of the batch, (B, *spatial, 1).
            labels: Their classes, (B, *spatial).
            rate: The learning rate.
            batch_size: Patches of the whole batch.
            seconds: Of the training so far; those of the first process count.

        Returns:
            What `read_sums` reads.
        """
        self.optimizer.learning_rate = rate
        seconds = np.float32(0.0 if self.group.rank else seconds)
        share = self.average.next_share()
        return self._update(images, labels, batch_size, seconds, share)

    def _take(self, images, labels, batch_size, seconds, share):
        model = self.model
        statistics = [weight.value for weight in model.non_trainable_weights]
        formers = [tf.identity(moving) for moving in statistics]
        loss, dice, gradients = self._gradients(images, labels, batch_size)
        sums = self.group.total([*gradients, *statistics, loss, *dice, seconds])
        self.optimizer.apply(sums[: len(gradients)], model.trainable_variables)
        totals = sums[len(gradients) : -4]
        for moving, former, total in zip(statistics, formers, totals, strict=True):
            mean = total / self.group.size
            if self.skips:  # float16 overflows now and then
                mean = tf.where(tf.math.is_finite(mean), mean, former)
            moving.assign(mean)
        self.average.update(share)
        return tf.stack(sums[-4:])

    def _compute_gradients(self, images, labels, batch_size):
        model, loss_of_cases = self.model, self.model.loss
        with tf.GradientTape() as tape:
            probabilities = model(images, training=True)
            loss = tf.reduce_sum(loss_of_cases.call(labels, probabilities)) / batch_size
            scaled = self.optimizer.scale_loss(loss)
        variables = [weight.value for weight in model.trainable_variables]
        gradients = tape.gradient(scaled, variables)
        dice = sum_dice(labels, probabilities, ignores=loss_of_cases.ignores)
        return loss, dice, gradients


def read_sums(sums: tf.Tensor) -> StepSums:
    """Wait for a step, and read what it has added up."""
    loss, dice, num_dice, seconds = sums.numpy()
    mean_dice = dice / num_dice if num_dice else 1.0
    return StepSums(float(loss), float(mean_dice), float(seconds))


def dropout_generators(model: keras.Model) -> list[keras.Variable]:
    """List the states of the random generators of dropout, seed and counter each."""
    weights = {id(variable) for variable in model.weights}
    return [each for each in model.variables if id(each) not in weights]


def separate_dropout(model: keras.Model, group: ProcessGroup) -> None:
    """Seed masks of each process; the first keeps those of its checkpoint."""
    for state in dropout_generators(model):
        state.assign_add(tf.constant([group.rank, 0], state.dtype))
