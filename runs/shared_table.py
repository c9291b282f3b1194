"""A table of several scans, to which several processes may add at the same time."""

from __future__ import annotations

import csv
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from evaluation.csv_rows import write_rows
from system.errors import UsageError
from system.turns import take_turn

Cell = str | int | float


class SharedTable:
    """A CSV file of which the rows of one name are replaced, and all others kept.

    It is read again before it is written, while other processes wait, so that no call
    drops the rows of another one.

    Args:
        path: The file; it need not exist.
        columns: Of the file.
        key: The column of the name that a row belongs to.

    Raises:
        UsageError: If the file has other columns, or cannot be read.
    """

    def __init__(self, path: Path, columns: Sequence[str], key: str):
        self.path, self.columns, self.key = path, columns, key
        self.read()

    def read(self) -> list[dict[str, str]]:
        """Read the rows; none without a file.

        Raises:
            UsageError: If the file has other columns, or cannot be read.
        """
        if not self.path.exists():
            return []
        try:
            with open(self.path, newline="", encoding="utf-8") as file:
                reader = csv.DictReader(file, strict=True)
                found = tuple(reader.fieldnames or ())
                rows = [dict(row) for row in reader]
        except (OSError, ValueError, csv.Error) as error:
            raise UsageError(
                f"{self.path} cannot be read as a table: {error}"
            ) from error
        if found != tuple(self.columns) or any(None in row for row in rows):
            raise UsageError(
                f"{self.path} must be a table that was written here before, with the "
                f"columns {','.join(self.columns)}. Received another; use another "
                "--output, or move it."
            )
        return rows

    def replace(
        self, names: Collection[str], rows: Sequence[Mapping[str, Cell]]
    ) -> None:
        """Replace the rows of some names; a file without any is left alone.

        Args:
            names: Whose rows are dropped.
            rows: To add; a column that is missing is an empty cell.

        Raises:
            DataError: If the file cannot be read or written, or another process has
                it for too long.
        """
        if not rows and not self.path.exists():
            return
        # As they are in the file: a path may hold bytes that are not UTF-8.
        dropped = {name.encode("utf-8", "backslashreplace").decode() for name in names}
        with take_turn(self.path):
            before = self.read()
            kept = [row for row in before if row[self.key] not in dropped]
            if rows or len(kept) < len(before):
                write_rows(self.path, self.columns, [*kept, *rows])
