"""Parsing the lines of an NRRD header and the values in them.

pynrrd parses the values, one field at a time, so that an error can name its
field. The lines are read here, because pynrrd mistakes a key/value pair such as
`byte skip:= -1` for a field, drops non-ASCII characters, and fails on lists of
data files.

Reference:
    [NRRD format](https://teem.sourceforge.net/nrrd/format.html).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, BinaryIO

import nrrd

from system.errors import DataError
from system.text import short_repr, shorten

# The longest header seen from other programs has 40 kB.
MAX_HEADER_BYTES = 2**20

FIELDS = (
    "type",
    "dimension",
    "sizes",
    "encoding",
    "endian",
    "kinds",
    "data file",
    "line skip",
    "byte skip",
    "space",
    "space dimension",
    "space directions",
    "space origin",
    "space units",
    "spacings",
    "measurement frame",
)
# The format allows some names without their space, and upper or lower case.
FIELD_NAMES = {name.replace(" ", ""): name for name in FIELDS}
FIELD_NAMES.update({name: name for name in FIELDS})
_INTEGERS = ("dimension", "sizes", "line skip", "byte skip", "space dimension")


def read_lines(stream: BinaryIO, path: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Read fields and key/value pairs up to the first empty line.

    A pair with the name of a field is dropped, so that it is not mistaken for that
    field, neither here nor in a file that copies this header.

    Raises:
        DataError: If the lines are not a header, or the header is too long.
    """
    magic = stream.readline(80)
    if not re.fullmatch(rb"NRRD000[1-5]", magic.rstrip()):
        raise DataError(
            f"{path}: an NRRD file must begin with NRRD0001 to NRRD0005. "
            f"Received: {magic[:16]!r}"
        )
    fields: dict[str, str] = {}
    pairs: dict[str, str] = {}
    while line := stream.readline(MAX_HEADER_BYTES).rstrip():
        if stream.tell() > MAX_HEADER_BYTES:
            raise DataError(
                f"{path}: the header must end with an empty line within "
                f"{MAX_HEADER_BYTES} bytes. Received: none"
            )
        if line.startswith(b"#"):
            continue
        match = re.fullmatch(r"([^:]+):(=?)(.*)", line.decode("utf-8", "replace"))
        if match is None:
            raise DataError(
                f'{path}: each header line must read "field: value" or '
                f'"key:=value". Received: {line[:60]!r}'
            )
        name, is_pair, value = match[1].strip(), match[2], match[3].strip()
        if is_pair:
            if name.lower() not in FIELD_NAMES:
                pairs[name] = re.sub(r"\\([\\n])", _unescape, value)
            continue
        name = FIELD_NAMES.get(name.lower(), name)
        if name in fields:
            raise DataError(
                f"{path}: field '{shorten(name)}' must be given once. "
                f"Received: {short_repr(fields[name])} and {short_repr(value)}"
            )
        fields[name] = value
        if name == "data file" and _names_several_files(value):
            raise DataError(
                f"{path}: field 'data file' must name one file; data split over "
                "several files (LIST or a numbered pattern) are not supported. "
                f"Received: {short_repr(value)}"
            )
    return fields, pairs


def _names_several_files(value: str) -> bool:
    """Return whether it is a list, or a pattern with its first, last and step."""
    if re.fullmatch(r"LIST( \d+)?", value):
        return True
    words = value.split()
    numbers = [word for word in words[-3:] if re.fullmatch(r"-?\d+", word)]
    return "%" in value and len(words) > 3 and len(numbers) == 3


def _unescape(match: re.Match[str]) -> str:
    return "\n" if match[1] == "n" else match[1]


def parse_field(name: str, value: str, path: Path) -> Any:
    """Parse one field: integers here, the rest by pynrrd.

    Raises:
        DataError: If the value is not of the field's type.
    """
    if name in _INTEGERS:
        is_list = name == "sizes"
        pattern = r"[-+]?\d{1,18}(\s+[-+]?\d{1,18})*" if is_list else r"[-+]?\d{1,18}"
        if not re.fullmatch(pattern, value.strip()):
            what = "integers" if is_list else "one integer"
            raise DataError(
                f"{path}: field '{name}' must hold {what}. "
                f"Received: {short_repr(value)}"
            )
        return [int(word) for word in value.split()] if is_list else int(value)
    # The format allows spaces inside the parentheses of a vector; pynrrd does not.
    tight = " ".join(value.split())
    for spaced, mark in ((" ,", ","), (", ", ","), ("( ", "("), (" )", ")")):
        tight = tight.replace(spaced, mark)
    try:
        return nrrd.read_header(["NRRD0005", f"{name}: {tight}"])[name]
    except (nrrd.NRRDError, ValueError, OverflowError, TypeError, IndexError) as error:
        raise DataError(
            f"{path}: field '{name}' could not be parsed ({shorten(str(error))}). "
            f"Received: {short_repr(value)}"
        ) from error
