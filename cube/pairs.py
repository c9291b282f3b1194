"""Reading the pair list: each line lists an image and its label map.

A line has the form `image,label`, optionally followed by `,subject` and `,split`.
Paths are relative to the list. Empty lines and lines that start with `#` are ignored.
A name may be in parentheses or double quotes; a name with a comma must be in quotes.
The image may be a folder with one DICOM series.

A line `labels: verse`, `labels: totalsegmentator` or `labels: FILE.csv` states what the
values of the label maps on the lines after it mean; `labels: none` ends it.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path

from cube.list_text import (
    heading_fault,
    heading_roles,
    is_ignored,
    merge_separator_faults,
    read_list,
    resolve,
    split_columns,
    unquote,
)
from cube.splits import SPLITS
from system.command_line import nearest
from system.errors import DataError
from system.text import short_repr
from volumes.formats.files import SUFFIXES, is_series_folder, suffix_of
from volumes.label_tables import SCHEMES, LabelTable, read_label_table
from volumes.scan_names import choose_case_ids

MAX_SHOWN_FAULTS = 50


@dataclass(frozen=True)
class Pair:
    """A scan and its label map.

    Args:
        image: The intensity volume.
        label: The label map.
        case_id: A short name, unique in the list and usable as a file name.
        subject: The person; the case id if the list names none.
        split: "train", "validation" or "test"; None if the list names none.
        line: Line number in the list, from 1.
        label_table: What the values of the label map mean, if it has no names of its
            own; None if the list does not state it.
        names_subject: Whether the list names the subject.
    """

    image: Path
    label: Path
    case_id: str
    subject: str
    split: str | None
    line: int
    label_table: LabelTable | None = None
    names_subject: bool = False


def read_pairs(path: str | Path, *, may_be_missing: bool = False) -> list[Pair]:
    """Read a pair list and check all of its lines.

    Args:
        path: The list, UTF-8 text.
        may_be_missing: Whether to accept files that do not exist.

    Returns:
        The pairs in the order of the list, at least one.

    Raises:
        DataError: If the list cannot be read or has faults; the message lists each
            fault with its line number.
    """
    path = Path(path)
    pairs, faults = _parse(read_list(path), path.parent)
    faults += _path_faults(pairs, may_be_missing=may_be_missing)
    # Case ids are only chosen for a valid list; faults name the line.
    case_ids = [f"line {pair.line}" for pair in pairs]
    if not faults:
        case_ids = choose_case_ids([pair.image for pair in pairs])
    pairs = [
        replace(pair, case_id=case_id, subject=pair.subject or case_id)
        for pair, case_id in zip(pairs, case_ids, strict=True)
    ]
    faults += [*_spelling_faults(pairs), *_split_faults(pairs)]
    if not pairs and not faults:
        raise DataError(
            f"{path}: the pair list must have at least one line image,label. "
            "Received: none"
        )
    if faults:
        raise DataError(_describe_faults(path, sorted(faults)))
    return pairs


def list_notes(pairs: Sequence[Pair]) -> list[str]:
    """List a sentence for each subject that may be a misspelt split.

    Only of lines without a split; "val" is one, "test1" is a subject.
    """
    notes = []
    for pair in pairs:
        word = pair.subject.lower()
        is_word = pair.names_subject and pair.split is None and word.isalpha()
        found = get_close_matches(word, SPLITS, 1, 0.8) if is_word else []
        if is_word and len(word) > 2:
            found += [split for split in SPLITS if split.startswith(word)]
        if found:
            notes.append(
                f"line {pair.line}: {pair.subject!r} was taken for a subject. Did you "
                f"mean the split {found[0]}?"
            )
    return notes


def _describe_faults(path: Path, faults: Sequence[tuple[int, str]]) -> str:
    """Return the number of faults, and a line for each of the first."""
    count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
    text = [f"{path}: {count} in the pair list."]
    text += [f"  line {number}: {fault}" for number, fault in faults[:MAX_SHOWN_FAULTS]]
    if len(faults) > MAX_SHOWN_FAULTS:
        text.append(f"  and {len(faults) - MAX_SHOWN_FAULTS} more")
    return "\n".join(text)


def _parse(
    lines: Sequence[str], folder: Path
) -> tuple[list[Pair], list[tuple[int, str]]]:
    """Return the pairs, still without case ids, and the faults of the other lines."""
    pairs, faults = [], []
    label_table, headings = None, None
    for number, content in enumerate(lines, start=1):
        content = content.strip()
        if is_ignored(content):
            continue
        statement = re.match(r"labels\s*:", content, re.IGNORECASE)
        if statement:
            word = content[statement.end() :].rstrip(" \t,")  # Excel's empty cells
            label_table, fault = _find_label_table(word, folder)
            faults += [(number, fault)] if fault else []
            continue
        columns, fault = split_columns(content)
        if fault:
            faults.append((number, fault))
            continue
        found = heading_roles(columns)
        if found is not None:
            headings, fault = found, heading_fault(found)
            faults += [(number, fault)] if fault else []
            continue
        is_split = headings == ["image", "label", "split"]
        if len(columns) == 3 and (is_split or columns[2].lower() in SPLITS):
            columns.insert(2, "")  # a split without a subject
        columns += [""] * (4 - len(columns))
        image, label, subject, split = columns
        if split and split.lower() not in SPLITS:
            fault = f"the split must be one of {', '.join(SPLITS)}. Received: {split!r}"
            faults.append((number, f"{fault}.{nearest(split, SPLITS)}"))
            split = ""
        pairs.append(
            Pair(
                image=resolve(image, folder),
                label=resolve(label, folder),
                case_id="",
                subject=unicodedata.normalize("NFC", subject),
                names_subject=bool(subject),
                split=split.lower() or None,
                line=number,
                label_table=label_table,
            )
        )
    return pairs, merge_separator_faults(faults)


def _find_label_table(word: str, folder: Path) -> tuple[LabelTable | None, str]:
    """Return the table that a line `labels: ...` states, and the fault if any."""
    word = unquote(word)
    scheme = word.casefold()
    if scheme == "none":
        return None, ""
    if scheme in SCHEMES:
        return SCHEMES[scheme], ""
    if not Path(word).suffix:
        return None, (
            f"labels: must be followed by {', '.join(SCHEMES)}, none or a CSV file. "
            f"Received: {short_repr(word)}.{nearest(word, SCHEMES)}"
        )
    try:
        return read_label_table(resolve(word, folder)), ""
    except DataError as error:
        return None, str(error)


def _path_faults(
    pairs: Sequence[Pair], *, may_be_missing: bool
) -> Iterator[tuple[int, str]]:
    """Yield files that are missing, of an unknown format, or listed twice."""
    first_use: dict[str, tuple[Pair, str]] = {}
    for pair in pairs:
        for role, path in (("image", pair.image), ("label", pair.label)):
            is_series = role == "image" and is_series_folder(path)
            if not (suffix_of(path) or is_series):
                forms = f"end in one of {', '.join(SUFFIXES)}"
                if role == "image":
                    forms += ", or be a folder with one DICOM series"
                yield pair.line, f"the {role} must {forms}. Received: {path}"
            elif not (may_be_missing or is_series or os.path.isfile(path)):
                what = "is not a file" if os.path.exists(path) else "does not exist"
                yield pair.line, f"the {role} {path} {what}"
            first, other = first_use.setdefault(os.path.realpath(path), (pair, role))
            if (first, other) != (pair, role):
                fault = _reuse_fault(pair, role, path, first, other)
                if fault:
                    yield pair.line, fault


def _reuse_fault(pair: Pair, role: str, path: Path, first: Pair, other: str) -> str:
    """Return what is wrong with a file named twice; "" for a label map of one person.

    Scans of one person on one grid, as of several MR contrasts, may share it.
    """
    if role == other == "label":
        if pair.subject and pair.subject.casefold() == first.subject.casefold():
            return ""
        return (
            "a label map may be shared by scans of one subject only. Received: the "
            f"label {path} is also the label of line {first.line}; give both lines "
            "the same subject in the third column"
        )
    return (
        f"a file must be used once. Received: the {role} {path} is also the {other} "
        f"of line {first.line}"
    )


def _spelling_faults(pairs: Sequence[Pair]) -> Iterator[tuple[int, str]]:
    """Yield subjects that differ only in upper and lower case: likely one person."""
    first_case: dict[str, Pair] = {}
    for pair in pairs:
        first = first_case.setdefault(pair.subject.casefold(), pair)
        if first.subject != pair.subject:
            yield (
                pair.line,
                "a subject must be spelled the same on all lines. Received: "
                f"{pair.subject!r}, and {first.subject!r} on line {first.line}",
            )


def _split_faults(pairs: Sequence[Pair]) -> Iterator[tuple[int, str]]:
    """Yield subjects whose cases are in more than one split."""
    first_case: dict[str, Pair] = {}
    for pair in pairs:
        if pair.split is None:
            continue
        first = first_case.setdefault(pair.subject, pair)
        if first.split != pair.split:
            yield (
                pair.line,
                f"a subject must be in one split. Received: {pair.subject!r} in "
                f"{pair.split}, and in {first.split} on line {first.line}",
            )
