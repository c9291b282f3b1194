"""The text of a pair list: its encoding, its lines and their columns.

Lists come from editors and from spreadsheets, whose exports differ in encoding, in
the separator, in a row of headings and in empty columns at the end.
"""

from __future__ import annotations

import codecs
import os
import re
import unicodedata
from pathlib import Path

from system.errors import DataError
from system.text import has_control, short_repr
from volumes.formats.files import suffix_of

# The largest public collections of spines have some thousands of scans; a list of a
# million lines is a mistake, and checking its files would take minutes.
MAX_LINES = 20_000
MAX_BYTES = 2**23
MAX_LINE_CHARACTERS = 20_000
# The marks of UTF-32 first: the one of UTF-16 is the beginning of one of them.
BYTE_ORDER_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
# Of HDF5, zip as of models, gzip and PNG.
BINARY_BEGINNINGS = (b"\x89HDF", b"PK\x03\x04", b"\x1f\x8b", b"\x89PNG")
_CONTROL = re.compile(rb"[\x01-\x08\x0e-\x19\x1b-\x1f]")  # not the old mark of an end
SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars", "，": "full-width commas"}
# Headings of the columns, without blanks, underscores, and endings such as "path".
HEADINGS = {
    "image": ("image", "images", "img", "scan", "scans", "volume", "ct", "mr", "mri"),
    "label": ("label", "labels", "labelmap", "mask", "masks", "seg", "segmentation"),
    "subject": ("subject", "subjects", "patient", "person", "participant"),
    "split": ("split", "splits"),
}
_ENDING = re.compile(r"(path|file|filename|name|id)$")


def read_list(path: Path) -> list[str]:
    """Read the lines of a list, UTF-8 or with the mark of UTF-16 or UTF-32.

    Raises:
        DataError: If the list cannot be read, is too long, or has another encoding;
            the message shows the first line at fault and how to convert the list.
    """
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise DataError(f"{path}: could not be read: {error.strerror}") from error
    if suffix_of(path) or content.startswith(BINARY_BEGINNINGS):
        raise DataError(_describe_binary(path))
    encoding = next(
        (name for mark, name in BYTE_ORDER_MARKS.items() if content.startswith(mark)),
        "utf-8-sig",
    )
    if encoding == "utf-8-sig":
        _check_length(path, content)
        _check_bytes(path, content)
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        raise DataError(_describe_encoding(path, content, error)) from error
    if encoding != "utf-8-sig":
        _check_length(path, text.encode())
    return re.split(r"\r\n|\r|\n", text)


def _check_length(path: Path, content: bytes) -> None:
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


def _check_bytes(path: Path, content: bytes) -> None:
    """Refuse UTF-16 without a mark: its letters are every second byte."""
    if content.count(0) > len(content) // 4:
        raise DataError(
            f"{path}: must be UTF-8 text. Received: a zero byte in every second "
            "place, as in UTF-16 without a byte order mark. Save it as UTF-8, or "
            f"convert it: iconv -f UTF-16LE -t UTF-8 {path.name}"
        )


def _describe_binary(path: Path) -> str:
    return (
        f"{path}: must be a pair list, a text file with a line image,label for each "
        "scan and its label map, such as ann.nrrd,ann_label.nrrd. Received: a file of "
        "another kind"
    )


def _describe_encoding(path: Path, content: bytes, error: UnicodeDecodeError) -> str:
    """Return a message on bytes that are no text, with their line as Excel wrote it."""
    if not error.encoding.startswith("utf-8"):
        return f"{path}: must be text. Received: a damaged {error.encoding}, {error}"
    if _CONTROL.search(content):
        return _describe_binary(path)
    number = len(re.split(rb"\r\n|\r|\n", content[: error.start]))
    line = re.split(rb"\r\n|\r|\n", content)[number - 1]
    shown = short_repr(line.decode("cp1252", errors="replace"))
    return (
        f"{path}: must be UTF-8 text. Received: byte 0x{content[error.start]:02x} in "
        f"line {number}, which in Windows-1252 (cp1252, Excel's plain CSV) reads "
        f'{shown}. Save it as "CSV UTF-8", or convert it: iconv -f CP1252 -t UTF-8 '
        f"{path.name}"
    )


def is_ignored(line: str) -> bool:
    """Return whether a line holds no pair: empty, a remark, or empty cells."""
    line = line.strip()
    is_hint = re.fullmatch(r'"?sep=.?"?', line, re.IGNORECASE)  # Excel's separator
    if len(line) > MAX_LINE_CHARACTERS:
        return False
    return line.startswith("#") or bool(is_hint) or not line.strip(' \t,;"')


