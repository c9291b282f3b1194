"""The words of --labels: names, values, classes of several, and what is ignored."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence, Set

from system.errors import UsageError
from system.limits import MAX_LABEL
from system.text import on_one_line, shorten
from volumes.classes import Member
from volumes.structures import GROUPS, canonical_name

KEYWORDS = ("binary", "keep")
IGNORE = "ignore"


def split_word(word: str) -> tuple[str, bool, list[Member | None]]:
    """Return the name before the =, whether there is one, and the members.

    A member that can be neither a value nor a name is None.
    """
    # The name ends at the last = outside double quotes.
    match = re.fullmatch(r'(?:(.*)(=))?((?:[^"=]|"[^"]*")*)', word, re.DOTALL)
    name, equals, text = match.groups() if match else ("", "=", "")
    cells = next(csv.reader([on_one_line(text)], skipinitialspace=True), [])
    return on_one_line(name or "").strip(), bool(equals), [*map(_parse_member, cells)]


def _parse_member(cell: str) -> Member | None:
    """Return a value, a canonical name, or None if it can be neither."""
    cell = cell.strip()
    if re.fullmatch(r"[+-]?\d+", cell):
        value = int(cell[:10])
        return value if 0 < value <= MAX_LABEL else None
    name = canonical_name(cell)
    return name if name and name not in KEYWORDS else None


def expand_group(member: Member, known: Set[str]) -> list[Member]:
    """Return the vertebrae of a group, and the structure of that name if any."""
    if member not in GROUPS:
        return [member]
    return [*GROUPS[member], *({member} & known)]


def take_ignored(words: Sequence[str]) -> tuple[list[str], tuple[Member, ...]]:
    """Separate what --labels ignores from the classes.

    Args:
        words: Of --labels; `ignore=255,T12` ignores a value and a structure.

    Returns:
        The words of the classes, and the structures that are ignored.

    Raises:
        UsageError: If `ignore` does not say what.
    """
    others, ignored = [], []
    for word in words:
        name, has_name, members = split_word(word)
        is_bare = not has_name and members == [IGNORE]
        if not is_bare and name.casefold() != IGNORE:
            others.append(word)
            continue
        if is_bare or not members or None in members:
            raise UsageError(
                "--labels takes the values or names that are to be ignored, such as "
                f"ignore=255 or ignore=254,T12. Received: {shorten(word)}"
            )
        ignored += [each for m in members for each in expand_group(m, {str(m)})]
    return others, tuple(ignored)


def read_ignored(words: Sequence[str] | None, *, has_model: bool) -> tuple[Member, ...]:
    """Return what --labels ignores, once the classes are stated in one place.

    Args:
        words: Of --labels; None if it is not given.
        has_model: Whether --labels-from is given.

    Raises:
        UsageError: If both flags or none state the classes, or see `take_ignored`.
    """
    others, ignored = take_ignored(words or [])
    if has_model and others:
        raise UsageError(
            "--labels-from is not allowed with argument --labels, unless that only "
            f"says what to ignore, as in ignore=255. Received: {shorten(others[0])}"
        )
    if ignored and not has_model and not others:
        raise UsageError(
            "--labels must state the classes as well as what to ignore, as in `binary "
            f"ignore=255`. Received: {shorten(' '.join(words or []))}"
        )
    return ignored
