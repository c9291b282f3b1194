"""labels.csv: what was labelled in each scan, a row per class."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from runs.shared_table import Cell, SharedTable
from system.text import on_one_line

COLUMNS: tuple[str, ...] = (
    "scan",
    "label_map",
    "class",
    "ml",
    "disagreement",
    "dropped_ml",
    "warnings",
    "seconds",
)
Row = dict[str, Cell]


class LabelTable:
    """The rows of a labels.csv, written after each scan so that none is lost.

    Args:
        path: The file. If it exists, its rows are kept, except for those of label
            maps that are written again, or are removed.

    Raises:
        UsageError: If the file has other columns, or cannot be read.
    """

    def __init__(self, path: Path):
        self.table = SharedTable(path, COLUMNS, "label_map")

    def find(self, label_maps: Sequence[Path]) -> list[Path]:
        """Return those of the label maps that have a row.

        Raises:
            UsageError: If the file has other columns, or cannot be read.
        """
        names = {row["label_map"] for row in self.table.read()}
        return [path for path in label_maps if on_one_line(path.name) in names]

    def replace(self, rows: Sequence[Row], removed: Sequence[Path] = ()) -> None:
        """Replace the rows of the label maps that `rows` name; write the file.

        Args:
            rows: To write.
            removed: Other label maps, whose rows are dropped.

        Raises:
            DataError: If the file cannot be read or written.
        """
        names = {str(row["label_map"]) for row in rows}
        names |= {on_one_line(path.name) for path in removed}
        self.table.replace(names, rows)
