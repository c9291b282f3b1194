"""A picture of the worst, the median and the best case of each network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from evaluation.metrics import METRICS, values_by_case
from evaluation.scores import Score
from runs.folder import read_json
from runs.gathering import Run, Side
from system.atomic import atomic_write
from system.text import file_names
from volumes.panels import (
    TEXT_COLOR,
    draw_text,
    stack_horizontally,
    stack_vertically,
)

MIN_CASES = 3  # or two of the three would be one


def draw_examples(sides: Sequence[Side], path: Path) -> bool:
    """Draw the overlays that the runs hold of three cases of each network.

    Each network has a column. An overlay names its case; the Dice is above it.

    Args:
        sides: Of a comparison, or the one network that was tested.
        path: PNG to write.

    Returns:
        Whether it was written; False if a network has fewer than three cases, or if
        one of the overlays is gone.
    """
    columns = []
    for side in sides:
        overlays = list_overlays(side)
        examples = choose_examples(side.scores)
        if not examples or not all(overlays[case].is_file() for case, _ in examples):
            return False
        pictures = []
        names = ("Worst", "Median", "Best")
        for name, (case_id, dice) in zip(names, examples, strict=True):
            with Image.open(overlays[case_id]) as overlay:
                words = f"{name} case of {side.name}: Dice {dice:.3f}"
                text = draw_text([(words, TEXT_COLOR)], overlay.width, 16)
                pictures += [part for part in (text, overlay.copy()) if part]
        columns.append(stack_vertically(pictures))
    sheet = stack_horizontally(columns, align=0.0)
    with atomic_write(path) as partial:
        sheet.save(partial, format="PNG")
    return True


def choose_examples(scores: Sequence[Score]) -> list[tuple[str, float]]:
    """Return the worst, the median and the best case with its Dice.

    Dice is the mean over classes. Of an even number of cases, the lower of the two
    in the middle is the median.

    Returns:
        Three cases, or none if there are fewer.
    """
    by_case = values_by_case(scores, METRICS[0])
    ranked = sorted(by_case.items(), key=lambda item: (item[1], item[0]))
    if len(ranked) < MIN_CASES:
        return []
    return [ranked[0], ranked[(len(ranked) - 1) // 2], ranked[-1]]


def list_overlays(side: Side) -> dict[str, Path]:
    """Return the path at which a run keeps the overlay of each of its cases."""
    paths = {}
    for run in side.runs:
        names = _name_files(run)
        for score in run.scores:
            name = f"{names[score.case_id]}.png"
            paths[score.case_id] = run.path / "overlays" / name
    return paths


def _name_files(run: Run) -> dict[str, str]:
    """Return the names of the files of each case, as unique as in its whole cube."""
    record = run.path / "splits.json"
    cases = read_json(record)["cases"] if record.is_file() else []
    case_ids = [str(case["case_id"]) for case in cases]
    return file_names([*case_ids, *(score.case_id for score in run.scores)])
