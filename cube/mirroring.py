"""Whether scans may be mirrored: the mirror image of a left structure lies right."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cube.reader import Cube
from cube.survey import CaseInfo
from system.text import shorten
from volumes.classes import Classes, Member
from volumes.structures import side_of


def find_one_sided(
    classes: Classes, names: Iterable[Mapping[int, str]]
) -> tuple[str, ...]:
    """Return the names of the classes whose structures lie on one side by name.

    A class of left and right structures is not one-sided, nor is one of all
    structures. Where no structure of a class names a side, the class itself may.

    Args:
        classes: The networks' classes.
        names: Of each label map, the names of the values that it holds, which may
            name the structures given by value.
    """
    found: dict[Member, set[str]] = {}
    for of_map in names:
        for value, name in of_map.items():
            found.setdefault(value, set()).add(name)
    one_sided = []
    for class_name, members in zip(classes.names, classes.members, strict=True):
        structures = {n for m in members or () for n in found.get(m, {str(m)})}
        sides = {side_of(name) for name in structures} - {""}
        sides = sides or {side_of(class_name)} - {""}
        if members and len(sides) == 1:
            one_sided.append(class_name)
    return tuple(one_sided)


def settle_mirroring(
    classes: Classes, cases: Sequence[CaseInfo], args: Mapping[str, Any]
) -> tuple[float | None, tuple[str, ...]]:
    """Return the probability of mirroring, and a note where a class names one side.

    A mirrored copy would have the left structure on the right, with its own label:
    there mirroring is off, unless --flip asks for it.

    Args:
        classes: The networks' classes.
        cases: Every case.
        args: Flags of makeCube.py by name; `flip_given` says that --flip is no default.
    """
    flip = args["flip"]
    names = (case.found_names for case in cases)
    one_sided = find_one_sided(classes, names) if flip else ()
    if not one_sided:
        return flip, ()
    named = shorten(", ".join(one_sided))
    if args.get("flip_given"):
        note = (
            f"copies are mirrored, as --flip {flip:g} says, though these classes name "
            f"one side, and a mirrored copy shows the other: {named}"
        )
        return flip, (note,)
    note = f"mirroring is off (--flip none), since these classes name one side: {named}"
    return None, (note,)


def find_mirrored(cube: Cube) -> tuple[str, ...]:
    """Return the classes of one side of a cube whose transforms mirror; else none.

    Earlier versions built such cubes, and an explicit --flip does.
    """
    if not cube.arguments.get("flip"):
        return ()
    members = cube.class_members or tuple((name,) for name in cube.class_names)
    classes = Classes(tuple(cube.class_names), members)
    return find_one_sided(classes, map(cube.label_names_of, cube.rows(copy=0)))
