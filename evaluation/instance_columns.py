"""The columns of scores.csv that hold the scores of the instances of a case."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields

from evaluation.csv_rows import parse_number
from evaluation.instances import InstanceScore

CASE_COLUMNS = ("case_id", "subject")
NAMES = tuple(
    field.name for field in fields(InstanceScore) if field.name not in CASE_COLUMNS
)
# Column of each field: its key in summary.json, as a class has a precision as well.
COLUMNS = {name: name for name in NAMES} | {
    "precision": "instance_precision",
    "recall": "instance_recall",
}
# Of instances.csv, a file with a row per case that earlier versions wrote.
EARLIER_COLUMNS = {name: name for name in NAMES}
OPTIONAL = ("matched_dice", "identification_rate")


def list_cells(score: InstanceScore) -> dict[str, float | None]:
    """Return the cells of a case by column."""
    values = asdict(score)
    return {column: values[name] for name, column in COLUMNS.items()}


def parse_instances(
    row: Mapping[str, str], columns: Mapping[str, str] = COLUMNS
) -> InstanceScore | None:
    """Parse what `list_cells` returned.

    Args:
        row: The cells of a row by column.
        columns: Column of each of `NAMES`.

    Returns:
        The scores of a case; None if the row holds none.

    Raises:
        ValueError: If a column is missing, or a cell is invalid.
    """
    if not any(row.get(column) for column in columns.values()):
        return None
    cells: dict = {name: row[name] for name in CASE_COLUMNS}
    for name, column in columns.items():
        text = row.get(column)
        if text is None:
            raise ValueError(f"no {column}")
        if name in OPTIONAL and text == "":
            cells[name] = None
        elif name.startswith("num_"):
            cells[name] = int(text)
        else:
            cells[name] = parse_number(column, text)
    return InstanceScore(**cells)
