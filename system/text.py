"""Formatting numbers, tables and names for the terminal, Markdown and files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_MAX_CHARACTERS = 120
_CONTROL = re.compile(r"[\0-\x08\x0a-\x1f\x7f]")  # of ASCII


def shorten(text: str) -> str:
    """Truncate a text from a file if it is too long, and append its length."""
    if len(text) <= _MAX_CHARACTERS:
        return text
    return f"{text[:_MAX_CHARACTERS]}... ({len(text)} characters)"


def on_one_line(text: str) -> str:
    """Replace characters that would break a line or a table by spaces."""
    return "".join(char if char.isprintable() else " " for char in text)


def has_control(text: str) -> bool:
    """Return whether a text has control characters, except for tabs.

    In a name, a line break or an escape sequence could forge what scripts print.
    """
    return _CONTROL.search(text) is not None


def is_utf8(text: str) -> bool:
    """Return whether a text can be UTF-8; a path whose bytes are not cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def short_repr(value: object) -> str:
    """Return the repr of a received value, on one line and not too long."""
    return shorten(repr(value))


def format_number(value: float | None, decimals: int, *, sign: bool = False) -> str:
    """Format a number, or "n/a" for None; never "-0.00"."""
    if value is None:
        return "n/a"
    return f"{round(value, decimals) + 0.0:{'+' if sign else ''}.{decimals}f}"


def count_of(count: int, noun: str, plural: str | None = None) -> str:
    """Return a number with its noun, such as `1 case` or `2 cases`."""
    return f"{count} {noun}" if count == 1 else f"{count} {plural or noun + 's'}"


def format_bytes(count: int) -> str:
    """Format a number of bytes in MB, or in GB from 1000 MB."""
    return f"{count / 1e6:.0f} MB" if count < 1e9 else f"{count / 1e9:.1f} GB"


def format_ml(volume: float) -> str:
    """Format a volume in ml to three digits or in whole ml; never as 1.23e+03."""
    return f"{volume:.3g}" if volume < 999.5 else f"{volume:.0f}"


def format_interval(
    interval: Sequence[float] | None, decimals: int, *, sign: bool = False
) -> str:
    """Format an interval as "low to high", or "n/a" for None."""
    if interval is None:
        return "n/a"
    return " to ".join(format_number(end, decimals, sign=sign) for end in interval)


@dataclass(frozen=True)
class Table:
    """The texts of a table: a head for every column, and rows of as many cells."""

    heads: Sequence[str]
    rows: Sequence[Sequence[str]]


Part = str | Table  # a paragraph or a table


def format_parts(parts: Iterable[Part], *, markdown: bool = False) -> str:
    """Format paragraphs and tables below each other, an empty line between them."""
    return "\n\n".join(
        part
        if isinstance(part, str)
        else format_table(part.heads, part.rows, markdown=markdown)
        for part in parts
    )


def format_table(
    heads: Sequence[str], rows: Sequence[Sequence[str]], *, markdown: bool = False
) -> str:
    """Format rows as columns, the first aligned to the left, others to the right."""
    if markdown:  # an unescaped bar would end its cell
        heads, *rows = [
            [cell.replace("|", "\\|") for cell in row] for row in [heads, *rows]
        ]
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    lines = []
    for row in [heads, *rows]:
        cells = [cell.rjust(width) for cell, width in zip(row, widths, strict=True)]
        cells[0] = row[0].ljust(widths[0])
        lines.append(cells)
    rule = ["-" * width for width in widths]
    if markdown:  # a colon aligns its column to the right
        rule[1:] = [dashes[:-1] + ":" for dashes in rule[1:]]
    lines.insert(1, rule)
    if markdown:
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return "\n".join("  ".join(line).rstrip() for line in lines)


def format_p(p_value: float | None) -> str:
    """Format a p-value, or "n/a" for None."""
    if p_value is None:
        return "n/a"
    return "<0.001" if p_value < 0.001 else f"{p_value:.3f}"


def file_names(case_ids: Iterable[str], reserved: Iterable[str] = ()) -> dict[str, str]:
    """Assign each case a unique file name, without suffix, valid on any system.

    Args:
        case_ids: In the order in which names are assigned.
        reserved: Names already in use.

    Returns:
        Name by case id: letters, digits, dots, dashes and underscores, not starting
        with a dot, unique even where upper and lower case are the same.
    """
    longest = 200  # bytes of UTF-8; systems allow 255 with number and suffixes
    names, taken = {}, {name.lower() for name in reserved}
    for case_id in dict.fromkeys(case_ids):
        stem = re.sub(r"[^\w.-]", "_", case_id)[:100]
        stem = stem.encode()[:longest].decode(errors="ignore")
        stem = re.sub(r"^\.+|\.+$|^$", "_", stem)
        name, number = stem, 1
        while name.lower() in taken:
            number += 1
            name = f"{stem}_{number}"
        taken.add(name.lower())
        names[case_id] = name
    return names
