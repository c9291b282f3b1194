"""The scheme of label maps without names: reading --scheme, and hints that it lacks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from system.command_line import nearest
from system.errors import UsageError
from volumes.label_tables import (
    SCHEMES,
    LabelTable,
    list_schemes,
    offer_schemes,
    read_label_table,
)


def read_scheme(word: str | None) -> LabelTable | None:
    """Return the table of label values that --scheme names.

    Args:
        word: A known scheme or a CSV file; None for no table.

    Raises:
        UsageError: If it is neither a scheme nor a file.
        DataError: If the file cannot be read; see `read_label_table`.
    """
    if word is None:
        return None
    if word not in SCHEMES and not Path(word).exists():
        raise UsageError(
            f"--scheme must be {', '.join(SCHEMES)} or a CSV file that exists. "
            f"Received: {word}.{nearest(word, SCHEMES)}"
        )
    return SCHEMES.get(word) or read_label_table(Path(word))


def suggest_scheme(values: Sequence[int]) -> str:
    """Return which schemes would name the values of a label map without names.

    >>> suggest_scheme([8, 9, 26])
    'no value has a name; `--scheme verse` takes 8 for T1 and 26 for sacrum'
    >>> suggest_scheme([3, 99])
    'no value has a name; `--scheme FILE.csv` names them'

    Args:
        values: Of the structures, ascending, at least one.
    """
    first, last = values[0], values[-1]
    meanings = [
        f"`--scheme {table.name}` takes {first} for {table.names[first]} and {last} "
        f"for {table.names[last]}"
        for table in list_schemes(values)
    ]
    offer = " or ".join(meanings) or f"{offer_schemes('--scheme', values)} names them"
    return f"no value has a name; {offer}"


def doubt_scheme(
    table: LabelTable | None, names: Mapping[int, str], values: Sequence[int]
) -> str:
    """Return that a scheme may be the wrong one; "" if it names all values.

    Args:
        table: That --scheme names, if any.
        names: Of values; other than those of the table if the label map has its own.
        values: Of the label map.
    """
    if table is None or names != table.names:
        return ""
    unnamed = [value for value in values if value not in table.names]
    if not unnamed:
        return ""
    return (
        f"{table.name} does not name {len(unnamed)} of the {len(values)} values, so "
        f"the scheme may be another: {offer_schemes('--scheme', values)}"
    )
