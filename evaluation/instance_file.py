"""Reading and writing instances.csv: a row per case whose reference has instances."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path

from evaluation.csv_rows import read_rows, write_rows
from evaluation.instances import InstanceScore

COLUMNS = tuple(field.name for field in fields(InstanceScore))
TEXT_COLUMNS = ("case_id", "subject")
OPTIONAL_COLUMNS = ("matched_dice", "identification_rate")


def write_instances(path: str | Path, scores: Sequence[InstanceScore]) -> None:
    """Write a row per case; a cell is empty where a score does not apply."""
    write_rows(path, COLUMNS, (asdict(score) for score in scores))


def read_instances(path: str | Path) -> list[InstanceScore]:
    """Read what `write_instances` wrote; floats are restored exactly.

    Raises:
        DataError: As of `evaluation.csv_rows.read_rows`.
    """
    return [score for _, score in read_rows(path, COLUMNS, _parse_row)]


def _parse_row(row: dict[str, str]) -> InstanceScore:
    cells = {}
    for name in COLUMNS:
        text = row[name]
        if name in TEXT_COLUMNS:
            cells[name] = text
        elif name in OPTIONAL_COLUMNS and text == "":
            cells[name] = None
        elif name.startswith("num_"):
            cells[name] = int(text)
        else:
            cells[name] = float(text)
            if not math.isfinite(cells[name]):
                raise ValueError(f"{name}={text}")
    return InstanceScore(**cells)
