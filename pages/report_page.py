"""report.html of train.py and compareRuns.py: what was trained, and how good it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pages.rendering import write_page
from system.text import Part, Table


@dataclass(frozen=True)
class Section:
    """A section of the page: paragraphs and tables below a title."""

    title: str
    parts: Sequence[Part]


@dataclass(frozen=True)
class Picture:
    """A picture.

    Args:
        path: Its file, relative to the page.
        alt: What it shows, for readers who do not see it.
        caption: The line below it.
    """

    path: str
    alt: str
    caption: str = ""


@dataclass(frozen=True)
class CaseEntry:
    """A test case.

    Args:
        case_id: Its id.
        cells: Its row in the table of all cases, the case id first.
        networks: The picture of each network's prediction, or a line without one.
    """

    case_id: str
    cells: Sequence[str]
    networks: Sequence[Picture | str]


@dataclass(frozen=True)
class ReportPage:
    """The content of the page.

    Args:
        title: The networks.
        verdict: One sentence.
        facts: Titles and texts: what was trained on what.
        runs: The runs, a row for each; None if there is only one of each network.
        scores: The main tables, and what their columns mean.
        curves: The curves of the training.
        plots: Pictures of all scores.
        case_heads: Heads of the table of cases.
        cases: Worst first.
        sections: What comes after the cases: instances, costs, rules.
        networks: Pictures of the networks.
        commands: To reproduce this, one a line.
    """

    title: str
    verdict: str
    facts: Sequence[tuple[str, str]]
    commands: Sequence[str]
    runs: Table | None = None
    scores: Sequence[Part] = ()
    curves: Sequence[Picture] = ()
    plots: Sequence[Picture] = ()
    case_heads: Sequence[str] = ()
    cases: Sequence[CaseEntry] = ()
    sections: Sequence[Section] = ()
    networks: Sequence[Picture] = ()

    @property
    def case_table(self) -> Table:
        """The table of all cases."""
        return Table(self.case_heads, [case.cells for case in self.cases])

    @property
    def anchors(self) -> dict[str, str]:
        """The id on the page of each case's pictures."""
        return {case.case_id: f"case-{n}" for n, case in enumerate(self.cases)}


def write_report_page(path: Path, page: ReportPage) -> None:
    """Write the page."""
    write_page(path, "report", page)
