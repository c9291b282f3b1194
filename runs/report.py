"""The content of report.html: one run, folds of one network, or two networks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from evaluation.case_plot import MOST_CASES, draw_cases
from evaluation.comparison import COSTS, format_counts
from evaluation.comparison_page import (
    describe_counts,
    describe_empty,
    format_cost,
    list_metrics,
)
from evaluation.curves import read_history
from evaluation.instance_tables import describe_instances
from evaluation.kept import describe_kept
from evaluation.scores import EMPTY_MASK_RULES
from evaluation.tables import (
    SAMPLING_RULES,
    describe_details,
    list_classes,
    list_means,
)
from evaluation.vertebrae import describe_vertebrae
from pages.report_page import Picture, ReportPage, Section, write_report_page
from runs.commands import list_commands
from runs.folder import REPORT_NAME, read_json
from runs.gathering import SUMMARY_FILE, Side, read_runs
from runs.report_cases import (
    NETWORKS,
    list_cases,
    picture_folders,
    place_picture,
)
from runs.report_facts import list_facts, list_runs
from system.text import Part, Table, format_interval, format_number


def write_report(
    sides: Sequence[Side],
    content: dict,
    output: Path,
    *,
    notes: Sequence[str] = (),
    cases: Sequence[str] = (),
    against: bool = False,
) -> str:
    """Write `report.html`, and copies of the pictures that lie outside its folder.

    Args:
        sides: One network or two.
        content: Result of `summarise` or `compare`; empty if nothing was tested.
        output: The folder of the page, in which `curves.png` and `cases.png` lie.
        notes: Sentences on the runs.
        cases: The patterns of --cases.
        against: Whether --against separated the sides.

    Returns:
        The verdict; see `describe_verdict`.
    """
    heads, entries = list_cases(sides, output) if content else ([], [])
    names = " and ".join(side.name for side in sides)
    notes = [" ".join(note.split()) for note in notes]  # as one line
    scores, sections = _describe_scores(sides, content)
    plot = _describe_plot(names, len(entries))
    page = ReportPage(
        title=names,
        verdict=describe_verdict(sides, content),
        facts=[*list_facts(sides), *(("Note", note) for note in notes)],
        commands=list_commands(sides, against, cases, output),
        runs=list_runs(sides),
        scores=scores,
        curves=_find_picture(output / "curves.png", _describe_curves(sides)),
        plots=_find_picture(output / "cases.png", plot) if content else [],
        case_heads=heads,
        cases=entries,
        sections=[
            *_list_warnings(sides),
            *sections,
            Section("Costs", [_list_costs(sides)]),
        ],
        networks=_list_networks(sides, output),
    )
    write_report_page(output / REPORT_NAME, page)
    return page.verdict


def report_run(run: Path, title: str, summary: dict) -> str:
    """Write `cases.png` and `report.html` of one run into its folder.

    Args:
        run: The folder, which holds everything else.
        title: What was tested.
        summary: Result of `summarise`; empty if nothing was tested.

    Returns:
        The verdict; see `describe_verdict`.
    """
    side = Side(title, tuple(read_runs([run])))
    if summary:
        draw_cases({title: side.scores}, run / "cases.png")
    return write_report([side], summary, run)


def describe_verdict(sides: Sequence[Side], content: dict) -> str:
    """Return in one sentence how good the network is, or which of two is better."""
    if "verdict" in content:
        return content["verdict"]
    if content:
        dice, name = content["over_classes"]["metrics"]["dice"], sides[0].name
        interval = ""
        if dice["interval"]:
            interval = f" (95 % interval {format_interval(dice['interval'], 3)})"
        return (
            f"{name} reaches a mean Dice of {format_number(dice['mean'], 3)}{interval} "
            f"over {format_counts(content)}."
        )
    best = [
        f"{max(values):.3f} of {side.name}"
        for side in sides
        if (values := _validation_dice(side))
    ]
    validation = f"; best validation Dice {', '.join(best)}" if best else ""
    return f"Nothing was tested, as there is no test case{validation}."


def _validation_dice(side: Side) -> list[float]:
    path = side.runs[0].path / "history.csv"
    history = read_history(path) if path.exists() else []
    values = [row.get("val_dice") for row in history]
    return [value for value in values if value is not None]


def _describe_scores(
    sides: Sequence[Side], content: dict
) -> tuple[list[Part], list[Section]]:
    """Return the main tables, and the sections on instances, vertebrae and rules."""
    if not content:
        return [], []
    if len(sides) == 1:
        scores: list[Part] = [list_means(content), list_classes(content)]
        details, rules = describe_details(content), EMPTY_MASK_RULES
        scores.append(SAMPLING_RULES)
    else:
        scores = [list_metrics(content), describe_counts(content)]
        details = describe_instances(content["instances"])
        details += describe_kept(content["kept"])
        if all(content["vertebrae"].values()):
            details += describe_vertebrae(content["vertebrae"])
        rules = describe_empty(content)
    sections = [Section("Instances, vertebrae and what was kept", details)]
    sections.append(Section("How empty masks are scored", _split(rules)))
    return scores, [section for section in sections if section.parts]


def _split(rules: str) -> list[str]:
    """Return the paragraphs of rules whose sentences may be wrapped."""
    return rules.replace(".\n", ".\n\n").split("\n\n")


def _list_warnings(sides: Sequence[Side]) -> list[Section]:
    """Return the section on the warnings of the tests; none without any."""
    warnings: list[Part] = [
        f"{side.name}: {warning}."
        for side in sides
        for run in side.runs
        # Earlier versions recorded none.
        for warning in read_json(run.path / SUMMARY_FILE).get("warnings", ())
    ]
    return [Section("Warnings", warnings)] if warnings else []


def _list_costs(sides: Sequence[Side]) -> Table:
    rows = [
        [title, *(format_cost(side.costs[key], decimals) for side in sides)]
        for key, title, decimals in COSTS
    ]
    return Table(["Cost", *(side.name for side in sides)], rows)


def _find_picture(path: Path, alt: str) -> list[Picture]:
    return [Picture(path.name, alt)] if path.is_file() else []


def _describe_curves(sides: Sequence[Side]) -> str:
    """Return the text for the curves, which only a network of one run has."""
    drawn = [
        side.name
        for side in sides
        if len(side.runs) == 1 and (side.runs[0].path / "history.csv").is_file()
    ]
    return f"Dice, loss and learning rate of {' and '.join(drawn)} over the training"


def _describe_plot(names: str, num_cases: int) -> str:
    """Return the text for the plot of cases, which may leave some out."""
    cases = "every test case"
    if num_cases > MOST_CASES:
        cases = f"the {MOST_CASES} worst of {num_cases} test cases"
    return f"Dice, HD95 and NSD of {cases}: a point for each case of {names}"


def _list_networks(sides: Sequence[Side], output: Path) -> list[Picture]:
    """Return the diagram of each network that was trained here."""
    pictures, names = [], picture_folders(sides)
    for side in sides:
        path = side.runs[0].path / "architecture.png"
        if path.is_file():
            alt = f"Layers of {side.name}, from the patch to the classes"
            copy = f"{NETWORKS}/{names[side.name]}.png"
            placed = place_picture(path, output, copy)
            pictures.append(Picture(placed, alt, side.name))
    return pictures
