"""Whether scans may be mirrored: the mirror image of a left structure lies right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cube.survey import CaseInfo
from system.errors import UsageError
from system.text import shorten
from volumes.classes import Classes, Member
from volumes.structures import side_of


def find_one_sided(classes: Classes, cases: Sequence[CaseInfo]) -> tuple[str, ...]:
    """Return the names of the classes whose structures lie on one side by name.

    A class of left and right structures is not one-sided, nor is one of all
    structures. Where no structure of a class names a side, the class itself may.

    Args:
        classes: The networks' classes.
        cases: Every case; their label maps name the structures given by value.
    """
    found: dict[Member, set[str]] = {}
    for case in cases:
        for value, name in case.found_names.items():
            found.setdefault(value, set()).add(name)
    one_sided = []
    for class_name, members in zip(classes.names, classes.members, strict=True):
        names = {n for m in members or () for n in found.get(m, {str(m)})}
        sides = {side_of(name) for name in names} - {""}
        sides = sides or {side_of(class_name)} - {""}
        if members and len(sides) == 1:
            one_sided.append(class_name)
    return tuple(one_sided)


def settle_mirroring(
    classes: Classes, cases: Sequence[CaseInfo], args: Mapping[str, Any]
) -> tuple[str, ...]:
    """Return the classes for which mirroring is switched off; none if it is not.

    A mirrored copy would have the left structure on the right, with its own label.

    Args:
        classes: The networks' classes.
        cases: Every case.
        args: Flags of makeCube.py by name; `flip_given` says that --flip is no default.

    Raises:
        UsageError: If --flip was given, above 0, and a class names one side.
    """
    one_sided = find_one_sided(classes, cases) if args["flip"] else ()
    if one_sided and args.get("flip_given"):
        raise UsageError(
            "--flip must be none where a class names one side, whose structures a "
            f"mirrored copy has on the other. Received: --flip {args['flip']:g} and "
            f"{shorten(', '.join(one_sided))}"
        )
    return one_sided


def describe_mirroring(one_sided: Sequence[str]) -> list[str]:
    """Describe in one line that mirroring is off, and for which classes; or nothing."""
    if not one_sided:
        return []
    return [
        "mirroring is off (--flip none), since these classes name one side: "
        f"{shorten(', '.join(one_sided))}"
    ]
