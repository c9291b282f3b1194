"""index.html of checkCube.py: the findings of a cube, and a card for every case."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from pathlib import Path

from pages.rendering import write_page


@dataclass(frozen=True)
class FindingEntry:
    """A finding.

    Args:
        case_id: The case; not one of the page's for a finding about the whole cube.
        kind: A few words, the same for all findings of the kind.
        message: What was found, with values.
        is_fault: Whether it is a fault; else a note.
        copy: Number of the augmented copy; None or 0 for the scan or the whole case.
    """

    case_id: str
    kind: str
    message: str
    is_fault: bool
    copy: int | None = None


@dataclass(frozen=True)
class CaseCard:
    """A case of the cube, as its card shows it.

    Args:
        case_id: Its id.
        subject: The person.
        split: The split.
        facts: Titles and texts, such as the scan's spacing and size.
        sheet: File with the pictures of the case, relative to the page.
        thumbnail: File with a small picture, relative to the page.
    """

    case_id: str
    subject: str
    split: str
    facts: Sequence[tuple[str, str]]
    sheet: str
    thumbnail: str


@dataclass(frozen=True)
class FindingGroup:
    """The findings of one kind."""

    kind: str
    is_fault: bool
    findings: tuple[FindingEntry, ...]


@dataclass(frozen=True)
class CubePage:
    """The content of the page.

    Args:
        title: The cube's name.
        facts: Titles and texts about the cube.
        findings: In any order.
        cases: In the order of the cube.
    """

    title: str
    facts: Sequence[tuple[str, str]]
    findings: Sequence[FindingEntry]
    cases: Sequence[CaseCard]

    @cached_property
    def groups(self) -> list[FindingGroup]:
        """The findings by kind, faults before notes, the rarest kinds first."""
        ordered = sorted(self.findings, key=lambda f: (not f.is_fault, f.kind))
        groups = [
            FindingGroup(kind, not is_note, tuple(of_kind))
            for (is_note, kind), of_kind in groupby(
                ordered, key=lambda f: (not f.is_fault, f.kind)
            )
        ]
        return sorted(groups, key=lambda g: (not g.is_fault, len(g.findings)))

    @cached_property
    def number_of(self) -> dict[str, int]:
        """Place of each case on the page, counted from 0."""
        return {case.case_id: number for number, case in enumerate(self.cases)}

    @cached_property
    def kinds_of(self) -> dict[str, dict[str, bool]]:
        """The kinds of each case's findings, and whether they are faults."""
        kinds: dict[str, dict[str, bool]] = {case.case_id: {} for case in self.cases}
        for group in self.groups:
            for finding in group.findings:
                if finding.case_id in kinds:
                    kinds[finding.case_id][group.kind] = group.is_fault
        return kinds

    @cached_property
    def splits(self) -> list[str]:
        """The splits that occur, in the order of the cases."""
        return list(dict.fromkeys(case.split for case in self.cases))

    @cached_property
    def num_faults(self) -> int:
        """Number of the findings that are faults."""
        return sum(finding.is_fault for finding in self.findings)


def write_cube_page(path: Path, page: CubePage) -> None:
    """Write the page."""
    write_page(path, "cube", page)
