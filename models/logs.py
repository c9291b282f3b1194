"""The history as TensorBoard logs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import tensorflow as tf
from tensorboard.summary import Writer

from system.errors import OutputError


class TensorBoardLog:
    """Write the history's values as scalars.

    Args:
        folder: For the event files; created if absent.
    """

    def __init__(self, folder: Path):
        self._folder = folder
        with self._report_write_errors():
            self._writer = Writer(str(folder))

    def write(self, row: Mapping[str, float]) -> None:
        """Write one row of the history under its epoch, without NaN.

        Raises:
            OutputError: If the disk is full.
        """
        with self._report_write_errors():
            for name, value in row.items():
                if name != "epoch" and not math.isnan(value):
                    self._writer.add_scalar(name, value, step=int(row["epoch"]))
            self._writer.flush()

    @contextmanager
    def _report_write_errors(self) -> Iterator[None]:
        """Raise OutputError for TensorFlow's and the system's write errors."""
        try:
            yield
        except (tf.errors.OpError, OSError) as error:
            message = f"{self._folder}: could not be written: {error}"
            raise OutputError(message) from error
