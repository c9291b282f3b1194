"""Reading and writing scores.csv: a row per case and class."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path

from evaluation.csv_rows import read_rows, write_rows
from evaluation.scores import Score
from system.errors import DataError

# Left out of the file if no class is a vertebra.
VERTEBRA_COLUMNS = ("found", "centroid_error_mm", "dice_of_upper", "dice_of_lower")
# Left out of the file if all of the predictions was kept.
KEPT_COLUMNS = ("dice_all", "hd95_all_mm", "dropped_ml")
# Left out of the file if a single network predicted.
ENSEMBLE_COLUMNS = ("disagreement",)
LEFT_OUT = VERTEBRA_COLUMNS + KEPT_COLUMNS + ENSEMBLE_COLUMNS
COLUMNS = tuple(field.name for field in fields(Score) if field.name not in LEFT_OUT)
TEXT_COLUMNS = ("case_id", "subject", "class_name")
CATEGORIES = {
    "empty": ("", "both", "prediction", "reference"),
    "found": ("", "yes", "no", "absent"),
}
OPTIONAL_COLUMNS = (
    "hd95_mm",
    "assd_mm",
    "nsd_1mm",
    "nsd_2mm",
    "centroid_error_mm",
    "dice_of_upper",
    "dice_of_lower",
    *KEPT_COLUMNS,
    *ENSEMBLE_COLUMNS,
)


def write_scores(path: str | Path, scores: Sequence[Score]) -> None:
    """Write a row per case and class; a cell is empty where a score does not apply."""
    columns = COLUMNS
    if any(score.found for score in scores):
        columns += VERTEBRA_COLUMNS
    if any(score.dice_all is not None for score in scores):
        columns += KEPT_COLUMNS
    if any(score.disagreement is not None for score in scores):
        columns += ENSEMBLE_COLUMNS
    write_rows(path, columns, (asdict(score) for score in scores))


def read_scores(path: str | Path) -> list[Score]:
    """Read what `write_scores` wrote; floats are restored exactly.

    Raises:
        DataError: As of `evaluation.csv_rows.read_rows`, or if the file lists a case
            and class twice; names the file and the line.
    """
    rows = read_rows(path, COLUMNS, _parse_row)
    seen = set()
    for line, score in rows:
        if (score.case_id, score.class_name) in seen:
            raise DataError(
                f"{path}, line {line}: a case and class must be listed once. Received: "
                f"'{score.case_id}', '{score.class_name}' again"
            )
        seen.add((score.case_id, score.class_name))
    return [score for _, score in rows]


def _parse_row(row: dict[str, str]) -> Score:
    cells = {}
    for name in COLUMNS + LEFT_OUT:
        if name not in COLUMNS and name not in row:
            continue
        if name in TEXT_COLUMNS:
            cells[name] = row[name]
        elif name in CATEGORIES:
            if row[name] not in CATEGORIES[name]:
                raise ValueError(f"{name}={row[name]!r}")
            cells[name] = row[name]
        elif name in OPTIONAL_COLUMNS and row[name] == "":
            cells[name] = None
        else:
            cells[name] = float(row[name])
            if not math.isfinite(cells[name]):
                raise ValueError(f"{name}={row[name]}")
    return Score(**cells)
