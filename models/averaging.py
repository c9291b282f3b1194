"""An average of the weights over the last steps, which damps their noise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import keras
import numpy as np
import tensorflow as tf


class WeightAverage:
    """Exponential moving average of a model's weights, on its device.

    Args:
        model: Built model to average.
        decay: Share kept at each step, in [0, 1). At step n it is at most
            `(1 + n) / (10 + n)`, so that the initial weights are soon forgotten.
    """

    def __init__(self, model: keras.Model, decay: float = 0.99):
        self.model, self.decay = model, decay
        self._means = [
            tf.Variable(weight.value, trainable=False) for weight in model.weights
        ]
        self.num_updates = 0

    def next_share(self) -> np.float32:
        """Count an update; return the share that it takes of the current weights."""
        self.num_updates += 1
        decay = min(self.decay, (1 + self.num_updates) / (10 + self.num_updates))
        return np.float32(1 - decay)

    def update(self, share: np.float32 | tf.Tensor) -> None:
        """Update the average with a share of the model's current weights.

        Args:
            share: In (0, 1], from `next_share`.
        """
        for mean, weight in zip(self._means, self.model.weights, strict=True):
            mean.assign_add(share * (weight.value - mean))

    @property
    def values(self) -> list[np.ndarray]:
        """A copy of the average of each weight.

        In the order of the model's weights, each of its weight's shape.
        """
        return [mean.numpy() for mean in self._means]

    def restore(self, values: Sequence[np.ndarray], num_updates: int) -> None:
        """Set the average, and of how many updates it is.

        Args:
            values: As of `values`.
            num_updates: Number of updates behind them, from 0.
        """
        for mean, value in zip(self._means, values, strict=True):
            mean.assign(value)
        self.num_updates = num_updates

    @contextmanager
    def swapped_in(self) -> Iterator[None]:
        """Swap the average into the model for the duration of the block."""
        own = self.model.get_weights()
        self.model.set_weights(self.values)
        try:
            yield
        finally:
            self.model.set_weights(own)
