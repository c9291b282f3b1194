"""The training loop: batches, schedule, averaging, validation, the history."""

from __future__ import annotations

import csv
import math
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import keras
import numpy as np

from cube.reader import Cube
from models.averaging import WeightAverage
from models.batches import PatchSampler, prefetch
from models.device import peak_memory_mib
from models.prediction import classify, predict_image
from system.atomic import atomic_write
from system.errors import DataError

WARM_UP = 0.03  # share of the training in which the learning rate rises
HISTORY_COLUMNS = (
    *("epoch", "minutes", "step", "learning_rate", "loss", "dice", "val_dice"),
    *("seconds_per_step", "waiting_share"),
)


@dataclass(frozen=True)
class ScheduleSettings:
    """How to train.

    Args:
        epochs: How many at most, or None for as many as fit in `minutes`.
        minutes: Wall time of training and validation, or None.
        steps: Batches an epoch.
        learning_rate: The highest; it is reached linearly, then falls to a
            thousandth along half a cosine, over the epochs or the minutes.
        patience: Epochs without a better validation Dice before stopping.
        average_decay: Of the weight average; see `WeightAverage`.
    """

    epochs: int | None
    minutes: float | None
    steps: int
    learning_rate: float
    patience: int | None = None
    average_decay: float = 0.99


@dataclass
class TrainingProgress:
    """How far the training is, and the most memory it has held, in MiB."""

    epoch: int = 0
    step: int = 0
    seconds: float = 0.0
    best: float = -1.0
    best_epoch: int = 0
    peak_mib: float = 0.0
    history: list[dict] = field(default_factory=list)

    def share(self, settings: ScheduleSettings) -> float:
        """Give the share of the training that is done, in [0, 1]."""
        shares = [0.0]
        if settings.epochs is not None:
            shares.append(self.step / max(1, settings.epochs * settings.steps))
        if settings.minutes is not None:
            shares.append(self.seconds / (60 * settings.minutes))
        return min(1.0, max(shares))


def learning_rate_at(share: float, highest: float) -> float:
    """Give the learning rate once `share` of the training, in [0, 1], is done.

    Linear warm-up over the first 3 %, then half a cosine down to a thousandth.

    Reference:
        [Loshchilov & Hutter, 2017](https://arxiv.org/abs/1608.03983), equation 5.
    """
    if share < WARM_UP:
        return highest * max(share / WARM_UP, 0.03)
    fall = (share - WARM_UP) / (1 - WARM_UP)
    return highest * max(0.5 * (1 + math.cos(math.pi * fall)), 1e-3)


def validation_dice(
    model: keras.Model, cube: Cube, rows: Sequence[int], tile: Sequence[int]
) -> float:
    """Predict whole validation scans and give their mean hard Dice coefficient.

    Voxel-pooled within a case and class, on the cube's grid; the mean is over
    cases and foreground classes. A class absent from both counts 1.
    """
    found = []
    for row in rows:
        probabilities = predict_image(
            model,
            cube.image(row),
            cube.extents[row],
            tile,
            num_classes=len(cube.class_names),
            overlap=0.25,
        )
        prediction, reference = classify(probabilities), cube.label(row)
        for number in range(1, len(cube.class_names)):
            a, b = prediction == number, reference == number
            total = a.sum() + b.sum()
            found.append(2 * (a & b).sum() / total if total else 1.0)
    return float(np.mean(found))


