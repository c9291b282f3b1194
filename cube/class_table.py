"""The volume of each class and the number of cases that hold it, by split."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cube.class_report import count_classes
from cube.label_volumes import describe_unusual_class, find_unusual_classes
from cube.reader import Cube
from cube.splits import SPLITS
from cube.survey import CaseInfo
from system.atomic import atomic_text
from system.text import format_ml, format_table
from volumes.classes import Classes

CLASSES_NAME = "classes.csv"  # of checkCube.py
MOST_ROWS = 24  # of the table on the terminal
MOST_CHARACTERS = 30  # of a class's name there
HEADS = ("class", "median ml", "smallest", "largest", *SPLITS)


@dataclass(frozen=True)
class ClassVolumes:
    """The classes of one scan.

    Args:
        case_id: Of the scan.
        split: Of the scan.
        ml: Volume of each class, background first.
        cut: Whether each class reaches the border of the scan.
    """

    case_id: str
    split: str
    ml: tuple[float, ...]
    cut: tuple[bool, ...]


def measure_cases(
    classes: Classes, cases: Sequence[CaseInfo], splits: Sequence[str]
) -> list[ClassVolumes]:
    """Return the volumes in surveyed cases, on the scans' own grids."""
    measured = []
    for case, split in zip(cases, splits, strict=True):
        values = classes.values_in(case.label_values, case.names)
        ml = [sum(case.label_ml.get(value, 0.0) for value in each) for each in values]
        cut = [any(value in case.cut_values for value in each) for each in values]
        measured.append(ClassVolumes(case.pair.case_id, split, tuple(ml), tuple(cut)))
    return measured


def measure_cube(cube: Cube) -> list[ClassVolumes]:
    """Return the volumes in the scans of a cube, on its grid; `cut` is unknown."""
    voxel_ml = float(np.prod(cube.spacing)) / 1000
    unknown = (False,) * len(cube.class_names)
    measured = []
    for row in cube.rows(copy=0):
        ml = tuple(count * voxel_ml for count in count_classes(cube, row))
        case_id, split = cube.case_ids[row], cube.splits[row]
        measured.append(ClassVolumes(case_id, split, ml, unknown))
    return measured


def list_classes(
    names: Sequence[str], cases: Sequence[ClassVolumes]
) -> list[tuple[str, ...]]:
    """Return a row of texts for each class but the background; see `HEADS`."""
    rows = []
    for number, name in enumerate(names[1:], start=1):
        holding = [case for case in cases if case.ml[number] > 0]
        ml = [case.ml[number] for case in holding] or [0.0]
        volumes = [format_ml(value) for value in (np.median(ml), min(ml), max(ml))]
        counts = [sum(c.split == split for c in holding) for split in SPLITS]
        rows.append((name, *volumes, *map(str, counts)))
    return rows


def format_classes(names: Sequence[str], cases: Sequence[ClassVolumes]) -> str:
    """Format the classes as a table of at most 100 columns and `MOST_ROWS` rows."""
    rows = []
    for name, *cells in list_classes(names, cases):
        is_long = len(name) > MOST_CHARACTERS
        rows.append((f"{name[:MOST_CHARACTERS]}..." if is_long else name, *cells))
    text = format_table(HEADS, rows[:MOST_ROWS])
    if len(rows) > MOST_ROWS:
        text += (
            f"\nand {len(rows) - MOST_ROWS} more classes; checkCube.py writes all into "
            f"{CLASSES_NAME}"
        )
    return text


def describe_unusual(names: Sequence[str], cases: Sequence[ClassVolumes]) -> list[str]:
    """Return a sentence for each class of a case whose volume is unusual."""
    found = find_unusual_classes([c.ml for c in cases], [c.cut for c in cases])
    sentences = []
    for place, number, factor in found:
        case = cases[place]
        text = describe_unusual_class(names[number], case.ml[number], factor)
        sentences.append(f"{case.case_id}: {text}")
    return sentences


def write_classes(cube: Cube, path: Path) -> None:
    """Write the classes of a cube as CSV."""
    rows = list_classes(cube.class_names, measure_cube(cube))
    with atomic_text(path) as stream:
        csv.writer(stream).writerows([HEADS, *rows])
