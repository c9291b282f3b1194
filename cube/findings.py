"""What checks of a cube find: faults, and notes on what is unusual but possible."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cube.reader import Cube
from system.text import count_of, on_one_line

WHOLE_CUBE = "whole cube"

BORDER = "label touches the scan's border"
CLASS_VOLUME = "unusual class volume"
IGNORED_VOXELS = "ignored voxels"
MAY_SWAP = "left and right may be swapped"
ORIENTATION = "unusual orientation"
SPACING = "unusual spacing"
SWAPPED = "left and right are swapped"
UNTRAINED_CLASS = "class without training scan"
# The kinds that a sound cube may have: a lumbar scan ends within a vertebra, and two
# protocols differ in their spacing. All other kinds are faults.
NOTES = frozenset(
    {
        BORDER,
        CLASS_VOLUME,
        IGNORED_VOXELS,
        MAY_SWAP,
        ORIENTATION,
        SPACING,
        UNTRAINED_CLASS,
    }
)


@dataclass(frozen=True)
class Finding:
    """One fault of a cube, or a note on it.

    Args:
        case_id: The case, or `WHOLE_CUBE`.
        copy: Copy number of the row; None for the case as a whole.
        kind: A few words, the same for all findings of the kind.
        message: What was expected and what was found, with values.
    """

    case_id: str
    copy: int | None
    kind: str
    message: str

    def __str__(self) -> str:
        row = f", copy {self.copy}" if self.copy else ""
        return on_one_line(f"{self.case_id}{row}: {self.kind}: {self.message}")

    @property
    def is_fault(self) -> bool:
        """Whether it must be fixed; a note may be correct."""
        return self.kind not in NOTES

    @property
    def severity(self) -> str:
        """Either "fault" or "note"."""
        return "fault" if self.is_fault else "note"


def finding_of(
    cube: Cube, row: int, kind: str, message: str, *, whole_case: bool = False
) -> Finding:
    """Return a finding about a row, or about its case as a whole."""
    copy = None if whole_case else cube.copies[row]
    return Finding(cube.case_ids[row], copy, kind, message)


def count_findings(findings: Sequence[Finding]) -> str:
    """Return how many there are of either, such as `1 fault, 2 notes`."""
    faults = sum(finding.is_fault for finding in findings)
    return f"{count_of(faults, 'fault')}, {count_of(len(findings) - faults, 'note')}"
