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
    r"t[12](w|c|ce|gd|fs|s|star|rho|weighted|flair)?|weighted|pd(w|fs)?|stir|tirm"
    r"|flair|spir|fs|fatsat|m?dixon|opp|opposed|(in|out|outof|opposed)?phase|ip|op"
    r"|water|fat|soft|bone|lung|(te|tp)[0-9]+"
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
# Words that tell a contrast only beside another one; alone, "w" may be a person.
PHRASE = re.compile(
    r"(?<![a-z0-9])(dixon[\s_-]+[wf]|(in|out|opp|opposed)[\s_-]+phase)(?![a-z0-9])"
)
BIDS_SUBJECT = re.compile(r"(sub-[a-z0-9]+)(?![a-z0-9-])", re.IGNORECASE)
SEPARATORS = re.compile(r"[\s_.,;+()\[\]-]+")
# What is left of a scan that is named by its contrast alone: it names no one.
NAMELESS = frozenset(
    ("image", "images", "img", "scan", "scans", "volume", "volumes", "data", "raw")
)
NUMBER_OF_T = re.compile(r"t(\d+)")
# Folders of a BIDS data set, above those of its subjects.
BIDS_FOLDERS = frozenset(("derivatives", "rawdata", "sourcedata"))


def bids_subject(path: Path) -> tuple[str, str] | None:
    """Return the data set's folder and the subject, `sub-01`; None if none is named.

    As BIDS has it, the file's own name begins with the subject: a folder called
    `sub-study` is none.
    """
    parts = Path(os.path.abspath(path)).parts
    match = BIDS_SUBJECT.match(parts[-1])
    if match is None:
        return None
    subject = match[1].casefold()
    above = []
    for part in parts[:-1]:
        if part.casefold() == subject or part.casefold() in BIDS_FOLDERS:
            break
        above.append(part)
    return os.path.join(*above), subject


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
    part = re.sub(r"(?<=\d)(?=t[12](?!\d))", "_", part.casefold())  # 1T1, 1T2
    return SEPARATORS.split(PHRASE.sub("", BIDS_ENTITY.sub("", part)))


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
