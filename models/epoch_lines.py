"""What a training prints: one line an epoch, and a bar within it on a terminal."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from tqdm import tqdm

from models.options import TrainingOptions
from system.text import count_of

FEW_EPOCHS = 4  # fewer are too few to choose the best of

NOTABLE_WAITING = 0.05  # share of an epoch in which the network waits for patches


def describe_epoch(
    row: Mapping[str, float], options: TrainingOptions, *, is_best: bool
) -> str:
    """Return an epoch as one line.

    Such as `epoch 7  1.3 of 3.5 min  loss .29  Dice .80  validation .87 (best)`.

    Args:
        row: Of the history; the validation Dice is NaN without validation cases.
        options: How long to train.
        is_best: Whether no epoch had a higher validation Dice.
    """
    epochs = "" if options.epochs is None else f" of {options.epochs}"
    minutes = "" if options.minutes is None else f" of {options.minutes:g}"
    parts = [
        f"epoch {row['epoch']}{epochs}",
        f"{row['minutes']:.1f}{minutes} min",
        f"loss {_short(row['loss'])}",
        f"Dice {_short(row['dice'])}",
    ]
    if not math.isnan(row["val_dice"]):
        best = " (best)" if is_best else ""
        parts.append(f"validation {_short(row['val_dice'])}{best}")
    if row["waiting_share"] > NOTABLE_WAITING:
        parts.append(f"waiting {row['waiting_share']:.0%}")
    return "  ".join(parts)


def _short(value: float) -> str:
    """Return a number with two decimals, without the zero before the point."""
    return f"{value:.2f}".removeprefix("0")


def steps_of(epoch: int, num_steps: int, *, is_shown: bool = True) -> Iterator[int]:
    """Yield the numbers of the steps from 1, with a bar if that is on a terminal."""
    steps = range(1, num_steps + 1)
    disable = None if is_shown else True  # None: unless on a terminal
    yield from tqdm(steps, f"epoch {epoch}", unit="step", leave=False, disable=disable)


def describe_compiling(batch_size: int, patch_size: Sequence[int]) -> str:
    """Return why the first step on batches of a new shape takes so long."""
    sides = " x ".join(str(side) for side in patch_size if side > 1)
    patches = f"{count_of(batch_size, 'patch', 'patches')} of {sides} voxels"
    return f"compiling the training step for batches of {patches}"


def describe_resuming(epoch: int, seconds: float, options: TrainingOptions) -> str:
    """Return where a training goes on, and how much of its budget it has used.

    Args:
        epoch: Number of epochs done.
        seconds: Wall time used.
        options: How long to train, perhaps otherwise than when the run was started;
            the learning rate depends on it.
    """
    budgets = []
    if options.epochs is not None:
        budgets.append(f"{options.epochs} epochs in all; {epoch} done")
    if options.minutes is not None:
        budgets.append(f"{options.minutes:g} min in all; {seconds / 60:.1f} used")
    return f"resuming after epoch {epoch}: budget now {', '.join(budgets)}"


def describe_few_epochs(num_epochs: int, options: TrainingOptions) -> str | None:
    """Return a sentence if a budget of minutes was too short to learn much; else None.

    Args:
        num_epochs: Number of epochs done.
        options: How long the training took.
    """
    if options.minutes is None or num_epochs >= FEW_EPOCHS:
        return None
    before = ", those before --resume included" if options.resume else ""
    return (
        f"only {count_of(num_epochs, 'epoch')} fitted into {options.minutes:g} min"
        f"{before}, so the network has hardly been trained: give more --minutes, or "
        "fewer --steps to an epoch"
    )
