"""One network's scores, or two networks', gathered from run folders to a page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from evaluation.case_plot import draw_cases
from evaluation.comparison import compare
from evaluation.comparison_page import format_comparison
from evaluation.curves import draw_curves, read_history
from evaluation.score_file import write_scores
from evaluation.tables import format_summary, summarize
from runs.folder import remove_page, write_json
from runs.gathering import Side, gather
from system.atomic import atomic_write

CASES = "![Every test case](cases.png)"
CURVES = "![Dice over epochs and minutes](curves.png)"


def compare_runs(
    folders: Sequence[Path],
    output: Path,
    against: Sequence[Path] = (),
    *,
    force: bool = False,
) -> str:
    """Compare two networks over the test cases of their runs.

    Writes `comparison.json`, `comparison.md`, `cases.png` and, where each network
    has one run, `curves.png`. Of one network alone, as a cross-validation may be:
    `scores.csv`, `summary.json`, `summary.md` and `cases.png`.

    Args:
        folders: Run folders; see `gather`.
        output: The folder to write to; touched once the runs are compared.
        against: Run folders of the second side; see `gather`.
        force: Whether to remove an earlier page from it first.

    Returns:
        The comparison, or the one network's scores, as a text table.

    Raises:
        DataError: If the runs cannot be read or do not compare fairly.
    """
    sides = gather(folders, against)
    histories = _read_histories(sides)
    is_scored = any(side.scores for side in sides)
    found = _condense(sides) if is_scored else {}
    if force:
        remove_page(output)
    if histories:
        draw_curves(histories, output / "curves.png")
    if not is_scored:
        return "No run has a test case, so there is nothing to compare."
    draw_cases({side.name: side.scores for side in sides}, output / "cases.png")
    if len(sides) == 1:
        name, layout = "summary", format_summary
        write_scores(output / "scores.csv", sides[0].scores)
    else:
        name, layout = "comparison", format_comparison
    write_json(output / f"{name}.json", found)
    about = tell_runs(sides)
    with atomic_write(output / f"{name}.md") as partial:
        parts = [f"# {' and '.join(side.name for side in sides)}", tell_where(sides)]
        parts += [*about, layout(found, markdown=True), CASES]
        parts += [CURVES] * bool(histories)
        partial.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    return "\n\n".join([*about, layout(found)])


def _read_histories(sides: Sequence[Side]) -> dict[str, list[dict]]:
    """Read the networks' curves; folds, whose curves would be too many, have none."""
    return {
        side.name: read_history(history)
        for side in sides
        if len(side.runs) == 1
        and (history := side.runs[0].path / "history.csv").exists()
    }


def _condense(sides: Sequence[Side]) -> dict:
    """Summarize one side, compare two."""
    if len(sides) == 1:
        (side,) = sides
        summary = summarize(side.scores)
        return summary | {"costs": side.costs, "runs": _list_runs(side)}
    first, second = sides
    comparison = compare(
        first.scores,
        second.scores,
        (first.name, second.name),
        {side.name: side.costs for side in sides},
    )
    return comparison | {"runs": {side.name: _list_runs(side) for side in sides}}


def _list_runs(side: Side) -> list[str]:
    return [str(run.path) for run in side.runs]


def tell_where(sides: Sequence[Side]) -> str:
    """Say of which cube the runs are, and on what they ran: minutes depend on it."""
    configs = [run.config for side in sides for run in side.runs]
    devices = dict.fromkeys(str(config.get("device")) for config in configs)
    cube, checksum = configs[0]["arguments"]["cube"], configs[0]["cube_checksum"]
    return f"Cube {cube} ({checksum[:12]}), on {' and on '.join(devices)}."


def tell_runs(sides: Sequence[Side]) -> list[str]:
    """Say what was gathered, where it was more than one run of a network."""
    num_runs = max(len(side.runs) for side in sides)
    if num_runs == 1:
        return []
    folds = sides[0].runs[0].fold[1]
    missing = sides[0].missing_folds()
    lacking = f", without {', '.join(map(str, missing))}" if missing else ""
    of_folds = f" of {folds} folds{lacking}" if folds else ""
    return [
        f"Gathered from {num_runs} runs{of_folds}: each case was tested by a network "
        "that never saw its subject. Minutes are\nthe mean of a run, seconds those of "
        "a scan, memory the most that any run took."
    ]
