"""What is left of the path of a scan without words for its contrast.

Words for a plane or a visit count as well. They stand between separators in the names
of folders and files, `1_t1.nrrd`, `t1/1.nrrd`, `patient1/T1w.nrrd`, and tell scans of
one person apart. Numbers stay: `scan_1` and `scan_2` are two persons.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from volumes.formats.files import stem_of

WORD = re.compile(
    r"t[12](w|c|ce|gd|fs|s|star|rho)?|pd(w|fs)?|stir|tirm|flair|spir|fs|fatsat"
    r"|m?dixon|in|out|opp|opposed|(in|out|outof|opposed)?phase|ip|op|water|fat|w|f"
    r"|dwi|adc|swi|tse|fse|gre|spgr|vibe|space|mprage|haste|dess|ciss|fiesta|trufi"
    r"|mra?|mri|cta?|cect|ncct|cbct|ce|gd|gad|contrast|native|arterial|venous|portal"
    r"|delayed|pre|post|preop|postop|baseline|followup"
    r"|tra|ax|axial|transvers(e|al)|sag|sagittal|cor|coronal"
    r"|(echo|run|ses|session|visit|acq)[0-9]*"
)
# Entities of BIDS other than the subject: `ses-02`, `run-1`.
BIDS_ENTITY = re.compile(
    r"(?<![a-z0-9])(ses|run|acq|echo|ce|rec|dir|inv|mod|part|desc|space)-[a-z0-9]+"
)
BIDS_SUBJECT = re.compile(r"(sub-[a-z0-9]+)(?![a-z0-9-])", re.IGNORECASE)
SEPARATORS = re.compile(r"[\s_.,;+()\[\]-]+")
# What is left of a scan that is named by its contrast alone: it names no one.
NAMELESS = frozenset(
    ("image", "images", "img", "scan", "scans", "volume", "volumes", "data", "raw")
)
NUMBER_OF_T = re.compile(r"t(\d+)")


def bids_subject(path: Path) -> tuple[str, str] | None:
    """Return the data set's folder and the subject, `sub-01`; None if none is named."""
    parts = Path(os.path.abspath(path)).parts
    for number, part in enumerate(parts):
        match = BIDS_SUBJECT.match(part)
        if match:
            return os.path.join(*parts[:number]), match[1]
    return None


def names_without_contrast(images: Mapping[str, Path]) -> dict[str, tuple[str, ...]]:
    """Return what is left of each path, below the folder that all have in common.

    Args:
        images: Path of each scan, by case id.

    Returns:
        The words left in each folder and in the file, by case id; empty if they name
        no one. T1 and T2 are no contrasts where a T3 is: there they are numbers.
    """
    absolute = {case_id: Path(os.path.abspath(p)) for case_id, p in images.items()}
    above = os.path.commonpath([path.parent for path in absolute.values()])
    parts = {
        case_id: [*path.relative_to(above).parts[:-1], stem_of(path)]
        for case_id, path in absolute.items()
    }
    numbers = defaultdict(set)
    for each in parts.values():
        numbers[_left_of(each, any_t=True)] |= _numbers_of_t(each)
    return {
        case_id: _left_of(
            each, keep_t=bool(numbers[_left_of(each, any_t=True)] - {1, 2})
        )
        for case_id, each in parts.items()
    }


def _words_of(part: str) -> list[str]:
    return SEPARATORS.split(BIDS_ENTITY.sub("", part.casefold()))


def _numbers_of_t(parts: list[str]) -> set[int]:
    found = [NUMBER_OF_T.fullmatch(word) for part in parts for word in _words_of(part)]
    return {int(match[1]) for match in found if match}


def _left_of(
    parts: list[str], *, any_t: bool = False, keep_t: bool = False
) -> tuple[str, ...]:
    """Return the words left in each part, joined; empty if they name no one.

    Args:
        parts: Names of folders and of the file.
        any_t: Whether to remove every T with a number, not only T1 and T2.
        keep_t: Whether to remove none of these.
    """
    left = []
    for part in parts:
        words = [word for word in _words_of(part) if word]
        if not keep_t:
            words = [w for w in words if not (any_t and NUMBER_OF_T.fullmatch(w))]
        words = [
            word
            for word in words
            if (keep_t and NUMBER_OF_T.fullmatch(word)) or not WORD.fullmatch(word)
        ]
        if words:
            left.append("_".join(words))
    return () if set(left) <= NAMELESS else tuple(left)
