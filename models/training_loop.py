"""The training loop: batches, schedule, averaging, validation, the history."""

from __future__ import annotations

import csv
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from models.batches import PatchSampler, prefetch
from models.device import peak_memory_mib
from models.epoch_lines import describe_compiling, describe_epoch, steps_of
from models.epoch_record import EpochRecord
from models.options import TrainingOptions
from models.training_step import TrainingStep
from system.atomic import atomic_text
from system.errors import DataError

WARM_UP = 0.03  # share of the training in which the learning rate rises
HISTORY_COLUMNS = (
    "epoch",
    "minutes",
    "step",
    "learning_rate",
    "loss",
    "dice",
    "val_dice",
    "seconds_per_step",
    "waiting_share",
)


@dataclass
class TrainingProgress:
    """How far a training has come; stored in its checkpoint.

    Args:
        epoch: Number of epochs finished.
        step: Number of steps taken.
        seconds: Wall time of training and validation.
        best: Best validation Dice so far; -1 before the first.
        best_epoch: Epoch of the best weights.
        peak_mib: Peak memory.
        history: A row per epoch; see `HISTORY_COLUMNS`.
    """

    epoch: int = 0
    step: int = 0
    seconds: float = 0.0
    best: float = -1.0
    best_epoch: int = 0
    peak_mib: float = 0.0
    history: list[dict] = field(default_factory=list)

    def share(self, options: TrainingOptions) -> float:
        """Return the share of the training that is done, in [0, 1]."""
        shares = [0.0]
        if options.epochs is not None:
            shares.append(self.step / max(1, options.epochs * options.steps))
        if options.minutes is not None:
            shares.append(self.seconds / (60 * options.minutes))
        return min(1.0, max(shares))


def learning_rate_at(share: float, highest: float) -> float:
    """Return the learning rate once `share` of the training, in [0, 1], is done.

    Linear warm-up over the first 3 %, then half a cosine down to a thousandth.

    Reference:
        [Loshchilov & Hutter, 2017](https://arxiv.org/abs/1608.03983), equation 5.
    """
    if share < WARM_UP:
        return highest * max(share / WARM_UP, 0.03)
    fall = (share - WARM_UP) / (1 - WARM_UP)
    return highest * max(0.5 * (1 + math.cos(math.pi * fall)), 1e-3)


class TrainingLoop:
    """Train a network on a cube, epoch by epoch.

    Args:
        step: Takes the steps, with the model and the average of its weights.
        sampler: Source of the batches.
        options: How long to train, and the highest learning rate.
        small: Source of the batches of the first part of the training, of the share
            `options.small_patches`; by default `sampler`.
        progress: Progress of the run that is resumed; by default a new one.
    """

    def __init__(
        self,
        step: TrainingStep,
        sampler: PatchSampler,
        options: TrainingOptions,
        *,
        small: PatchSampler | None = None,
        progress: TrainingProgress | None = None,
    ):
        self.step, self.sampler, self.options = step, sampler, options
        self.small = small or sampler
        self.progress = progress or TrainingProgress()
        self._start = time.perf_counter() - self.progress.seconds

    @property
    def is_over(self) -> bool:
        """Whether the epochs, the minutes or the patience are used up."""
        progress, options = self.progress, self.options
        num_without_gain = progress.epoch - progress.best_epoch
        if options.patience is not None and num_without_gain >= options.patience:
            return True
        return progress.share(options) >= 1

    def run(
        self,
        validate: Callable[[], float] | None,
        checkpoint: Callable[[], None],
        publish: Callable[[bool], None],
    ) -> None:
        """Train to the end.

        After each epoch the checkpoint is written first. It is all that a resumed
        training reads, so what is published is never ahead of it. A run that was
        interrupted between the two publishes that epoch once more when resumed.

        Args:
            validate: Returns the validation Dice; called with the averaged
                weights in the model. None without validation cases.
            checkpoint: Called after each epoch with the training's own weights
                in the model.
            publish: Called after `checkpoint` with the averaged weights in the
                model; receives whether they are the best so far. Without
                validation the latest are the best.
        """
        if self.progress.epoch:
            self._publish(publish)
        sampler, batches = None, prefetch(self.sampler, self.progress.step)
        while not self.is_over:
            if sampler is not self._sampler_of_epoch():
                batches.close()
                sampler = self._sampler_of_epoch()
                line = describe_compiling(sampler.batch_size, sampler.patch_size)
                print(line, flush=True)
                batches = prefetch(sampler, self.progress.step)
            row = self._run_epoch(batches, sampler.batch_size)
            with self.step.average.swapped_in():
                score = math.nan if validate is None else validate()
            self._finish_epoch(row, score)
            checkpoint()
            self._publish(publish)
        batches.close()

    def _sampler_of_epoch(self) -> PatchSampler:
        """Return the source of the batches of the next epoch."""
        share = self.progress.share(self.options)
        is_first_part = share < self.options.small_patches
        return self.small if is_first_part else self.sampler

    def _finish_epoch(self, row: dict[str, float], score: float) -> None:
        """Add an epoch to the history, with its validation Dice or NaN."""
        progress = self.progress
        progress.seconds = self.step.group.of_first(self._read_clock())
        row["val_dice"], row["minutes"] = score, progress.seconds / 60
        progress.history.append(row)
        progress.peak_mib = max(progress.peak_mib, peak_memory_mib())
        has_score = not math.isnan(score)
        is_best = not has_score or score > progress.best
        if is_best:
            progress.best_epoch = progress.epoch
            progress.best = score if has_score else -1.0
        line = describe_epoch(row, self.options, is_best=is_best)
        print(line, flush=True)

    def _publish(self, publish: Callable[[bool], None]) -> None:
        with self.step.average.swapped_in():
            publish(self.progress.best_epoch == self.progress.epoch)

    def _read_clock(self) -> float:
        """Return the seconds of the training so far, by this process's clock."""
        return time.perf_counter() - self._start

    def _run_epoch(self, batches: Iterator[tuple], batch_size: int) -> dict[str, float]:
        """Train for one epoch, cut short if the time is up; return its history row."""
        progress, options = self.progress, self.options
        progress.epoch += 1
        record, is_first = EpochRecord(skips=self.step.skips), self.step.group.rank == 0
        for _ in steps_of(progress.epoch, options.steps, is_shown=is_first):
            rate = learning_rate_at(progress.share(options), options.learning_rate)
            images, labels = record.wait_for(batches)
            begun = self.step(
                images,
                labels,
                rate=rate,
                batch_size=batch_size,
                seconds=self._read_clock(),
            )
            record.add(begun)
            progress.step += 1
            # That of the first process, and so the same in all; one step late.
            progress.seconds = max(progress.seconds, record.clock)
            if progress.share(options) >= 1:
                break
        record.finish()
        if not math.isfinite(record.loss):
            raise DataError(
                f"The loss must stay finite. Received: {record.loss} in epoch "
                f"{progress.epoch}. Try a lower --learning-rate than "
                f"{options.learning_rate:g}."
            )
        place = {"epoch": progress.epoch, "step": progress.step, "learning_rate": rate}
        return place | record.row()


def write_history(path: Path, history: Sequence[dict]) -> None:
    """Write a row per epoch as CSV, with an empty cell for NaN."""
    with atomic_text(path) as stream:
        writer = csv.DictWriter(stream, HISTORY_COLUMNS)
        writer.writeheader()
        for row in history:
            cells = {name: row[name] for name in HISTORY_COLUMNS}
            if math.isnan(row["val_dice"]):
                cells["val_dice"] = ""
            writer.writerow(cells)
