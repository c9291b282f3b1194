"""An average of the weights over the last steps, which damps their noise."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import keras
import numpy as np


class WeightAverage:
    """Exponential moving average of a model's weights.

    Args:
        model: Built model to average.
        decay: Share kept at each step, in [0, 1). At step n it is at most
            `(1 + n) / (10 + n)`, so that the initial weights are soon forgotten.
    """

    def __init__(self, model: keras.Model, decay: float = 0.99):
        self.model, self.decay = model, decay
        self.values = [np.array(value) for value in model.get_weights()]
        self.num_updates = 0

    def update(self) -> None:
        """Update the average with the model's current weights."""
        self.num_updates += 1
        decay = min(self.decay, (1 + self.num_updates) / (10 + self.num_updates))
        for mean, value in zip(self.values, self.model.get_weights(), strict=True):
            mean += np.float32(1 - decay) * (value - mean)

    @contextmanager
    def swapped_in(self) -> Iterator[None]:
        """Swap the average into the model for the duration of the block."""
        own = self.model.get_weights()
        self.model.set_weights(self.values)
        try:
            yield
        finally:
            self.model.set_weights(own)
