"""Which classes occur where: in the plan of a cube, and in the cube itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from cube.reader import Cube
from cube.survey import CaseInfo
from system.text import format_ml, shorten
from volumes.classes import Classes, Member, count_labels, find_members
from volumes.structures import VERTEBRA_NAMES, sort_structures


def describe_classes(
    classes: Classes, cases: Sequence[CaseInfo], splits: Sequence[str]
) -> list[str]:
    """Describe what users may not expect: absent classes, structures in no class.

    Args:
        classes: The classes.
        cases: Every case.
        splits: Split of each case.
    """
    of_cases = [classes.values_in(case.label_values, case.names) for case in cases]
    lines = []
    if classes.ignored:
        lines.append(_describe_ignored_members(classes.ignored, cases))
    for number, name in enumerate(classes.names[1:], start=1):
        holding = [place for place, each in enumerate(of_cases) if each[number]]
        trained = any(splits[place] == "train" for place in holding)
        if not holding:
            lines.append(f"class {name} occurs in no scan")
        elif "train" in splits and not trained:
            case_ids = shorten(", ".join(cases[p].pair.case_id for p in holding))
            lines.append(f"class {name} occurs in no training scan, only in {case_ids}")
        lines += _describe_absent_members(name, classes.members[number] or (), cases)
    lines += _describe_unused(classes, cases)
    return lines


def _describe_ignored_members(
    ignored: Sequence[Member], cases: Sequence[CaseInfo]
) -> str:
    """Describe in how many scans there are voxels to ignore."""
    listed = shorten(", ".join(map(str, ignored)))
    count = sum(
        bool(find_members(ignored, case.label_values, case.names)) for case in cases
    )
    if not count:
        return f"{listed}, to be ignored, occurs in no scan"
    return (
        f"ignored, without loss and score: {listed}, in {count} of {len(cases)} scans"
    )


def _describe_absent_members(
    name: str, members: Sequence[Member], cases: Sequence[CaseInfo]
) -> Iterator[str]:
    """Yield the structures of a class of several that occur in no scan.

    Not vertebrae, which few scans show all of.
    """
    found = {
        n for case in cases for n in (*case.label_values, *case.found_names.values())
    }
    for member in members if len(members) > 1 else ():
        if member not in found and member not in VERTEBRA_NAMES:
            yield f"'{member}' of class {name} occurs in no scan"


def _describe_unused(classes: Classes, cases: Sequence[CaseInfo]) -> Iterator[str]:
    """Yield a line with the structures that become background, if there are any."""
    unused: Counter[str | int] = Counter()
    for case in cases:
        of_classes = classes.values_in(case.label_values, case.names)
        used = {value for values in of_classes for value in values}
        used.update(find_members(classes.ignored, case.label_values, case.names))
        rest = {case.names.get(v, v) for v in case.label_values if v not in used}
        unused.update(rest)
    if unused:
        names = sort_structures(name for name in unused if isinstance(name, str))
        values = sorted(value for value in unused if isinstance(value, int))
        listed = shorten(", ".join([*names, *(f"value {v}" for v in values)]))
        yield f"in no class, so background: {listed}"


def count_classes(cube: Cube, row: int) -> list[int]:
    """Return the voxels of each class in a row, background first.

    They are stored with the row; only cubes of format version 1 are counted.
    """
    stored = cube.sources[row].get("class_voxels")
    if isinstance(stored, list) and len(stored) == len(cube.class_names):
        return stored
    num_classes = len(cube.class_names)
    return count_labels(cube.label(row), num_classes)[:num_classes].tolist()


def ignored_ml(cube: Cube, row: int) -> float:
    """Return the volume of a row that is ignored, stored with it, in ml."""
    count = cube.sources[row].get("ignored_voxels", 0)
    return float(count * np.prod(cube.spacing) / 1000)


def describe_ignored(cube: Cube) -> list[str]:
    """Return a sentence on the voxels without loss and score; none without any."""
    scans = cube.rows(copy=0)
    volumes = {cube.case_ids[row]: ignored_ml(cube, row) for row in scans}
    listed = [f"{case_id} {format_ml(ml)} ml" for case_id, ml in volumes.items() if ml]
    if not listed:
        return []
    return [
        f"{format_ml(sum(volumes.values()))} ml in {len(listed)} of {len(scans)} scans "
        f"are ignored, without loss and score: {shorten(', '.join(listed))}"
    ]


def untrained_classes(
    cube: Cube, counts: Mapping[int, Sequence[int]] | None = None
) -> dict[str, list[str]]:
    """Find the classes that no training scan holds.

    Args:
        cube: With its own splits or those of a fold.
        counts: Voxels of each class by row of a scan, if they are known already.

    Returns:
        For each such class the cases of other splits that hold it. Empty if there is
        no training scan at all.
    """
    training = cube.rows("train", copy=0)
    if not training:
        return {}

    def count(row: int) -> Sequence[int]:
        return count_classes(cube, row) if counts is None else counts[row]

    trained = np.sum([count(row) for row in training], axis=0)
    untrained = [n for n, voxels in enumerate(trained.tolist()) if n and not voxels]
    held: dict[str, list[str]] = {cube.class_names[n]: [] for n in untrained}
    others = [row for row in cube.rows(copy=0) if cube.splits[row] not in ("", "train")]
    for row in others if untrained else ():
        voxels = count(row)
        for number in untrained:
            if voxels[number]:
                held[cube.class_names[number]].append(cube.case_ids[row])
    return held


def describe_untrained(untrained: dict[str, list[str]]) -> list[str]:
    """Return a sentence for each class of `untrained_classes`."""
    return [
        f"no training scan holds class {name}"
        + (f", only {shorten(', '.join(held))}" if held else ", and no other does")
        for name, held in untrained.items()
    ]
