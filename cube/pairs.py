"""The pair list: which scan has which label map, a pair a line.

Each line reads `image,label`, then optionally `,subject` and `,split`. Paths
are relative to the list. Empty lines and lines that begin with `#` are passed
over. A name may stand in parentheses or in double quotes, and must stand in
quotes if it holds a comma.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cube.splits import SPLITS
from system.errors import DataError
from system.text import short_repr
from volumes.formats.files import SUFFIXES, stem_of, suffix_of

# The largest collections of spines have some thousands of scans; a list of a million
# lines is a slip, and to look for its files would take minutes.
MAX_LINES = 20_000
MAX_BYTES = 2**23
MAX_LINE_CHARACTERS = 20_000
_SHOWN_FAULTS = 50


@dataclass(frozen=True)
class Pair:
    """A scan with its label map.

    Args:
        image: The intensity volume.
        label: The label map.
        case_id: A short name, unique in the list and fit for a file name.
        subject: The person; the case itself where the list names none.
        split: "train", "validation" or "test"; None where the list gives none.
        line: Its line in the list, from 1.
    """

    image: Path
    label: Path
    case_id: str
    subject: str
    split: str | None
    line: int


@dataclass(frozen=True)
class _Line:
    """A line of the list, taken apart."""

    number: int
    image: Path
    label: Path
    subject: str
    split: str


def read_pairs(path: str | Path, *, may_be_missing: bool = False) -> list[Pair]:
    """Read a pair list and check it whole.

    Args:
        path: The list, UTF-8 text.
        may_be_missing: Whether a file that does not exist is no fault of the list.

    Returns:
        The pairs in the order of the list, at least one.

    Raises:
        DataError: If the list cannot be read or has faults; every fault stands
            in the message on a line of its own, with its line number.
    """
    path = Path(path)
    lines, faults = _parse(_read_text(path), path.parent)
    faults += _path_faults(lines, may_be_missing=may_be_missing)
    # Names are sought only where every file is there, and once.
    case_ids = [f"line {line.number}" for line in lines]
    if not faults:
        case_ids = _case_ids([line.image for line in lines])
    pairs = [
        Pair(
            image=line.image,
            label=line.label,
            case_id=case_id,
            subject=unicodedata.normalize("NFC", line.subject) or case_id,
            split=line.split or None,
            line=line.number,
        )
        for line, case_id in zip(lines, case_ids, strict=True)
    ]
    faults += [*_spelling_faults(pairs), *_split_faults(pairs)]
    if not pairs and not faults:
        raise DataError(
            f"{path}: the pair list must hold at least one line image,label. "
            "Received: none"
        )
    if faults:
        raise DataError(_describe_faults(path, sorted(faults)))
    return pairs


def _describe_faults(path: Path, faults: Sequence[tuple[int, str]]) -> str:
    """Say how many faults there are, and the first of them a line each."""
    count = f"{len(faults)} fault" + "s" * (len(faults) > 1)
    text = [f"{path}: {count} in the pair list."]
    text += [f"  line {number}: {fault}" for number, fault in faults[:_SHOWN_FAULTS]]
    if len(faults) > _SHOWN_FAULTS:
        text.append(f"  and {len(faults) - _SHOWN_FAULTS} more")
    return "\n".join(text)


def _read_text(path: Path) -> str:
    """Read the list, unless it is longer than any list can be."""
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
        bare = content.rstrip(b"\r\n")
        lines = 1 + max(bare.count(b"\n"), bare.count(b"\r"))
        if len(content) > MAX_BYTES or lines > MAX_LINES:
            raise DataError(
                f"{path}: a pair list must have at most {MAX_LINES} lines and "
                f"{MAX_BYTES} bytes. Received: {lines} lines in "
                f"{'the first ' * (len(content) > MAX_BYTES)}{len(content)} bytes"
            )
        return content.decode("utf-8-sig")
    except OSError as error:
        raise DataError(f"{path}: could not be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: the pair list must be UTF-8 text ({error})") from (
            error
        )


def _parse(text: str, folder: Path) -> tuple[list[_Line], list[tuple[int, str]]]:
    """Take the lines apart; return those with two to four columns, and faults."""
    lines, faults = [], []
    for number, content in enumerate(re.split(r"\r\n|\r|\n", text), start=1):
        content = content.strip()
        if not content or content.startswith("#"):
            continue
        columns, fault = _columns(content)
        if fault:
            faults.append((number, fault))
            continue
        if len(columns) == 3 and columns[2].lower() in SPLITS:
            columns.insert(2, "")  # a split without a subject
        columns += [""] * (4 - len(columns))
        image, label, subject, split = columns
        if split and split.lower() not in SPLITS:
            faults.append(
                (
                    number,
                    f"the split must be one of {', '.join(SPLITS)}. "
                    f"Received: {split!r}",
                )
            )
            split = ""
        lines.append(
            _Line(
                number,
                _locate(image, folder),
                _locate(label, folder),
                subject,
                split.lower(),
            )
        )
    return lines, faults


def _columns(content: str) -> tuple[list[str], str]:
    """Split a line at commas outside double quotes; return columns or a fault."""
    received = short_repr(content)
    if "\0" in content or len(content) > MAX_LINE_CHARACTERS:
        return [], (
            f"a line must be plain text of at most {MAX_LINE_CHARACTERS} characters. "
            f"Received: {received}"
        )
    if content.count('"') % 2:
        return [], f"double quotes must come in pairs. Received: {received}"
    parts = re.findall(r'(?:^|,)((?:"[^"]*"|[^",])*)', content)
    columns = [_bare(part) for part in parts]
    if not 2 <= len(columns) <= 4:
        return [], (
            "a line must read image,label or image,label,subject,split. "
            f"Received: {len(columns)} column{'s' * (len(columns) != 1)}, {received}"
        )
    if not columns[0] or not columns[1]:
        return [], f"the image and the label must both be named. Received: {received}"
    return columns, ""


def _bare(part: str) -> str:
    """Take off blanks, the parentheses round a name, and its double quotes."""
    part = part.strip()
    if part.startswith("(") and part.endswith(")"):
        part = part[1:-1].strip()
    if len(part) > 1 and part.startswith('"') and part.endswith('"'):
        part = part[1:-1].replace('""', '"')
    return part.strip()


def _locate(name: str, folder: Path) -> Path:
    """Turn a name of the list into a path, relative names from the list's folder."""
    path = folder / os.path.expanduser(name)
    if "\\" in name and not os.path.exists(path):
        path = folder / os.path.expanduser(name.replace("\\", "/"))
    return path


