"""The history as TensorBoard shows it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import tensorflow as tf
from tensorboard.summary import Writer

from system.errors import OutputError


class TensorBoardLog:
    """Write the figures of each epoch as scalars.

    Args:
        folder: Where the event files go; made if absent.
    """

    def __init__(self, folder: Path):
        self._folder = folder
        with self._telling():
            self._writer = Writer(str(folder))

    def write(self, row: Mapping[str, float]) -> None:
        """Add one row of the history under its epoch; NaN is left out.

        Raises:
            OutputError: If the disk is full.
        """
        with self._telling():
            for name, value in row.items():
                if name != "epoch" and not math.isnan(value):
                    self._writer.add_scalar(name, value, step=int(row["epoch"]))
            self._writer.flush()

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """Turn TensorFlow's errors of the disk into ours."""
        try:
            yield
        except (tf.errors.OpError, OSError) as error:
            raise OutputError(f"{self._folder}: could not be written: {error}") from (
                error
            )
