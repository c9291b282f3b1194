"""The options of one training run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from models.defaults import DEFAULT_ARCHITECTURE, LEARNING_RATE, choose_batch_size


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """How to train one network: flags of train.py, described in its help.

    None means the network's default. With `epochs` 0 nothing is trained. Runs of
    earlier versions have no `contrast_curves` and no `spine_share`, which is to say
    0 and 0.8.
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
    spine_share: float | None
    mixed_precision: bool
    weights: Path | None
    resume: bool
    fold: int | None = None
    folds: int | None = None

    def architecture(self) -> dict:
        """Return the arguments of `build_unet`, with defaults filled in."""
        architecture = dict(DEFAULT_ARCHITECTURE)
        for name in DEFAULT_ARCHITECTURE:
            value = getattr(self, name)
            if value is not None:
                architecture[name] = value
        architecture["dtype"] = "mixed_float16" if self.mixed_precision else "float32"
        return architecture

    def with_defaults(self, patch_size: tuple[int, int, int]) -> TrainingOptions:
        """Return a copy with batch size and learning rate filled in.

        Args:
            patch_size: Of the network, (I, J, K).
        """
        return replace(
            self,
            batch_size=self.batch_size or choose_batch_size(self.model, patch_size),
            learning_rate=self.learning_rate or LEARNING_RATE,
        )