def _path_faults(
    lines: Sequence[_Line], *, may_be_missing: bool
) -> Iterator[tuple[int, str]]:
    """Find files that are missing, of another format, or named twice."""
    first_use: dict[str, tuple[int, str]] = {}
    for line in lines:
        for role, path in (("image", line.image), ("label", line.label)):
            if not suffix_of(path):
                yield (
                    line.number,
                    f"the {role} must end in one of {', '.join(SUFFIXES)}. "
                    f"Received: {path}",
                )
            elif not (may_be_missing or os.path.isfile(path)):
                what = "is not a file" if os.path.exists(path) else "does not exist"
                yield line.number, f"the {role} {path} {what}"
            place = os.path.realpath(path)
            if place in first_use:
                number, other = first_use[place]
                yield (
                    line.number,
                    f"a file must be used once. Received: the {role} {path} is also "
                    f"the {other} of line {number}",
                )
            first_use.setdefault(place, (line.number, role))


def _spelling_faults(pairs: Sequence[Pair]) -> Iterator[tuple[int, str]]:
    """Find subjects that differ in nothing but capitals: one person, most likely."""
    first_case: dict[str, Pair] = {}
    for pair in pairs:
        first = first_case.setdefault(pair.subject.casefold(), pair)
        if first.subject != pair.subject:
            yield (
                pair.line,
                f"a subject must be spelled alike. Received: {pair.subject!r}, and "
                f"{first.subject!r} on line {first.line}",
            )


def _split_faults(pairs: Sequence[Pair]) -> Iterator[tuple[int, str]]:
    """Find subjects whose cases are in more than one split."""
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


def _case_ids(images: Sequence[Path]) -> list[str]:
    """Find the shortest names that tell the images apart.

    The file's stem, or its folder's name, or the folder's name and the stem,
    or more folders; where even the whole path does not tell (a fault anyway),
    a number is added.
    """
    depth = max((len(image.parts) for image in images), default=0)
    ways = [stem_of, lambda image: image.parent.name]
    ways += [
        lambda image, count=count: "_".join(
            [*image.absolute().parts[1:-1][-count:], stem_of(image)]
        )
        for count in range(1, depth + 1)
    ]
    images = [Path(os.path.abspath(image)) for image in images]  # no ".." in a name
    names: list[str] = []
    for way in ways:
        names = [way(image) for image in images]
        # Some file systems take Case and case for one name.
        if all(names) and len({name.lower() for name in names}) == len(names):
            return names
    seen: defaultdict[str, int] = defaultdict(int)
    for index, name in enumerate(names):
        seen[name.lower()] += 1
        if seen[name.lower()] > 1:
            names[index] = f"{name}_{seen[name.lower()]}"
    return names
