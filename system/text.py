"""Figures and tables as text, for the shell and for Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_SHOWN_CHARACTERS = 120


def shorten(text: str) -> str:
    """Cut a text that a file may make as long as it likes, and say how long it is."""
    if len(text) <= _SHOWN_CHARACTERS:
        return text
    return f"{text[:_SHOWN_CHARACTERS]}... ({len(text)} characters)"


def on_one_line(text: str) -> str:
    """Put a blank for each letter that would break a line or a table."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def short_repr(value: object) -> str:
    """Write what was received as a message shows it: on one line, not too long."""
    return shorten(repr(value))


def format_figure(value: float | None, decimals: int, *, sign: bool = False) -> str:
    """Write a figure, or "n/a" where there is none; no "-0.00"."""
    if value is None:
        return "n/a"
    return f"{round(value, decimals) + 0.0:{'+' if sign else ''}.{decimals}f}"


def format_bytes(count: int) -> str:
    """Write a number of bytes in MB, or from a thousand of them on in GB."""
    return f"{count / 1e6:.0f} MB" if count < 1e9 else f"{count / 1e9:.1f} GB"


def format_interval(
    interval: Sequence[float] | None, decimals: int, *, sign: bool = False
) -> str:
    """Write an interval as "low to high", or "n/a"."""
    if interval is None:
        return "n/a"
    return " to ".join(format_figure(end, decimals, sign=sign) for end in interval)


def format_table(
    heads: Sequence[str], rows: Sequence[Sequence[str]], *, markdown: bool = False
) -> str:
    """Align cells in columns: the first to the left, figures to the right."""
    if markdown:  # a bar inside a cell would end it
        heads, *rows = [
            [cell.replace("|", "\\|") for cell in row] for row in [heads, *rows]
        ]
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    lines = [
        [row[0].ljust(widths[0])]
        + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        for row in [heads, *rows]
    ]
    if markdown:
        rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
        return "\n".join(
            f"| {' | '.join(line)} |" for line in [lines[0], rule, *lines[1:]]
        )
    rule = ["-" * width for width in widths]
    return "\n".join("  ".join(line).rstrip() for line in [lines[0], rule, *lines[1:]])


def format_p(p_value: float | None) -> str:
    """Write a p-value, or "n/a" where no test was possible."""
    if p_value is None:
        return "n/a"
    return "<0.001" if p_value < 0.001 else f"{p_value:.3f}"


def file_names(case_ids: Iterable[str], reserved: Iterable[str] = ()) -> dict[str, str]:
    """Give every case a file name that any file system takes, without suffix.

    Args:
        case_ids: In the order in which names are handed out.
        reserved: Names that are taken already.

    Returns:
        Name of each case id: letters, digits, dots, dashes and underlines, not
        starting with a dot, no two alike even where case does not count.
    """
    names, taken = {}, {name.lower() for name in reserved}
    for case_id in dict.fromkeys(case_ids):
        stem = re.sub(r"[^\w.-]", "_", case_id)[:100]
        stem = re.sub(r"^\.+|\.+$|^$", "_", stem)
        name, number = stem, 1
        while name.lower() in taken:
            number += 1
            name = f"{stem}_{number}"
        taken.add(name.lower())
        names[case_id] = name
    return names
