"""What the steps of one epoch add up."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator

import tensorflow as tf

from models.training_step import read_sums


class EpochRecord:
    """Add up the steps of an epoch, each read while the device takes the next one.

    Args:
        skips: Whether steps may be skipped, as those whose gradients overflow in half
            precision are; their losses, if no number, are left out of the mean.
    """

    def __init__(self, *, skips: bool):
        self.num_steps, self.clock = 0, 0.0
        self._skips, self._unread = skips, None
        self._loss, self._num_losses = 0.0, 0
        self._dice, self._waited = 0.0, 0.0
        self._start = time.perf_counter()

    def wait_for(self, batches: Iterator[tuple]) -> tuple:
        """Return the next batch; count the seconds until it is ready."""
        before = time.perf_counter()
        batch = next(batches)
        self._waited += time.perf_counter() - before
        return batch

    def add(self, sums: tf.Tensor) -> None:
        """Add the sums of a step that was just started; read those of the one before.

        Then `clock` is that of the first process when the step that is read began.

        Args:
            sums: From `TrainingStep`; see `models.training_step.read_sums`.
        """
        self._read()
        self.num_steps, self._unread = self.num_steps + 1, sums

    def finish(self) -> None:
        """Read the last step."""
        self._read()

    def _read(self) -> None:
        if self._unread is None:
            return
        sums, self._unread = read_sums(self._unread), None
        if math.isfinite(sums.loss) or not self._skips:
            self._loss, self._num_losses = self._loss + sums.loss, self._num_losses + 1
        self._dice += sums.dice
        self.clock = sums.seconds

    @property
    def loss(self) -> float:
        """The mean of the losses read; NaN if all were left out."""
        return self._loss / self._num_losses if self._num_losses else math.nan

    def row(self) -> dict[str, float]:
        """Return the columns of the history that are means over the finished steps."""
        seconds = time.perf_counter() - self._start
        return {
            "loss": self.loss,
            "dice": self._dice / self.num_steps,
            "seconds_per_step": seconds / self.num_steps,
            "waiting_share": self._waited / seconds,
        }