class TrainingLoop:
    """Train a network on a cube, epoch by epoch.

    Args:
        model: Compiled, with a Dice metric named "dice".
        sampler: Makes the batches.
        settings: How to train.
        progress: How far an earlier run came; a new one by default.
        average: The weight average of an earlier run; a new one by default.
    """

    def __init__(
        self,
        model: keras.Model,
        sampler: PatchSampler,
        settings: ScheduleSettings,
        *,
        progress: TrainingProgress | None = None,
        average: WeightAverage | None = None,
    ):
        self.model, self.sampler, self.settings = model, sampler, settings
        self.progress = progress or TrainingProgress()
        self.average = average or WeightAverage(model, settings.average_decay)
        self._since = time.perf_counter() - self.progress.seconds

    def _tick(self) -> None:
        self.progress.seconds = time.perf_counter() - self._since

    @property
    def is_over(self) -> bool:
        """Whether the epochs, the minutes or the patience are used up."""
        progress, settings = self.progress, self.settings
        waited = progress.epoch - progress.best_epoch
        impatient = settings.patience is not None and waited >= settings.patience
        return impatient or progress.share(settings) >= 1

    def run(
        self,
        validate: Callable[[], float] | None,
        checkpoint: Callable[[], None],
        publish: Callable[[bool], None],
    ) -> None:
        """Train to the end.

        The checkpoint comes first and is all that a resumed training reads, so
        that what is published never runs ahead of it. A run may be cut between
        the two; resumed, it publishes that epoch once more.

        Args:
            validate: Gives the validation Dice of the averaged weights, which
                are in place when it is called. None without validation cases.
            checkpoint: Called after each epoch, the training's own weights in
                place.
            publish: Called after that, the averaged weights in place, with
                whether they are the best so far; without validation the latest
                are.
        """
        if self.progress.epoch:
            self._publish(publish)
        batches = prefetch(self.sampler, self.progress.step)
        while not self.is_over:
            row = self._run_epoch(batches)
            with self.average.in_place():
                score = math.nan if validate is None else validate()
                self._tick()
                row["val_dice"], row["minutes"] = score, self.progress.seconds / 60
            self.progress.history.append(row)
            peak = max(self.progress.peak_mib, peak_memory_mib())
            self.progress.peak_mib = peak
            is_best = self._is_best(score)
            if validate is not None:
                print(f"val_dice: {score:.4f}{', the best so far' * is_best}")
            checkpoint()
            self._publish(publish)
        batches.close()

    def _publish(self, publish: Callable[[bool], None]) -> None:
        with self.average.in_place():
            publish(self.progress.best_epoch == self.progress.epoch)

    def _is_best(self, score: float) -> bool:
        """Compare a validation Dice with the best; NaN, without any, is best."""
        is_best = math.isnan(score) or score > self.progress.best
        if is_best:
            self.progress.best_epoch = self.progress.epoch
            self.progress.best = -1.0 if math.isnan(score) else score
        return is_best

    def _run_epoch(self, batches) -> dict[str, float]:
        """Take one epoch's steps, fewer if the time is up; give the history row."""
        progress, settings = self.progress, self.settings
        progress.epoch += 1
        of_all = f"/{settings.epochs}" if settings.epochs else ""
        print(f"Epoch {progress.epoch}{of_all}")
        bar = keras.utils.Progbar(
            settings.steps,
            verbose=1 if sys.stdout.isatty() else 2,
            stateful_metrics=("loss", "dice", "waiting"),
        )
        waited, began, rate = 0.0, time.perf_counter(), 0.0
        sums = {"loss": 0.0, "dice": 0.0}
        for taken in range(1, settings.steps + 1):
            rate = learning_rate_at(progress.share(settings), settings.learning_rate)
            self.model.optimizer.learning_rate = rate
            before = time.perf_counter()
            images, labels = next(batches)
            waited += time.perf_counter() - before
            logs = self.model.train_on_batch(images, labels, return_dict=True)
            self.average.update()
            progress.step += 1
            self._tick()
            waiting = waited / (time.perf_counter() - began)
            over = progress.share(settings) >= 1
            sums = {name: total + float(logs[name]) for name, total in sums.items()}
            shown = [(name, total / taken) for name, total in sums.items()]
            bar.update(
                taken, [*shown, ("waiting", waiting)], over or taken == settings.steps
            )
            if over:
                break
        took = time.perf_counter() - began
        if not math.isfinite(sums["loss"]):
            raise DataError(
                f"The loss must stay a number. Received: {sums['loss']} in epoch "
                f"{progress.epoch}. Try a lower --learning-rate than "
                f"{settings.learning_rate:g}."
            )
        return {
            "epoch": progress.epoch,
            "step": progress.step,
            "learning_rate": rate,
            "loss": sums["loss"] / taken,
            "dice": sums["dice"] / taken,
            "seconds_per_step": took / taken,
            "waiting_share": waited / took,
        }


def write_history(path: Path, history: Sequence[dict]) -> None:
    """Write a row per epoch as CSV; a validation Dice that is NaN stays empty."""
    with atomic_write(path) as partial, open(partial, "w", newline="") as stream:
        writer = csv.DictWriter(stream, HISTORY_COLUMNS)
        writer.writeheader()
        for row in history:
            writer.writerow(
                {
                    name: "" if math.isnan(row[name]) else row[name]
                    for name in HISTORY_COLUMNS
                }
            )
