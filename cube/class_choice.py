"""Choosing the classes of a cube from --labels and from what the label maps hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from cube.class_words import expand_group, split_word, take_ignored
from cube.survey import CaseInfo
from system.errors import DataError, UsageError
from system.text import shorten
from volumes.classes import MAX_CLASSES, Classes, Member, find_members
from volumes.label_tables import VERSE, offer_schemes
from volumes.structures import (
    GROUPS,
    VARIANTS,
    canonical_name,
    sort_structures,
)


def choose_classes(words: Sequence[str], cases: Sequence[CaseInfo]) -> Classes:
    """Choose the classes from --labels.

    Args:
        words: `["binary"]`, `["keep"]`, or names and values of structures; beside
            them what is ignored, as `"ignore=255"`.
        cases: Every case.

    Returns:
        The classes: for `keep` vertebrae from the neck down and other names by the
        alphabet, or ascending values where no value has a name; else as given.

    Raises:
        DataError: If all label maps are empty.
        UsageError: If a word is invalid, a structure is given twice, there are more
            than 255 classes, or the label maps do not say what a word means; see
            `check_classes`.
    """
    if not any(case.label_values for case in cases):
        raise DataError(
            "The label maps must hold at least one value above 0. Received: none"
        )
    words, ignored = take_ignored(words)
    if words == ["binary"]:
        classes = Classes(("background", "spine"), ((), None), ignored)
        if ignored:
            check_classes(classes, cases)
        return classes
    if words == ["keep"]:
        structures = _list_all(_without(ignored, cases))
        chosen = [(_default_name(each, cases), (each,)) for each in structures]
    else:
        chosen = [entry for word in words for entry in _parse(word, cases)]
    names = ("background", *(name for name, _ in chosen))
    members = ((), *(members for _, members in chosen))
    classes = Classes(names, members, ignored)
    check_classes(classes, cases)
    return classes


def _without(
    ignored: Sequence[Member], cases: Sequence[CaseInfo]
) -> Sequence[CaseInfo]:
    """Return cases whose label maps lack the values that are ignored."""
    if not ignored:
        return cases
    found = [
        (case, find_members(ignored, case.label_values, case.names)) for case in cases
    ]
    return [
        replace(
            case, label_values=tuple(v for v in case.label_values if v not in values)
        )
        for case, values in found
    ]


def _list_all(cases: Sequence[CaseInfo]) -> list[Member]:
    """List every structure, by name if all have one, by value if none has."""
    unnamed = [
        (value, case)
        for case in cases
        for value in case.label_values
        if value not in case.names
    ]
    if not unnamed:
        return sort_structures({n for case in cases for n in case.found_names.values()})
    if any(case.found_names for case in cases):
        value, case = unnamed[0]
        raise UsageError(
            "--labels keep needs a name for every value of the label maps or for none. "
            f"Received: no name for value {value} in {case.pair.label}. A line "
            "`labels: FILE.csv` above it in the pair list can name it; or name the "
            "classes, as in --labels L1 L2."
        )
    return sorted({value for case in cases for value in case.label_values})


def _parse(
    word: str, cases: Sequence[CaseInfo]
) -> list[tuple[str, tuple[Member, ...]]]:
    """Return name and members of each class of a word of --labels."""
    name, equals, members = split_word(word)
    known = {n for case in cases for n in case.names.values()}
    is_valid = bool(members) and None not in members
    if equals and is_valid and name:
        expanded = [each for m in members for each in expand_group(m, known)]
        return [(name, tuple(expanded))]
    if not equals and is_valid and len(members) == 1 and members[0] in GROUPS:
        return _levels_of(members[0], cases)
    is_one = len(members) == 1 or all(isinstance(m, int) for m in members)
    if equals or not is_valid or not is_one:
        raise UsageError(
            "--labels takes `binary`, `keep`, names such as L1 or lumbar, label values "
            "such as 20, and classes of several such as vertebra=L1,L2 or "
            f"vertebra=20,21. Received: {shorten(word)}"
        )
    found = {value for case in cases for value in case.label_values}
    absent = [m for m in members if isinstance(m, int) and m not in found]
    if absent:
        raise UsageError(
            "A value of --labels without a name must occur in the label maps; a class "
            f"that no scan holds needs a name, such as T11={absent[0]}. Received: "
            f"{absent[0]}; the label maps hold {shorten(', '.join(_list_found(cases)))}"
        )
    return [(_default_name(members[0], cases), tuple(members))]


def _levels_of(
    group: str, cases: Sequence[CaseInfo]
) -> list[tuple[str, tuple[Member, ...]]]:
    """Return a class for each vertebra of a group; variants only if they occur."""
    found = {n for case in cases for n in case.found_names.values()}
    if group in found:
        raise UsageError(
            f"--labels {group} must mean one thing. Received: a structure of that name "
            f"in the label maps; {group}={group} is one class of all, and the levels "
            "can be named one by one."
        )
    levels = [n for n in GROUPS[group] if n not in VARIANTS or n in found]
    return [(level, (level,)) for level in levels]


def _default_name(member: Member, cases: Sequence[CaseInfo]) -> str:
    """Return the name of a class of one structure."""
    if isinstance(member, str):
        return member
    names = [case.found_names.get(member) for case in cases]
    return next((name for name in names if name), f"label_{member}")


def check_classes(classes: Classes, cases: Sequence[CaseInfo]) -> None:
    """Check that the label maps say which of their values belong to each class.

    Raises:
        UsageError: If a class is given by a value that means different structures
            or that is called otherwise, or by name where a label map has no names;
            if a structure is in two classes, or two classes have one name; if there
            are too many; or if no label map holds any class.
    """
    _check_distinct(classes)
    members = _list_members(classes)
    for member in members:
        if isinstance(member, int):
            _check_meaning(member, cases)
    if any(isinstance(member, str) for member in members):
        _check_names(cases)
    _check_calls(classes, cases)
    occurs = False
    for case in cases:
        occurs = occurs or any(classes.values_in(case.label_values, case.names))
        counts = Counter(
            value
            for structures in (*classes.members, classes.ignored)
            if structures is not None
            for value in find_members(structures, case.label_values, case.names)
        )
        for value, count in counts.items():
            if count > 1:
                raise UsageError(
                    "Each structure of --labels must be given once. Received: value "
                    f"{value} of {case.pair.label}, '{case.names[value]}', by value "
                    "and by name"
                )
    if not occurs:
        raise UsageError(
            "At least one class must occur in the label maps. Received: "
            f"{shorten(', '.join(classes.names[1:]))}; the label maps hold "
            f"{shorten(', '.join(_list_found(cases)))}."
        )


def _list_members(classes: Classes) -> list[Member]:
    """List the structures of all classes, and those that are ignored."""
    of_classes = (*classes.members, classes.ignored)
    return [member for members in of_classes for member in members or ()]


def _check_distinct(classes: Classes) -> None:
    """Check that structures and names are given once, and fit the cube."""
    members, names = _list_members(classes), classes.names
    if len(members) != len(set(members)):
        received = shorten(", ".join(map(str, members)))
        raise UsageError(
            f"Each structure of --labels must be given once. Received: {received}"
        )
    most = MAX_CLASSES - 1 if classes.ignored else MAX_CLASSES  # the last is `IGNORED`
    if len(set(names)) < len(names) or len(names) > most:
        raise UsageError(
            f"There must be at most {most - 1} classes, with distinct names "
            f"other than background. Received: {shorten(str(list(names[1:])))}"
        )


def _check_meaning(value: int, cases: Sequence[CaseInfo]) -> None:
    """Check that a value means one structure, as far as label maps name it."""
    first: dict[str, CaseInfo] = {}
    for case in cases:
        if value in case.found_names:
            first.setdefault(case.names[value], case)
    if len(first) > 1:
        received = ", ".join(
            f"'{name}' in {case.pair.label}" for name, case in list(first.items())[:2]
        )
        raise UsageError(
            f"Label value {value} must mean one structure in all label maps. Received: "
            f"{received}. Name the structures instead, as in --labels L1 L2, or use "
            "--labels keep."
        )


def _check_calls(classes: Classes, cases: Sequence[CaseInfo]) -> None:
    """Check that no label map calls another value by the name of a class by value."""
    for class_name, members in zip(classes.names, classes.members, strict=True):
        if not members or any(isinstance(member, str) for member in members):
            continue
        name = canonical_name(class_name)
        for case in cases:
            for value, found in case.found_names.items():
                if found == name and value not in members:
                    raise UsageError(
                        f"Class {class_name} must not be another structure than the "
                        f"label maps call so. Received: value {members[0]}, but "
                        f"{case.pair.label} calls value {value} '{found}'. Give the "
                        "class by name."
                    )


def _check_names(cases: Sequence[CaseInfo]) -> None:
    """Check that every label map with structures has names."""
    for case in cases:
        if case.label_values and not case.names:
            values = shorten(", ".join(map(str, case.label_values)))
            raise UsageError(
                "Classes given by name need label maps whose values have names. "
                f"Received: {case.pair.label} with values {values} and no names. "
                f"A line {offer_schemes('labels:')} above it in the pair list names "
                "them; --labels "
                f"L1={case.label_values[0]} gives a class by value."
            )


def _list_found(cases: Sequence[CaseInfo]) -> list[str]:
    """List the structures of all label maps, those with names first."""
    names = sort_structures({n for case in cases for n in case.found_names.values()})
    values = {v for case in cases for v in case.label_values if v not in case.names}
    return [*names, *map(str, sorted(values))]


def prediction_values(
    classes: Classes, cases: Sequence[CaseInfo]
) -> tuple[tuple[int, ...], ...]:
    """Return the values that label maps of predictions have for each class.

    Returns:
        The VerSe number of a structure that has one, by name; else the values of the
        class if they are the same in all label maps that hold it; else none.
    """
    numbers = {name: value for value, name in VERSE.names.items()}
    of_cases = [classes.values_in(case.label_values, case.names) for case in cases]
    values: list[tuple[int, ...]] = []
    for number, members in enumerate(classes.members):
        found = {each[number] for each in of_cases if each[number]}
        if members is None:
            values.append(tuple(sorted({v for each in found for v in each})))
        elif len(members) == 1 and members[0] in numbers:
            values.append((numbers[members[0]],))
        elif members and all(isinstance(member, int) for member in members):
            values.append(tuple(sorted(members)))
        else:
            values.append(found.pop() if len(found) == 1 else ())
    return tuple(values)
