"""The options of one training run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from models.defaults import (
    CONTRAST_CURVES,
    DEFAULT_ARCHITECTURE,
    LEARNING_RATE,
    choose_batch_size,
)
from models.metadata import ModelMetadata


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """How to train one network: flags of train.py, described in its help.

    None means the network's default. With `epochs` 0 nothing is trained. `dtype` is
    a Keras dtype policy, chosen by `settle_defaults` for the device.
    """

    model: str
    epochs: int | None
    minutes: float | None
    steps: int
    batch_size: int | None
    patch_size: tuple[int, ...] | None
    filters: int | None
    depth: int | None
    norm: str | None
    dropout: float | None
    loss: str
    learning_rate: float | None
    patience: int | None
    seed: int
    augment: str
    contrast_curves: float | None
    spine_share: float
    small_patches: float
    mixed_precision: bool | None
    weights: Path | None
    resume: bool
    fold: int | None = None
    folds: int | None = None
    keep: str | None = None
    dtype: str | None = None

    def architecture(self) -> dict:
        """Return the arguments of `build_unet`, with defaults filled in."""
        architecture = dict(DEFAULT_ARCHITECTURE)
        for name in DEFAULT_ARCHITECTURE:
            value = getattr(self, name)
            if value is not None:
                architecture[name] = value
        by_flag = "mixed_float16" if self.mixed_precision else "float32"
        architecture["dtype"] = self.dtype or by_flag
        return architecture

    def with_defaults(self, metadata: ModelMetadata) -> TrainingOptions:
        """Return a copy with all that depends on the network or its cube filled in.

        Intensities in HU mean the same in all scans, and so keep their contrast.
        """
        contrast_curves = self.contrast_curves
        if contrast_curves is None:
            is_zscore = metadata.intensity[0] == "zscore"
            contrast_curves = CONTRAST_CURVES if is_zscore else 0.0
        return replace(
            self,
            batch_size=self.batch_size
            or choose_batch_size(self.model, metadata.patch_size),
            learning_rate=self.learning_rate or LEARNING_RATE,
            contrast_curves=contrast_curves,
        )
