"""The training loop: batches, schedule, averaging, validation, the history."""

from __future__ import annotations

import csv
import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import keras
import numpy as np

from cube.reader import Cube
from models.averaging import WeightAverage
from models.batches import PatchSampler, prefetch
from models.device import peak_memory_mib
from models.model_file import ModelMetadata
from models.options import TrainingOptions
from models.prediction import classify, fit_tile, predict_image
from system.atomic import atomic_write
from system.errors import DataError
from volumes.ignored import IGNORED, find_void

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


def validation_dice(
    model: keras.Model, metadata: ModelMetadata, cube: Cube, rows: Sequence[int]
) -> float:
    """Return the mean of the `mean_dice` of whole validation cases."""
    num_classes = len(cube.class_names)
    coefficients = [
        mean_dice(prediction, reference, num_classes)
        for prediction, reference in predict_cases(model, metadata, cube, rows)
    ]
    return float(np.mean(coefficients))


def predict_cases(
    model: keras.Model, metadata: ModelMetadata, cube: Cube, rows: Sequence[int]
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield prediction and reference of whole cases, as classes on the cube's grid.

    Where the reference is `IGNORED`, the prediction is not scored.
    """
    for row in rows:
        probabilities = predict_image(
            model,
            cube.image(row),
            cube.extents[row],
            fit_tile(metadata, cube.extents[row]),
            num_classes=len(cube.class_names),
            overlap=0.25,
        )
        reference = cube.label(row)
        if cube.ignores:
            reference[find_void(reference, cube.spacing)] = IGNORED
        yield classify(probabilities), reference


def mean_dice(prediction: np.ndarray, reference: np.ndarray, num_classes: int) -> float:
    """Return the mean hard Dice coefficient of a case's foreground classes.

    A class absent from both prediction and reference counts 1. Voxels whose reference
    is `IGNORED` are left out, unless there are so many classes that it is one.
    """
    if num_classes <= IGNORED:
        prediction = prediction * (reference != IGNORED)
    coefficients = []
    for number in range(1, num_classes):
        a, b = prediction == number, reference == number
        total = a.sum() + b.sum()
        coefficients.append(2 * (a & b).sum() / total if total else 1.0)
    return float(np.mean(coefficients))


class TrainingLoop:
    """Train a network on a cube, epoch by epoch.

    Args:
        model: Compiled, with a Dice metric named "dice".
        sampler: Source of the batches.
        options: How long to train, and the highest learning rate.
        small: Source of the batches of the first part of the training, of the share
            `options.small_patches`; by default `sampler`.
        progress: Progress of the run that is resumed; by default a new one.
        average: Weight average of the run that is resumed; by default a new one.
    """

    def __init__(
        self,
        model: keras.Model,
        sampler: PatchSampler,
        options: TrainingOptions,
        *,
        small: PatchSampler | None = None,
        progress: TrainingProgress | None = None,
        average: WeightAverage | None = None,
    ):
        self.model, self.sampler, self.options = model, sampler, options
        self.small = small or sampler
        self.progress = progress or TrainingProgress()
        self.average = average or WeightAverage(model)
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
                # Traced anew, since one trace for two shapes rounds otherwise than that
                # of a resumed run, which sees the second alone.
                self.model.make_train_function(force=True)
                batches = prefetch(sampler, self.progress.step)
            row = self._run_epoch(batches)
            with self.average.swapped_in():
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
        self._update_seconds()
        row["val_dice"], row["minutes"] = score, progress.seconds / 60
        progress.history.append(row)
        progress.peak_mib = max(progress.peak_mib, peak_memory_mib())
        has_score = not math.isnan(score)
        is_best = not has_score or score > progress.best
        if is_best:
            progress.best_epoch = progress.epoch
            progress.best = score if has_score else -1.0
        if has_score:
            note = ", the best so far" if is_best else ""
            print(f"val_dice: {score:.4f}{note}")

    def _publish(self, publish: Callable[[bool], None]) -> None:
        with self.average.swapped_in():
            publish(self.progress.best_epoch == self.progress.epoch)

    def _update_seconds(self) -> None:
        self.progress.seconds = time.perf_counter() - self._start

    def _run_epoch(self, batches: Iterator[tuple]) -> dict[str, float]:
        """Train for one epoch, cut short if the time is up; return its history row."""
        progress, options = self.progress, self.options
        progress.epoch += 1
        total = f"/{options.epochs}" if options.epochs else ""
        print(f"Epoch {progress.epoch}{total}")
        bar = keras.utils.Progbar(
            options.steps,
            verbose=1 if sys.stdout.isatty() else 2,
            stateful_metrics=("loss", "dice", "waiting"),
        )
        start = time.perf_counter()
        loss, dice, waited = 0.0, 0.0, 0.0
        for num_steps in range(1, options.steps + 1):
            rate = learning_rate_at(progress.share(options), options.learning_rate)
            logs, step_wait = self._train_step(batches, rate)
            loss, dice = loss + float(logs["loss"]), dice + float(logs["dice"])
            waited += step_wait
            waiting = waited / (time.perf_counter() - start)
            means = [("loss", loss / num_steps), ("dice", dice / num_steps)]
            is_last = num_steps == options.steps or progress.share(options) >= 1
            bar.update(num_steps, [*means, ("waiting", waiting)], is_last)
            if is_last:
                break
        seconds = time.perf_counter() - start
        if not math.isfinite(loss):
            raise DataError(
                f"The loss must stay finite. Received: {loss} in epoch "
                f"{progress.epoch}. Try a lower --learning-rate than "
                f"{options.learning_rate:g}."
            )
        return {
            "epoch": progress.epoch,
            "step": progress.step,
            "learning_rate": rate,
            "loss": loss / num_steps,
            "dice": dice / num_steps,
            "seconds_per_step": seconds / num_steps,
            "waiting_share": waited / seconds,
        }

    def _train_step(
        self, batches: Iterator[tuple], rate: float
    ) -> tuple[dict[str, float], float]:
        """Take one step; return its logs and the seconds waited for the batch."""
        self.model.optimizer.learning_rate = rate
        before = time.perf_counter()
        images, labels = next(batches)
        waited = time.perf_counter() - before
        logs = self.model.train_on_batch(images, labels, return_dict=True)
        self.average.update()
        self.progress.step += 1
        self._update_seconds()
        return logs, waited


def write_history(path: Path, history: Sequence[dict]) -> None:
    """Write a row per epoch as CSV, with an empty cell for NaN."""
    with atomic_write(path) as partial, open(partial, "w", newline="") as stream:
        writer = csv.DictWriter(stream, HISTORY_COLUMNS)
        writer.writeheader()
        for row in history:
            cells = {name: row[name] for name in HISTORY_COLUMNS}
            if math.isnan(row["val_dice"]):
                cells["val_dice"] = ""
            writer.writerow(cells)