def split_columns(content: str) -> tuple[list[str], str]:
    """Split a line at commas outside double quotes; return columns or a fault."""
    received = short_repr(content)
    if has_control(content) or len(content) > MAX_LINE_CHARACTERS:
        return [], (
            f"a line must be plain text of at most {MAX_LINE_CHARACTERS} characters, "
            f"without control characters. Received: {received}"
        )
    if content.count('"') % 2:
        return [], f"double quotes must come in pairs. Received: {received}"
    columns = [
        unquote(column)
        for column in re.findall(r'(?:^|,)((?:"[^"]*"|[^",])*)', content)
    ]
    if len(columns) < 2 or not all(map(suffix_of, columns[:2])):
        separator = find_separator(content)
        if separator:
            return [], f"{SEPARATOR_FAULT}{separator}, {received}"
    while len(columns) > 2 and not columns[-1]:
        columns.pop()
    if not 2 <= len(columns) <= 4:
        count = "1 column" if len(columns) == 1 else f"{len(columns)} columns"
        return [], (
            "a line must have the form image,label or image,label,subject,split. "
            f"Received: {count}, {received}"
        )
    if not columns[0] or not columns[1]:
        return [], f"the image and the label must both be named. Received: {received}"
    return columns, ""


SEPARATOR_FAULT = "columns must be separated by commas. Received: "


def merge_separator_faults(faults: list[tuple[int, str]]) -> list[tuple[int, str]]:
    """Return the faults with one for all lines of a wrong separator."""
    wrong = [fault for fault in faults if fault[1].startswith(SEPARATOR_FAULT)]
    if len(wrong) < 2:
        return faults
    number, first = wrong[0]
    others = [fault for fault in faults if fault not in wrong]
    more = f"{len(wrong) - 1} more line{'s' if len(wrong) > 2 else ''}"
    return [*others, (number, f"{first} and {more}")]


def find_separator(content: str) -> str:
    """Return what separates the names of a line in place of commas; "" if nothing.

    A line with a comma is only taken for one of another separator if that leaves the
    names of two volumes, as names may hold semicolons.
    """
    for mark, name in SEPARATORS.items():
        parts = [unquote(part) for part in content.split(mark)]
        headings = [_role_of(part) for part in parts]
        if len(parts) > 1 and (
            "," not in content
            or all(suffix_of(part) for part in parts[:2])
            or None not in headings
        ):
            return name
    words = content.split()
    is_pair = len(words) > 1 and all(suffix_of(word.strip('"')) for word in words[:2])
    roles = [_role_of(word) for word in words]
    is_heading = len(roles) > 1 and None not in roles
    if "," not in content and (is_pair or is_heading):
        return "blanks"
    return ""


def unquote(column: str) -> str:
    """Remove whitespace, parentheses and double quotes around a name."""
    column = column.strip()
    if column.startswith("(") and column.endswith(")"):
        column = column[1:-1].strip()
    if len(column) > 1 and column.startswith('"') and column.endswith('"'):
        column = column[1:-1].replace('""', '"')
    return column.strip()


def heading_roles(columns: list[str]) -> list[str] | None:
    """Return what each column is headed; None if the line is no row of headings.

    A pair cannot look like it: its label map ends in the suffix of a format.
    """
    roles = [_role_of(column) for column in columns]
    return None if None in roles else [role or "" for role in roles]


def _role_of(heading: str) -> str | None:
    word = re.sub(r"[\s_-]", "", heading).casefold()
    words = (word, _ENDING.sub("", word))
    return next(
        (role for role, known in HEADINGS.items() if set(words) & set(known)), None
    )


def heading_fault(roles: list[str]) -> str:
    """Return what is wrong with the order of the columns; "" if nothing is."""
    if roles in (["image", "label", "split"], ["image", "label", "subject", "split"]):
        return ""
    if roles == ["image", "label", "subject", "split"][: max(2, len(roles))]:
        return ""
    return (
        "the columns must be image,label,subject,split in this order. "
        f"Received: {','.join(roles)}"
    )


def resolve(name: str, folder: Path) -> Path:
    """Return the path of a name in the list; `folder` is the list's.

    A name is also tried with slashes in place of backslashes, and in both Unicode
    forms: a letter with an accent is one character or two, alike on the screen.
    """
    path = folder / os.path.expanduser(name)
    if os.path.exists(path):
        return path
    if "\\" in name:
        path = folder / os.path.expanduser(name.replace("\\", "/"))
    return path if name.isascii() else _in_either_form(path)


def _in_either_form(path: Path) -> Path:
    """Return a path that exists, each part in one Unicode form; `path` if none is."""
    found = Path(path.anchor)
    for part in path.parts[len(found.parts) :]:
        forms = (part, *(unicodedata.normalize(form, part) for form in ("NFC", "NFD")))
        existing = [form for form in forms if os.path.lexists(found / form)]
        if not existing:
            return path
        found = found / existing[0]
    return found
