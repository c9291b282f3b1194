"""Pictures of a training that is under way."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import keras
import numpy as np

from cube.reader import Cube
from evaluation.curves import draw_curves
from models.metadata import ModelMetadata
from models.validation import mean_dice, predict_cases
from runs.overlay import write_overlay
from volumes.ignored import split_ignored
from volumes.volume import Volume
from volumes.window import find_window_around

CURVES_NAME = "progress.png"
FOLDER_NAME = "progress"
PARTS = 10  # of the training, each with a picture of its prediction
MOST_TIME = 0.025  # share of the training's time that curves take, and cases take
CURVES_SECONDS, CASE_SECONDS = 1.0, 3.0  # expected of the first ones


class Allowance:
    """Time that pictures may take.

    Args:
        expected: Seconds that the first one is expected to take.
    """

    def __init__(self, expected: float):
        self._spent, self._expected = 0.0, expected

    @contextmanager
    def spend(self, seconds: float) -> Iterator[bool]:
        """Measure what is done, and say whether it may be done.

        Args:
            seconds: That the training has taken so far.

        Yields:
            Whether one more picture, as slow as the last one, takes no more than
            `MOST_TIME` of that together with those before.
        """
        is_due = self._spent + self._expected <= MOST_TIME * seconds
        start = time.perf_counter()
        yield is_due
        if is_due:
            self._expected = time.perf_counter() - start
            self._spent += self._expected


class ProgressPictures:
    """Draw the curves, and how a fixed validation case is predicted, as they change.

    `progress.png` is replaced after an epoch. The folder `progress` gets a picture of
    the first validation case after each tenth of the training, named by the percent
    that is done, such as `030.png`. Either is left out while it would take more than
    `MOST_TIME` of the training, as in trainings of seconds.

    Args:
        run: The run folder.
        title: Of the network.
        cube: Open.
        network: That is trained.
        metadata: What it is trained for.
    """

    def __init__(
        self,
        run: Path,
        title: str,
        cube: Cube,
        network: keras.Model,
        metadata: ModelMetadata,
    ):
        self._run, self._title, self._cube = run, title, cube
        self._network, self._metadata = network, metadata
        self._rows = cube.rows("validation", copy=0)[:1]
        self._curves = Allowance(CURVES_SECONDS)
        self._cases = Allowance(CASE_SECONDS)

    def draw(self, history: Sequence[Mapping[str, float]], share: float) -> None:
        """Draw what is due after an epoch.

        Args:
            history: A row per epoch; see `models.training_loop.HISTORY_COLUMNS`.
            share: Of the training that is done, in [0, 1].
        """
        seconds = 60 * history[-1]["minutes"]
        with self._curves.spend(seconds) as is_due:
            if is_due:
                draw_curves({self._title: history}, self._run / CURVES_NAME)
        percent = int(PARTS * share) * 100 // PARTS
        path = self._run / FOLDER_NAME / f"{percent:03}.png"
        if not self._rows or not percent or path.exists():
            return
        with self._cases.spend(seconds) as is_due:
            if is_due:
                path.parent.mkdir(exist_ok=True)
                self._draw_case(path, f"{percent} % of the training")

    def _draw_case(self, path: Path, when: str) -> None:
        """Draw the prediction of the validation case on the cube's grid."""
        (row,) = self._rows
        ((prediction, reference),) = predict_cases(
            self._network, self._metadata, self._cube, self._rows
        )
        dice = mean_dice(prediction, reference, len(self._cube.class_names))
        ignored = None
        if self._cube.ignores:
            reference, ignored = split_ignored(reference)
        image = self._cube.image(row).astype(np.float32)
        write_overlay(
            path,
            f"{self._cube.case_ids[row]}, {when}, Dice {dice:.3f} on the cube's grid",
            Volume(image, self._cube.grid(row), self._cube.path),
            prediction,
            [self._metadata],
            reference=reference,
            ignored=ignored,
            window=find_window_around(image, reference, self._cube.spacing),
        )
