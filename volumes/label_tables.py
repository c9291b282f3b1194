"""Tables that say which structure each value of a label map is.

Label maps without names need one: a known scheme, or a CSV file of values and names.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from system.errors import DataError
from system.limits import MAX_LABEL
from system.text import shorten
from volumes.structures import (
    CERVICAL,
    LUMBAR,
    THORACIC,
    canonical_name,
    is_unnamed,
)
from volumes.vertebrae import VERTEBRAE
from volumes.volume import Segment

MAX_BYTES = 2**20
# Heads of a column of values and of names, the surest first.
VALUE_HEADS = ("value", "label value", "labelvalue", "id", "index", "label")
NAME_HEADS = ("name", "structure", "label name", "segment name", "label")


@dataclass(frozen=True)
class LabelTable:
    """Structures by label value.

    Args:
        name: Of the scheme or the file, for messages.
        names: Canonical name of each value; see `canonical_name`.
    """

    name: str
    names: Mapping[int, str]


VERSE = LabelTable("verse", {**VERTEBRAE, 26: "sacrum", 27: "coccyx"})
# Version 2 of TotalSegmentator, task "total", counted upwards from the sacrum. Its
# other structures have no name here; a CSV file can name them.
TOTALSEGMENTATOR = LabelTable(
    "totalsegmentator",
    {
        25: "sacrum",
        26: "S1",
        **dict(enumerate(reversed(CERVICAL + THORACIC[:12] + LUMBAR[:5]), start=27)),
    },
)
SCHEMES = {table.name: table for table in (VERSE, TOTALSEGMENTATOR)}


def list_schemes(values: Sequence[int]) -> list[LabelTable]:
    """Return the known schemes that name all of some values."""
    return [table for table in SCHEMES.values() if set(values) <= table.names.keys()]


def offer_schemes(flag: str, values: Sequence[int] = ()) -> str:
    """Return what a user may write who states the scheme of a label map.

    >>> offer_schemes("labels:")
    '`labels: verse`, `labels: totalsegmentator` or `labels: FILE.csv`'
    >>> offer_schemes("--scheme", [8, 26])
    '`--scheme verse` or `--scheme FILE.csv`'

    Args:
        flag: Before the scheme.
        values: That a known scheme must name to be offered.
    """
    words = [f"`{flag} {table.name}`" for table in list_schemes(values)]
    last = f"`{flag} FILE.csv`"
    return f"{', '.join(words)} or {last}" if words else last


def name_values(
    segments: Sequence[Segment], table: LabelTable | None
) -> tuple[dict[int, str], list[str]]:
    """Return the name of each value of a label map, and what had to be assumed.

    The label map's own names count; the table only if it has none of its own. Names
    that programs give by themselves, such as "Segment_1", are none.

    Args:
        segments: The structures that the label map names.
        table: What the pair list states; None without a statement.
    """
    names: dict[int, str] = {}
    notes = []
    for segment in segments:
        name = canonical_name(segment.name)
        if is_unnamed(name):
            continue
        first = names.setdefault(segment.value, name)
        if first != name:
            notes.append(
                f"the label map calls value {segment.value} '{first}' and '{name}'; "
                f"taken for '{first}'"
            )
    if not names and table is not None:
        names = dict(table.names)
    return names, notes


def read_label_table(path: Path) -> LabelTable:
    """Read a table of label values and names from a CSV file.

    The first row may be a header that names the two columns among others, such as
    `group,structure,id`; without it, a row is `value,name`. Columns are separated by
    commas, semicolons or tabs. The background, 0, is left out.

    Args:
        path: UTF-8 text of at most a mebibyte.

    Raises:
        DataError: If the file cannot be read, a value or a name is missing, invalid
            or given twice; the message names the line.
    """
    lines = _read_lines(path)
    rows = _parse_rows(path, lines)
    if not rows:
        raise DataError(
            f"{path}: must have at least one row value,name. Received: none"
        )
    value_column, name_column, has_header = _find_columns(path, *rows[0])
    names: dict[int, str] = {}
    first_lines: dict[int | str, int] = {}
    for number, row in rows[1:] if has_header else rows:
        value, name = _parse_row(path, number, row, value_column, name_column)
        for key in (value, name):
            first = first_lines.setdefault(key, number)
            if first != number:
                raise DataError(
                    f"{path}: each value and each name must be given once. "
                    f"Received: {key!r} in line {number} and in line {first}"
                )
        names[value] = name
    names.pop(0, None)
    return LabelTable(path.name, names)


def _read_lines(path: Path) -> list[str]:
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise DataError(
                f"{path}: a table of labels must have at most {MAX_BYTES} bytes. "
                "Received: more"
            )
        return re.split(r"\r\n|\r|\n", content.decode("utf-8-sig"))
    except OSError as error:
        raise DataError(f"{path}: could not be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: must be UTF-8 text. Received: {error}") from error


def _parse_rows(path: Path, lines: Sequence[str]) -> list[tuple[int, list[str]]]:
    """Return the line number and the cells of each row that is not empty."""
    first = next((line for line in lines if line.strip()), "")
    separator = max(",;\t", key=first.count)
    reader = csv.reader(lines, delimiter=separator, skipinitialspace=True)
    rows = []
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if any(cells):
                rows.append((reader.line_num, cells))
    except csv.Error as error:
        raise DataError(
            f"{path}: line {reader.line_num} must be CSV. Received: {error}"
        ) from error
    return rows


def _find_columns(path: Path, number: int, row: Sequence[str]) -> tuple[int, int, bool]:
    """Return the columns of values and names, and whether the row is a header."""
    if _is_value(row[0]):
        return 0, 1, False
    heads = [canonical_name(cell) for cell in row]
    value = next((heads.index(head) for head in VALUE_HEADS if head in heads), None)
    name = next(
        (
            heads.index(head)
            for head in NAME_HEADS
            if head in heads and heads.index(head) != value
        ),
        None,
    )
    if value is None or name is None:
        raise DataError(
            f"{path}: line {number} must be value,name, or a header with a column "
            f"{', '.join(VALUE_HEADS)} and a column {', '.join(NAME_HEADS)}. "
            f"Received: {shorten(repr(','.join(row)))}"
        )
    return value, name, True


def _is_value(text: str) -> bool:
    return re.fullmatch(r"0*\d{1,5}", text) is not None and int(text) <= MAX_LABEL


def _parse_row(
    path: Path, number: int, row: Sequence[str], value_column: int, name_column: int
) -> tuple[int, str]:
    value = row[value_column] if value_column < len(row) else ""
    name = canonical_name(row[name_column]) if name_column < len(row) else ""
    if not _is_value(value) or not name:
        raise DataError(
            f"{path}: line {number} must have a value from 0 to {MAX_LABEL} and a "
            f"name. Received: {shorten(repr(value))} and {shorten(repr(name))}"
        )
    return int(value), name
