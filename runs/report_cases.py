"""The test cases of the report, worst first, each with its scores and overlays."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from evaluation.metrics import METRICS, class_names_of, subjects_of, values_by_case
from evaluation.scores import Score
from pages.report_page import CaseEntry, Picture
from runs.examples import list_overlays
from runs.folder import REPORT_PICTURES
from runs.gathering import Side
from system.atomic import atomic_write
from system.text import file_names, format_number

SHOWN = tuple(m for m in METRICS if m.key in ("dice", "hd95_mm", "nsd_1mm"))
DICE = METRICS[0]
NETWORKS = "networks"  # of copied pictures, the folder of the networks' diagrams


def list_cases(
    sides: Sequence[Side], output: Path
) -> tuple[list[str], list[CaseEntry]]:
    """Return the heads of the table of cases, and the cases, the lowest Dice first.

    Pictures that lie outside the folder of the report are copied into it.

    Args:
        sides: One network or two.
        output: The folder of the report.
    """
    folders = picture_folders(sides)
    of_sides = [_CaseScores(side, output, folders[side.name]) for side in sides]
    heads = ["Case", "Subject"]
    for metric in SHOWN:
        heads += [_head(metric.title, side, sides) for side in sides]
        if metric is DICE and len(sides) == 2:
            heads.append("Difference of Dice")
    if of_sides[0].has_classes:
        heads += [_head("Lowest class", side, sides) for side in sides]
    dice = [each.values[DICE.key] for each in of_sides]
    subjects = subjects_of(sides[0].scores)
    ordered = sorted(subjects, key=lambda case: (sum(d[case] for d in dice), case))
    return heads, [_make_entry(case, subjects[case], of_sides) for case in ordered]


class _CaseScores:
    """The scores and overlays of one network, by case."""

    def __init__(self, side: Side, output: Path, folder: str):
        self.name, self._output, self._folder = side.name, output, folder
        self.values = {m.key: values_by_case(side.scores, m) for m in SHOWN}
        self.has_classes = len(class_names_of(side.scores)) > 1
        self._lowest = _find_lowest(side.scores)
        self._overlays = list_overlays(side)

    def format(self, key: str, case_id: str, decimals: int) -> str:
        return format_number(self.values[key].get(case_id), decimals)

    def lowest(self, case_id: str) -> str:
        """The Dice and the name of the class with the lowest Dice."""
        score = self._lowest[case_id]
        return f"{score.dice:.3f} {score.class_name}"

    def describe(self, case_id: str) -> str:
        scores = [f"{m.title} {self.format(m.key, case_id, m.decimals)}" for m in SHOWN]
        if self.has_classes:
            scores.append(f"lowest class {self.lowest(case_id)}")
        return f"{self.name}: {', '.join(scores)}"

    def picture(self, case_id: str) -> Picture | str:
        line, path = self.describe(case_id), self._overlays[case_id]
        if not path.is_file():
            return f"{line}. There is no picture of this prediction."
        alt = f"Slices of {case_id} with the reference and the prediction of "
        placed = place_picture(path, self._output, f"{self._folder}/{path.name}")
        return Picture(placed, f"{alt}{line}", line)


def picture_folders(sides: Sequence[Side]) -> dict[str, str]:
    """Return the folder, in that of copied pictures, of each side's overlays."""
    return file_names([side.name for side in sides], reserved=[NETWORKS])


def place_picture(path: Path, output: Path, copy: str) -> str:
    """Return the path of a picture relative to the report; copy it if outside.

    Args:
        path: The picture.
        output: The folder of the report.
        copy: Path of the copy in the folder of copied pictures, which no other
            picture may have.
    """
    relative = Path(os.path.relpath(path.resolve(), output.resolve()))
    if ".." in relative.parts:
        relative = Path(REPORT_PICTURES, copy)
        with atomic_write(output / relative) as partial:
            shutil.copyfile(path, partial)
    return relative.as_posix()


def _find_lowest(scores: Sequence[Score]) -> Mapping[str, Score]:
    lowest: dict[str, Score] = {}
    for score in scores:
        known = lowest.setdefault(score.case_id, score)
        if score.dice < known.dice:
            lowest[score.case_id] = score
    return lowest


def _head(title: str, side: Side, sides: Sequence[Side]) -> str:
    return f"{title}, {side.name}" if len(sides) > 1 else title


def _make_entry(
    case_id: str, subject: str, of_sides: Sequence[_CaseScores]
) -> CaseEntry:
    cells = [case_id, subject]
    for metric in SHOWN:
        cells += [
            each.format(metric.key, case_id, metric.decimals) for each in of_sides
        ]
        if metric is DICE and len(of_sides) == 2:
            first, second = (each.values[DICE.key][case_id] for each in of_sides)
            cells.append(format_number(second - first, 3, sign=True))
    if of_sides[0].has_classes:
        cells += [each.lowest(case_id) for each in of_sides]
    return CaseEntry(case_id, cells, [each.picture(case_id) for each in of_sides])
