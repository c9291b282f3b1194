"""Evidence that cases of different subjects show one person.

A person in two splits is tested on a network that has seen them. Three things tell:

- Label maps with the same voxels, as where one was drawn for several contrasts.
- Paths that name one BIDS subject of one data set, `sub-01`.
- Paths that differ only in words for a contrast; see `cube.contrast_words`.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from cube.contrast_words import bids_subject, names_without_contrast
from cube.survey import CaseInfo
from system.errors import DataError

MAX_SHOWN = 10


@dataclass(frozen=True)
class Likeness:
    """Why two cases of different subjects may show one person.

    Args:
        one: A case.
        other: Another.
        kind: "label", "subject" or "name", by the evidence.
        evidence: A few words on it.
    """

    one: CaseInfo
    other: CaseInfo
    kind: str
    evidence: str

    @property
    def is_overruled(self) -> bool:
        """Whether the pair list says that these are two persons, by their names."""
        names_both = self.one.pair.names_subject and self.other.pair.names_subject
        return self.kind != "label" and names_both

    @property
    def pair(self) -> tuple[str, str]:
        """The two case ids."""
        return self.one.pair.case_id, self.other.pair.case_id

    @property
    def is_one_scan(self) -> bool:
        """Whether both are the same voxels."""
        return self.one.content_checksum == self.other.content_checksum

    def __str__(self) -> str:
        one, other = self.pair
        return f"'{one}' and '{other}' ({self.evidence})"


def check_persons(cases: Sequence[CaseInfo], *, allow: bool) -> list[str]:
    """Check that no person has two subjects, which could be in two splits.

    Two subjects in one split are refused too: statistics take them for two persons.

    Args:
        cases: Every case.
        allow: Whether to accept such cases.

    Returns:
        Notes on evidence that was overruled, on equal label maps that are no evidence,
        and on scans listed twice.

    Raises:
        DataError: If cases of two subjects look like one person and `allow` is off;
            the message names the cases and the evidence.
    """
    found, notes = _find_by_labels(cases)
    known = {likeness.pair for likeness in found}
    found += [each for each in _find_by_paths(cases) if each.pair not in known]
    found = [each for each in found if not each.is_one_scan]
    refused = [likeness for likeness in found if not likeness.is_overruled]
    if refused and not allow:
        raise DataError(
            "All scans of a person must have one subject, so that they are in one "
            "split and count as one person in statistics. Received different subjects "
            f"for what looks like one person: {_shown(refused)}. Name the person in "
            "the pair list, image,label,subject, or use --allow-same-person if these "
            "are different persons."
        )
    kept = [each for each in found if each in refused or each.kind == "subject"]
    kept += _find_accepted_duplicates(cases)
    if kept:
        notes.append(f"taken for different persons: {_shown(kept)}")
    return notes


def _shown(found: Sequence[Likeness]) -> str:
    text = "; ".join(map(str, found[:MAX_SHOWN]))
    more = len(found) - MAX_SHOWN
    return f"{text}; and {more} more" if more > 0 else text


def _find_accepted_duplicates(cases: Sequence[CaseInfo]) -> list[Likeness]:
    """List scans that are listed twice, which `check_duplicates` has accepted."""
    scans = {case.pair.case_id: case.content_checksum for case in cases}
    return [
        Likeness(first, other, "label", "the same scan")
        for first, *others in _group(cases, scans)
        for other in others
    ]


def _find_by_labels(
    cases: Sequence[CaseInfo],
) -> tuple[list[Likeness], list[str]]:
    """Find cases with equal label maps, and notes on those that are no evidence.

    A label map that all subjects of the list have in common, or three or more and three
    quarters of them, is that of phantoms or of an atlas: a person is one of several.
    """
    found, notes = [], []
    num_subjects = len({case.pair.subject for case in cases})
    labels = {case.pair.case_id: case.label_content_checksum for case in cases}
    for group in _group(cases, labels):
        first, *others = group
        is_most = len(group) >= 3 and 4 * len(group) >= 3 * num_subjects
        if is_most or len(group) == num_subjects:
            notes.append(
                f"label maps of {len(group)} subjects are equal, as of phantoms, which "
                f"is no evidence of one person (first {first.pair.case_id} and "
                f"{others[0].pair.case_id})"
            )
            continue
        found += [
            Likeness(first, other, "label", "equal label maps") for other in others
        ]
    return found, notes


def _find_by_paths(cases: Sequence[CaseInfo]) -> Iterator[Likeness]:
    """Yield the pairs whose paths name one subject, or differ in the contrast only."""
    images = {case.pair.case_id: case.pair.image for case in cases}
    subjects = {case_id: bids_subject(image) for case_id, image in images.items()}
    named = set()
    for first, *others in _group(cases, subjects):
        for other in others:
            subject = subjects[first.pair.case_id]
            evidence = f"both of {subject[1]}" if subject else ""
            likeness = Likeness(first, other, "subject", evidence)
            named.add(likeness.pair)
            yield likeness
    above = os.path.commonpath([os.path.abspath(p.parent) for p in images.values()])
    for first, *others in _group(cases, names_without_contrast(images)):
        for other in others:
            paths = [
                os.path.relpath(case.pair.image, above).replace(os.sep, "/")
                for case in (first, other)
            ]
            evidence = f"{' and '.join(paths)} differ only in contrast or visit"
            likeness = Likeness(first, other, "name", evidence)
            if likeness.pair not in named:
                yield likeness


def _group(
    cases: Sequence[CaseInfo], keys: Mapping[str, Hashable]
) -> list[list[CaseInfo]]:
    """Group the cases of one key, one of each subject; an empty key tells nothing.

    Returns:
        The groups of two subjects or more.
    """
    groups: dict[Hashable, dict[str, CaseInfo]] = defaultdict(dict)
    for case in cases:
        key = keys[case.pair.case_id]
        if key:
            groups[key].setdefault(case.pair.subject, case)
    return [list(group.values()) for group in groups.values() if len(group) > 1]
