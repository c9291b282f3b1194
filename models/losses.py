"""Soft segmentation losses: one value per case, summed in float32."""

from __future__ import annotations

import keras
from keras import ops

from volumes.ignored import IGNORED


def _one_hot(y_true, y_pred):
    """Return integer classes (B, ...) as one-hot, with the channels of `y_pred`."""
    return ops.one_hot(
        ops.cast(y_true, "int32"), ops.shape(y_pred)[-1], dtype="float32"
    )


def find_counted(y_true):
    """Return 1 for each voxel that counts and 0 for the ignored, float32, as shaped."""
    return ops.cast(ops.not_equal(ops.cast(y_true, "int32"), IGNORED), "float32")


@keras.saving.register_keras_serializable(package="models")
class DiceLoss(keras.losses.Loss):
    """One minus the soft Dice coefficient, averaged over foreground classes.

    For each case and class, with target t and probability p over its voxels:

        dice = (2 * sum(t * p) + smooth) / (sum(t) + sum(p) + smooth)

    A class absent from both scores 1. The sum runs over one case at a time:
    `keras.losses.Dice` with its default `axis` pools the batch, so that a large
    vertebra hides a missed small one. The background is left out.

    Ignored voxels are left out of every sum, so that their probabilities have no
    gradient; a case of nothing else has a loss of 0.

    Args:
        smooth: Added to numerator and denominator, in voxels, so that an absent
            class has a gradient.
        ignores: Whether the class `IGNORED` marks voxels that are ignored. Otherwise
            nothing is computed for it.
        **options: Passed to `keras.losses.Loss`.

    Reference:
        [Milletari et al., 2016](https://doi.org/10.1109/3DV.2016.79), section 3,
        with sums instead of squares in the denominator.
    """

    def __init__(
        self,
        smooth: float = 1.0,
        name: str = "dice_loss",
        *,
        ignores: bool = False,
        **options,
    ):
        super().__init__(name=name, **options)
        self.smooth, self.ignores = smooth, ignores

    def call(self, y_true, y_pred):
        """Return one value per case, shape (B,).

        Args:
            y_true: Classes, shape (B, *spatial).
            y_pred: Probabilities, shape (B, *spatial, C).
        """
        y_pred = ops.cast(y_pred, "float32")
        target = _one_hot(y_true, y_pred)  # 0 in all channels where ignored
        if self.ignores:
            y_pred = y_pred * find_counted(y_true)[..., None]
        spatial = tuple(range(1, len(y_pred.shape) - 1))
        overlap = ops.sum(target * y_pred, axis=spatial)  # (B, C)
        total = ops.sum(target, axis=spatial) + ops.sum(y_pred, axis=spatial)
        dice = (2 * overlap + self.smooth) / (total + self.smooth)
        return 1 - ops.mean(dice[:, 1:], axis=-1)

    def get_config(self):
        own = {"smooth": self.smooth, "ignores": self.ignores}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable(package="models")
class DiceCrossEntropyLoss(DiceLoss):
    """Dice loss plus the mean cross-entropy over a case's voxels.

        cross_entropy = -mean(log(probability of the true class))

    Args:
        smooth: See `DiceLoss`.
        ignores: See `DiceLoss`.
        **options: Passed to `keras.losses.Loss`.

    Reference:
        [Isensee et al., 2021](https://doi.org/10.1038/s41592-020-01008-z), the sum
        of both with equal weights.
    """

    def __init__(
        self,
        smooth: float = 1.0,
        name: str = "dice_cross_entropy_loss",
        *,
        ignores: bool = False,
        **options,
    ):
        super().__init__(smooth, name, ignores=ignores, **options)

    def call(self, y_true, y_pred):
        """Return one value per case, shape (B,); see `DiceLoss.call`."""
        y_pred = ops.cast(y_pred, "float32")
        p_true = ops.sum(_one_hot(y_true, y_pred) * y_pred, axis=-1)
        spatial = tuple(range(1, len(p_true.shape)))
        log = ops.log(ops.clip(p_true, 1e-7, 1.0))
        if self.ignores:
            counted = find_counted(y_true)
            count = ops.maximum(ops.sum(counted, axis=spatial), 1.0)
            mean = ops.sum(log * counted, axis=spatial) / count
        else:
            mean = ops.mean(log, axis=spatial)
        return super().call(y_true, y_pred) - mean


LOSSES = {"dice": DiceLoss, "dice-ce": DiceCrossEntropyLoss}
