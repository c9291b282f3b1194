"""The Dice coefficient of hard predictions, shown during training."""

from __future__ import annotations

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


def sum_dice(y_true, y_pred, *, ignores: bool = False):
    """Return the sum of a batch's hard Dice coefficients, and how many they are.

    There is one for each case and foreground class, with reference A and prediction
    B (the most probable class): `2 |A and B| / (|A| + |B|)`. A class absent from both
    is left out, so that empty patches do not raise the mean.

    Args:
        y_true: Classes, shape (B, *spatial).
        y_pred: Probabilities, shape (B, *spatial, C).
        ignores: Whether the class `IGNORED` marks voxels that are left out.

    Returns:
        Two float32 scalars, both 0 if all classes are absent.
    """
    spatial = tuple(range(1, len(y_pred.shape) - 1))
    reference, prediction = ops.cast(y_true, "int32"), _argmax(y_pred)
    if ignores:
        prediction = prediction * ops.cast(find_counted(y_true), "int32")
    total = count = ops.zeros(())
    for channel in range(1, y_pred.shape[-1]):
        a = ops.cast(reference == channel, "float32")
        b = ops.cast(prediction == channel, "float32")
        both = ops.sum(a, axis=spatial) + ops.sum(b, axis=spatial)  # (B,)
        dice = 2 * ops.sum(a * b, axis=spatial) / ops.maximum(both, 1.0)
        total += ops.sum(dice)
        count += ops.sum(ops.cast(both > 0, "float32"))
    return total, count
