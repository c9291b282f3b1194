"""The history as TensorBoard shows it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

from tensorboard.summary import Writer


class TensorBoardLog:
    """Write the figures of each epoch as scalars.

    Args:
        folder: Where the event files go; made if absent.
    """

    def __init__(self, folder: Path):
        self._writer = Writer(str(folder))

    def write(self, row: Mapping[str, float]) -> None:
        """Add one row of the history under its epoch; NaN is left out."""
        for name, value in row.items():
            if name != "epoch" and not math.isnan(value):
                self._writer.add_scalar(name, value, step=int(row["epoch"]))
        self._writer.flush()
