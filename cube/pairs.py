"""Reading the pair list: each line lists an image and its label map.

A line has the form `image,label`, optionally followed by `,subject` and `,split`.
Paths are relative to the list. Empty lines and lines that start with `#` are ignored.
A name may be in parentheses or double quotes; a name with a comma must be in quotes.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cube.splits import SPLITS
from system.errors import DataError
from system.text import short_repr
from volumes.formats.files import SUFFIXES, stem_of, suffix_of

# The largest public collections of spines have some thousands of scans; a list of a
# million lines is a mistake, and checking its files would take minutes.
MAX_LINES = 20_000
MAX_BYTES = 2**23
MAX_LINE_CHARACTERS = 20_000
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
    """

    image: Path
    label: Path
    case_id: str
    subject: str
    split: str | None
    line: int


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
    pairs, faults = _parse(_read_text(path), path.parent)
    faults += _path_faults(pairs, may_be_missing=may_be_missing)
    # Case ids are only chosen for a valid list; faults name the line.
    case_ids = [f"line {pair.line}" for pair in pairs]
    if not faults:
        case_ids = _choose_case_ids([pair.image for pair in pairs])
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


def _describe_faults(path: Path, faults: Sequence[tuple[int, str]]) -> str:
    """Return the number of faults, and a line for each of the first."""
    count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
    text = [f"{path}: {count} in the pair list."]
    text += [f"  line {number}: {fault}" for number, fault in faults[:MAX_SHOWN_FAULTS]]
    if len(faults) > MAX_SHOWN_FAULTS:
        text.append(f"  and {len(faults) - MAX_SHOWN_FAULTS} more")
    return "\n".join(text)


def _read_text(path: Path) -> str:
    """Read the list, unless it is too long."""
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
        stripped = content.rstrip(b"\r\n")
        lines = 1 + max(stripped.count(b"\n"), stripped.count(b"\r"))
        if len(content) > MAX_BYTES or lines > MAX_LINES:
            size = f"{len(content)} bytes"
            if len(content) > MAX_BYTES:
                size = f"more than {MAX_BYTES} bytes"
            raise DataError(
                f"{path}: a pair list must have at most {MAX_LINES} lines and "
                f"{MAX_BYTES} bytes. Received: {lines} lines in {size}"
            )
        return content.decode("utf-8-sig")
    except OSError as error:
        raise DataError(f"{path}: could not be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: must be UTF-8 text. Received: {error}") from error


def _parse(text: str, folder: Path) -> tuple[list[Pair], list[tuple[int, str]]]:
    """Return the pairs, still without case ids, and the faults of the other lines."""
    pairs, faults = [], []
    for number, content in enumerate(re.split(r"\r\n|\r|\n", text), start=1):
        content = content.strip()
        if not content or content.startswith("#"):
            continue
        columns, fault = _split_columns(content)
        if fault:
            faults.append((number, fault))
            continue
        if len(columns) == 3 and columns[2].lower() in SPLITS:
            columns.insert(2, "")  # a split without a subject
        columns += [""] * (4 - len(columns))
        image, label, subject, split = columns
        if split and split.lower() not in SPLITS:
            fault = f"the split must be one of {', '.join(SPLITS)}. Received: {split!r}"
            faults.append((number, fault))
            split = ""
        pairs.append(
            Pair(
                image=_resolve(image, folder),
                label=_resolve(label, folder),
                case_id="",
                subject=unicodedata.normalize("NFC", subject),
                split=split.lower() or None,
                line=number,
            )
        )
    return pairs, faults


def _split_columns(content: str) -> tuple[list[str], str]:
    """Split a line at commas outside double quotes; return columns or a fault."""
    received = short_repr(content)
    if "\0" in content or len(content) > MAX_LINE_CHARACTERS:
        return [], (
            f"a line must be plain text of at most {MAX_LINE_CHARACTERS} characters. "
            f"Received: {received}"
        )
    if content.count('"') % 2:
        return [], f"double quotes must come in pairs. Received: {received}"
    columns = [
        _unquote(column)
        for column in re.findall(r'(?:^|,)((?:"[^"]*"|[^",])*)', content)
    ]
    if not 2 <= len(columns) <= 4:
        count = "1 column" if len(columns) == 1 else f"{len(columns)} columns"
        return [], (
            "a line must have the form image,label or image,label,subject,split. "
            f"Received: {count}, {received}"
        )
    if not columns[0] or not columns[1]:
        return [], f"the image and the label must both be named. Received: {received}"
    return columns, ""


def _unquote(column: str) -> str:
    """Remove whitespace, parentheses and double quotes around a name."""
    column = column.strip()
    if column.startswith("(") and column.endswith(")"):
        column = column[1:-1].strip()
    if len(column) > 1 and column.startswith('"') and column.endswith('"'):
        column = column[1:-1].replace('""', '"')
    return column.strip()


def _resolve(name: str, folder: Path) -> Path:
    """Return the path of a name in the list; `folder` is the list's."""
    path = folder / os.path.expanduser(name)
    if "\\" in name and not os.path.exists(path):
        path = folder / os.path.expanduser(name.replace("\\", "/"))
    return path


def _path_faults(
    pairs: Sequence[Pair], *, may_be_missing: bool
) -> Iterator[tuple[int, str]]:
    """Yield files that are missing, of an unknown format, or listed twice."""
    first_use: dict[str, tuple[int, str]] = {}
    for pair in pairs:
        for role, path in (("image", pair.image), ("label", pair.label)):
            if not suffix_of(path):
                yield (
                    pair.line,
                    f"the {role} must end in one of {', '.join(SUFFIXES)}. "
                    f"Received: {path}",
                )
            elif not (may_be_missing or os.path.isfile(path)):
                what = "is not a file" if os.path.exists(path) else "does not exist"
                yield pair.line, f"the {role} {path} {what}"
            real_path = os.path.realpath(path)
            if real_path in first_use:
                number, other = first_use[real_path]
                yield (
                    pair.line,
                    f"a file must be used once. Received: the {role} {path} is also "
                    f"the {other} of line {number}",
                )
            first_use.setdefault(real_path, (pair.line, role))


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


def _choose_case_ids(images: Sequence[Path]) -> list[str]:
    """Choose the shortest names that are different for all images.

    The file's stem, its folder's name, or the stem with as many folders as needed. If
    even the whole path is not unique (two formats of one scan), a number is added.
    """
    depth = max((len(image.parts) for image in images), default=0)
    images = [Path(os.path.abspath(image)) for image in images]  # no ".." in a name
    candidates = [[stem_of(image) for image in images]]
    candidates.append([image.parent.name for image in images])
    for count in range(1, depth + 1):
        candidates.append(
            ["_".join([*i.parts[1:-1][-count:], stem_of(i)]) for i in images]
        )
    for names in candidates:
        # Some file systems do not distinguish Case from case.
        if all(names) and len({name.lower() for name in names}) == len(names):
            return names
    names, seen = candidates[-1], Counter()
    for index, name in enumerate(names):
        seen[name.lower()] += 1
        if seen[name.lower()] > 1:
            names[index] = f"{name}_{seen[name.lower()]}"
    return names
