"""The Dice coefficient of hard predictions, shown during training."""

from __future__ import annotations

import keras
from keras import ops

from models.losses import find_counted


def _argmax(y_pred):
    """Return each voxel's most probable class, in a quarter of the time of argmax."""
    best, *others = ops.unstack(y_pred, axis=-1)
    found = ops.zeros_like(best, dtype="int32")
    for channel, probability in enumerate(others, start=1):
        found = ops.where(probability > best, channel, found)
        best = ops.maximum(best, probability)
    return found


@keras.saving.register_keras_serializable(package="models")
class DiceCoefficient(keras.metrics.Metric):
    """Mean hard Dice coefficient over cases and foreground classes.

    For each case and class, with reference A and prediction B (the most
    probable class): `2 |A and B| / (|A| + |B|)`. A class absent from both is left
    out, so that empty patches do not raise the mean; if all are absent the result
    is 1.

    Args:
        name: In logs.
        ignores: Whether the class `IGNORED` marks voxels that are left out.
        **options: Passed to `keras.metrics.Metric`.
    """

    def __init__(self, name: str = "dice", *, ignores: bool = False, **options):
        super().__init__(name=name, **options)
        self.ignores = ignores
        self.total = self.add_weight(name="total", initializer="zeros")
        self.count = self.add_weight(name="count", initializer="zeros")

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Add a batch: classes (B, *spatial), probabilities (B, *spatial, C)."""
        spatial = tuple(range(1, len(y_pred.shape) - 1))
        reference, prediction = ops.cast(y_true, "int32"), _argmax(y_pred)
        if self.ignores:
            prediction = prediction * ops.cast(find_counted(y_true), "int32")
        for channel in range(1, y_pred.shape[-1]):
            a = ops.cast(reference == channel, "float32")
            b = ops.cast(prediction == channel, "float32")
            both = ops.sum(a, axis=spatial) + ops.sum(b, axis=spatial)  # (B,)
            dice = 2 * ops.sum(a * b, axis=spatial) / ops.maximum(both, 1.0)
            self.total.assign_add(ops.sum(dice))
            self.count.assign_add(ops.sum(ops.cast(both > 0, "float32")))

    def get_config(self):
        return {**super().get_config(), "ignores": self.ignores}

    def result(self):
        """Return the mean so far, in [0, 1]."""
        mean = self.total / ops.maximum(self.count, 1.0)
        return ops.where(self.count > 0, mean, 1.0)
