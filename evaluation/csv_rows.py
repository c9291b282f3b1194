"""Rows of scores in a CSV file: written at once, and read with the line of a fault."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from system.atomic import atomic_text
from system.errors import DataError

Row = TypeVar("Row")


def write_rows(
    path: str | Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]
) -> None:
    """Write a header and a row of each mapping's values for the columns; None is ""."""
    with atomic_text(path) as file:
        writer = csv.DictWriter(
            file, columns, lineterminator="\n", extrasaction="ignore"
        )
        writer.writeheader()
        writer.writerows(rows)


def read_rows(
    path: str | Path, columns: Sequence[str], parse: Callable[[dict[str, str]], Row]
) -> list[tuple[int, Row]]:
    """Read what `write_rows` wrote.

    Args:
        path: The file.
        columns: Those that it must have; it may have others.
        parse: Converts a row's cells by column; raises a ValueError, or a TypeError
            for a cell that is missing, if one is invalid.

    Returns:
        The number of the line, and what `parse` returned, of each row.

    Raises:
        DataError: If the file cannot be read, lacks a column or has an invalid row;
            names the file and the line.
    """
    try:
        with open(path, newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            heads = reader.fieldnames or ()
            missing = [name for name in columns if name not in heads]
            if missing:
                raise DataError(
                    f"{path} must have the columns of a scores file. "
                    f"Received: no {', '.join(missing)}"
                )
            return [(reader.line_num, parse(row)) for row in reader]
    except OSError as error:
        raise DataError(f"{path} could not be read: {error.strerror}") from error
    except (csv.Error, TypeError, ValueError) as error:
        raise DataError(
            f"{path}, line {reader.line_num}: every row must be a complete row of "
            f"a scores file. Received: {error}"
        ) from error


def parse_number(name: str, text: str) -> float:
    """Return the number in a cell of the column `name`.

    Raises:
        ValueError: If it is no finite number.
    """
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{name}={text}")
    return number
