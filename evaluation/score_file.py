"""Reading and writing scores.csv: a row per case and class.

The scores of a case's instances stand once, in the first row of the case, so that means
and sums over a column are right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from evaluation import instance_columns
from evaluation.csv_rows import parse_number, read_rows, write_rows
from evaluation.instances import InstanceScore
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


def write_scores(
    path: str | Path,
    scores: Sequence[Score],
    instances: Sequence[InstanceScore] = (),
) -> None:
    """Write a row per case and class; a cell is empty where a score does not apply.

    Args:
        path: The file.
        scores: Of every case and class.
        instances: Of the cases that have any; without any, they have no columns.

    Raises:
        ValueError: If a case has instances, but no score of a class.
    """
    columns = COLUMNS
    if any(score.found for score in scores):
        columns += VERTEBRA_COLUMNS
    if any(score.dice_all is not None for score in scores):
        columns += KEPT_COLUMNS
    if any(score.disagreement is not None for score in scores):
        columns += ENSEMBLE_COLUMNS
    if instances:
        columns += tuple(instance_columns.COLUMNS.values())
    write_rows(path, columns, _list_rows(scores, instances))


def _list_rows(
    scores: Sequence[Score], instances: Sequence[InstanceScore]
) -> list[dict[str, Any]]:
    of_cases = {each.case_id: instance_columns.list_cells(each) for each in instances}
    rows = [asdict(score) | of_cases.pop(score.case_id, {}) for score in scores]
    if of_cases:
        raise ValueError(
            "Cases with instances must have scores of classes. Received: none of "
            f"{', '.join(of_cases)}"
        )
    return rows


def read_scores(path: str | Path) -> list[Score]:
    """Read the scores of classes; floats are restored exactly.

    Raises:
        DataError: As of `evaluation.csv_rows.read_rows`, or if the file lists a case
            and class twice; names the file and the line.
    """
    rows = read_rows(path, COLUMNS, _parse_row)
    names = [(line, (score.case_id, score.class_name)) for line, score in rows]
    _check_once(path, "a case and class", names)
    return [score for _, score in rows]


def read_instances(
    path: str | Path, columns: Mapping[str, str] = instance_columns.COLUMNS
) -> list[InstanceScore]:
    """Read the scores of instances; floats are restored exactly.

    Args:
        path: The file; of earlier versions, instances.csv.
        columns: `EARLIER_COLUMNS` of `evaluation.instance_columns` for that file.

    Returns:
        One for each case that has any.

    Raises:
        DataError: As of `read_scores`, for a case.
    """
    rows = read_rows(
        path,
        instance_columns.CASE_COLUMNS,
        lambda row: instance_columns.parse_instances(row, columns),
    )
    found = [(line, score) for line, score in rows if score is not None]
    names = [(line, (score.case_id,)) for line, score in found]
    _check_once(path, "the instances of a case", names)
    return [score for _, score in found]


def _check_once(
    path: str | Path, what: str, rows: Sequence[tuple[int, tuple[str, ...]]]
) -> None:
    """Check that no line has the names of an earlier one.

    Args:
        path: The file, for the message.
        what: That the names stand for, for the message.
        rows: The number of each line, and its names.
    """
    seen = set()
    for line, names in rows:
        if names in seen:
            received = ", ".join(f"'{name}'" for name in names)
            raise DataError(
                f"{path}, line {line}: {what} must be listed once. Received: "
                f"{received} again"
            )
        seen.add(names)


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
            cells[name] = parse_number(name, row[name])
    return Score(**cells)
