"""labels.csv: what was labelled in each scan, a row per class."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from system.atomic import atomic_text
from system.errors import UsageError

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
Row = dict[str, str | float]


def read_rows(path: Path, columns: Sequence[str]) -> list[Row]:
    """Read the rows of a table that an earlier call wrote; none without a file.

    Raises:
        UsageError: If the file has other columns, or cannot be read.
    """
    if not path.exists():
        return []
    try:
        with open(path, newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file, strict=True)
            found = tuple(reader.fieldnames or ())
            rows = [dict(row) for row in reader]
    except (OSError, ValueError, csv.Error) as error:
        raise UsageError(f"{path} cannot be read as a table: {error}") from error
    if found != tuple(columns) or any(None in row for row in rows):
        raise UsageError(
            f"{path} must be a table that was written here before, with the columns "
            f"{','.join(columns)}. Received another; use another --output, or move it."
        )
    return rows


class LabelTable:
    """The rows of a labels.csv, written after each scan so that none is lost.

    Args:
        path: The file. If it exists, its rows are kept, except for those of label
            maps that are written again.

    Raises:
        UsageError: If the file has other columns, or cannot be read.
    """

    def __init__(self, path: Path):
        self.path = path
        self.rows = read_rows(path, COLUMNS)

    def replace(self, rows: Sequence[Row]) -> None:
        """Replace the rows of the label maps that `rows` name; write the file."""
        label_maps = {row["label_map"] for row in rows}
        kept = [row for row in self.rows if row["label_map"] not in label_maps]
        self.rows = [*kept, *rows]
        with atomic_text(self.path) as file:
            writer = csv.DictWriter(file, COLUMNS, restval="", lineterminator="\n")
            writer.writeheader()
            writer.writerows(self.rows)
