"""The page of one network's scores, or of a comparison, from run folders."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from evaluation.case_plot import draw_cases
from evaluation.comparison import compare
from evaluation.comparison_page import format_comparison
from evaluation.curves import draw_curves, read_history
from evaluation.score_file import write_scores
from evaluation.tables import format_summary, summarise
from runs.case_choice import choose_cases
from runs.examples import draw_examples
from runs.folder import remove_page, write_json
from runs.gathering import Side, gather
from runs.report import write_report
from system.atomic import atomic_text

CASES = "![Every test case](cases.png)"
EXAMPLES = "![Worst, median and best case of each network](examples.png)"
CURVES_NAME = "curves.png"
CURVES = f"![Dice, loss and learning rate during training]({CURVES_NAME})"


class Outcome(NamedTuple):
    """What a comparison comes to.

    Args:
        verdict: In one sentence.
        text: The comparison, or the one network's scores, as text tables.
    """

    verdict: str
    text: str


def compare_runs(
    folders: Sequence[Path],
    output: Path,
    against: Sequence[Path] = (),
    *,
    cases: Sequence[str] = (),
    force: bool = False,
) -> Outcome:
    """Compare two networks over the test cases of their runs.

    Writes `report.html`, `comparison.json`, `comparison.md`, `cases.png` and, if each
    network has one run, `curves.png`. For one network alone, as in a cross-validation:
    `scores.csv`, `summary.json`, `summary.md` and `cases.png`. With fewer than three
    cases there is no `cases.png`. If the runs hold overlays of their cases,
    `examples.png` shows three of each network.

    Args:
        folders: Run folders; see `gather`.
        output: The folder to write to, once the runs are compared.
        against: Run folders of the second side; see `gather`.
        cases: Patterns of the cases to compare; see `choose_cases`.
        force: Whether to remove an earlier page from it first.

    Raises:
        DataError: If the runs cannot be read or are not comparable.
        UsageError: If a pattern matches no case.
    """
    sides = choose_cases(gather(folders, against), cases)
    histories = _read_histories(sides)
    is_scored = any(side.scores for side in sides)
    content = _build_content(sides) if is_scored else {}
    if force:
        remove_page(output)
    if histories:
        draw_curves(histories, output / CURVES_NAME)
    notes = describe_runs(sides)
    if cases:
        notes.append(f"Only cases named {' or '.join(cases)}.")
    text = "No run has a test case, so there is nothing to compare."
    if is_scored:
        description = [*notes, *describe_untrained_classes(sides)]
        text = _write_scores(sides, content, output, description)
    report = {"notes": notes, "cases": cases, "against": bool(against)}
    return Outcome(write_report(sides, content, output, **report), text)


def _write_scores(
    sides: Sequence[Side], content: dict, output: Path, description: Sequence[str]
) -> str:
    """Write tables, pictures and the page of Markdown; return it as text."""
    if len(sides) == 1:
        name, format_content = "summary", format_summary
        write_scores(output / "scores.csv", sides[0].scores, sides[0].instances)
    else:
        name, format_content = "comparison", format_comparison
    write_json(output / f"{name}.json", content)
    page = [f"# {' and '.join(side.name for side in sides)}", describe_origin(sides)]
    page += [*description, format_content(content, markdown=True)]
    if draw_cases({side.name: side.scores for side in sides}, output / "cases.png"):
        page.append(CASES)
    if draw_examples(sides, output / "examples.png"):
        page.append(EXAMPLES)
    if (output / CURVES_NAME).is_file():
        page.append(CURVES)
    with atomic_text(output / f"{name}.md") as stream:
        stream.write("\n\n".join(page) + "\n")
    return "\n\n".join([*description, format_content(content)])


def _read_histories(sides: Sequence[Side]) -> dict[str, list[dict]]:
    """Read the history of each network that has one run; folds would be too many."""
    histories = {}
    for side in sides:
        path = side.runs[0].path / "history.csv"
        if len(side.runs) == 1 and path.exists():
            histories[side.name] = read_history(path)
    return histories


def _build_content(sides: Sequence[Side]) -> dict:
    """Summarise one side, or compare two; add the paths of their runs."""
    if len(sides) == 1:
        (side,) = sides
        summary = summarise(side.scores, instances=side.instances)
        return summary | {"costs": side.costs, "runs": _list_runs(side)}
    first, second = sides
    comparison = compare(
        first.scores,
        second.scores,
        (first.name, second.name),
        {side.name: side.costs for side in sides},
        instances=(first.instances, second.instances),
    )
    return comparison | {"runs": {side.name: _list_runs(side) for side in sides}}


def _list_runs(side: Side) -> list[str]:
    return [str(run.path) for run in side.runs]


def describe_origin(sides: Sequence[Side]) -> str:
    """Return a sentence on the cube and the devices, on which the minutes depend."""
    configs = [run.config for side in sides for run in side.runs]
    devices = dict.fromkeys(str(config.get("device")) for config in configs)
    cube, checksum = configs[0]["arguments"]["cube"], configs[0]["cube_checksum"]
    return f"Cube {cube} ({checksum[:12]}), on {' and on '.join(devices)}."


def describe_runs(sides: Sequence[Side]) -> list[str]:
    """Return a paragraph on the runs of a network; none if each network has one."""
    num_runs = max(len(side.runs) for side in sides)
    if num_runs == 1:
        return []
    num_folds = sides[0].runs[0].fold[1]
    missing = sides[0].missing_folds()
    without = f", without {', '.join(map(str, missing))}" if missing else ""
    of_folds = f" of {num_folds} folds{without}" if num_folds else ""
    return [
        f"Gathered from {num_runs} runs{of_folds}: each case was tested by a network "
        "that never saw its subject. Minutes are\nthe mean per run, seconds the mean "
        "per scan, memory the maximum over the runs."
    ]


def describe_untrained_classes(sides: Sequence[Side]) -> list[str]:
    """Return a paragraph on classes that a run's training scans lacked; else none."""
    lacking = defaultdict(list)
    for side in sides:
        for run in side.runs:
            for name in run.config.get("untrained_classes", []):
                lacking[str(name)].append(str(run.path))
    lines = [
        f"No training scan of {', '.join(paths)} held class {name}."
        for name, paths in lacking.items()
    ]
    return ["\n".join(lines)] if lines else []
