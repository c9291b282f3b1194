"""Names of vertebrae by their order, and warnings about the order.

The number of a vertebra cannot be seen in a mask: who knows the lowest one says so.
People with six lumbar or thirteen thoracic vertebrae are not recognised.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from spine.instances import Instances
from spine.measures import Vertebra
from spine.odd_angles import find_odd_angles
from spine.tables import Naming
from system.errors import UsageError
from system.text import shorten
from volumes.structures import CERVICAL, LUMBAR, SACRAL, THORACIC, canonical_name

# From the neck down. Going up from L5, nobody has an L6 or a T13.
USUAL_LEVELS = (*CERVICAL, *THORACIC[:12], *LUMBAR[:5], SACRAL[0])
NAMES_OF_LOWEST = (*CERVICAL, *THORACIC, *LUMBAR, SACRAL[0])
NOT_MEASURED = ("C1", "C2")  # they have no body as the others have
GAP = 1.6  # median steps between neighbours: one may be missing
# Times the median depth of bodies nearby, or a part of it: it may be no vertebra. In 52
# label maps of people it is 0.81 to 1.21.
ODD_DEPTH = 1.35
MAY_BE_S1 = ("V1", "L4", "L5", "L6")
# Of the median volume of a vertebra. In 53 label maps of people it is below 0.1.
MUCH_DROPPED = 0.5
AT_BORDER = "touches the border of the scan"
MAX_LINES = 5  # of warnings that are printed for a scan
S1_WEDGE_DEGREES = -10.0  # of L5 it is +6 to +32 degrees, of S1 -54 to -18


def parse_lowest(word: str | None) -> str | None:
    """Return the canonical name of the lowest vertebra.

    Args:
        word: Of --lowest; None if it is not given.

    Raises:
        UsageError: If it is not one of `NAMES_OF_LOWEST`.
    """
    if word is None:
        return None
    name = canonical_name(word)
    if name not in NAMES_OF_LOWEST:
        raise UsageError(
            "--lowest must be a vertebra from C1 to C7, T1 to T13, L1 to L6, or S1. "
            f"Received: {shorten(repr(word))}"
        )
    return name


def name_from_below(count: int, lowest: str | None) -> list[Naming]:
    """Name vertebrae by their order.

    Args:
        count: Number of vertebrae.
        lowest: Name of the lowest, one of `NAMES_OF_LOWEST`; None if it is unknown.

    Returns:
        A name for each from below: "V1", "V2" and so on where it is unknown, and above
        C1.
    """
    numbers = [Naming(f"V{number}", "order") for number in range(1, count + 1)]
    if lowest is None:
        return numbers
    above = NAMES_OF_LOWEST[: NAMES_OF_LOWEST.index(lowest)][::-1]
    names = [lowest, *(name for name in above if name in USUAL_LEVELS)]
    named = [Naming(name, "lowest") for name in names[:count]]
    return [*named, *numbers[len(named) :]]


def find_warnings(
    instances: Instances,
    vertebrae: Sequence[Vertebra],
    values: Sequence[int],
    names: Sequence[str],
) -> dict[int, list[str]]:
    """Return sentences about vertebrae, without the name they begin with, by value.

    Args:
        instances: The vertebrae from below.
        vertebrae: Their measures, from below.
        values: Of the vertebrae in the measures, from below.
        names: From below.
    """
    found: dict[int, list[str]] = {value: [] for value in values}
    for label, notes in instances.notes.items():
        found[values[label - 1]] += notes
    for vertebra in vertebrae:
        if vertebra.partial:
            found[vertebra.value].append("is seen in part")
        if vertebra.touches_border:
            found[vertebra.value].append(AT_BORDER)
    lowest = vertebrae[0].body if vertebrae else None
    may_be_s1 = names[0] in MAY_BE_S1
    if may_be_s1 and lowest and lowest.wedge_sagittal < S1_WEDGE_DEGREES:
        found[vertebrae[0].value].append(
            f"looks like S1, with a wedge of {lowest.wedge_sagittal:.0f} degrees"
        )
    bodies = [vertebra.body for vertebra in vertebrae]
    depths = [body.depth if body else None for body in bodies]
    for place, depth, usual in find_odd_depths(depths):
        found[vertebrae[place].value].append(
            f"is {depth:.0f} mm deep, where {usual:.0f} mm are usual: it may be no "
            "vertebra"
        )
    for place, sentence in find_odd_angles(bodies, names):
        found[vertebrae[place].value].append(sentence)
    for place, sentence in _describe_steps(instances.centers, names):
        found[values[place]].append(sentence)
    by_value = dict(zip(values, names, strict=True))
    for value, lower, distance in find_disorder(vertebrae):
        found[value].append(
            f"lies {distance:.0f} mm lower than {by_value[lower]}, which is numbered "
            "below it: their order is unreliable"
        )
    return found


def _describe_steps(
    centers: npt.NDArray[np.float64], names: Sequence[str]
) -> list[tuple[int, str]]:
    """Return sentences about odd steps to the next vertebra above, by place."""
    gaps = {
        place: f"lies {gap:.0f} mm below {names[place + 1]}, where {usual:.0f} mm are "
        "usual: one may be missing between them"
        for place, gap, usual in find_gaps(centers)
    }
    skips = {
        place: f"is next to {names[place + 1]}, though {', '.join(skipped)} would lie "
        "between them: a name may be wrong"
        for place, skipped in find_skips(names)
    }
    return list({**skips, **gaps}.items())


def find_disorder(vertebrae: Sequence[Vertebra]) -> list[tuple[int, int, float]]:
    """Find neighbours of which the upper one lies lower in the patient.

    Args:
        vertebrae: From below along the curve of the spine. Partial ones do not count.

    Returns:
        For each pair, the value of the upper, that of the lower, and by how many mm
        the centroid of the upper one lies lower.
    """
    whole = [vertebra for vertebra in vertebrae if not vertebra.partial]
    steps = [(a, b, float(a.centroid[2] - b.centroid[2])) for a, b in pairwise(whole)]
    return [(b.value, a.value, step) for a, b, step in steps if step > 0]


def describe_warnings(namings: Sequence[Naming]) -> list[str]:
    """Return the lines to print about the notes of vertebrae.

    The border comes last: where a scan is narrow, all vertebrae touch it, and nothing
    is wrong with their numbers.

    Args:
        namings: Of the vertebrae.

    Returns:
        A line if more than half have a note about more than the border; then one for
        each of up to `MAX_LINES` notes, and one for the number of the others.
    """
    notes = [(each.name, note) for each in namings for note in each.notes]
    notes.sort(key=lambda pair: pair[1] == AT_BORDER)
    odd = {name for name, note in notes if note != AT_BORDER}
    lines = [f"warning: {name} {note}" for name, note in notes[:MAX_LINES]]
    if len(odd) > len(namings) / 2:
        lines.insert(
            0,
            f"warning: the numbering is unreliable, as {len(odd)} of {len(namings)} "
            "vertebrae have warnings",
        )
    if len(notes) > MAX_LINES:
        number = len(notes) - MAX_LINES
        lines.append(f"and {number} more: see the notes in vertebrae.csv")
    return lines


def describe_dropped(volumes_ml: Sequence[float], dropped_ml: float) -> list[str]:
    """Return the line to print where as much as half a vertebra was dropped, if so.

    Args:
        volumes_ml: Of the vertebrae, one at least.
        dropped_ml: Volume of the label map that belongs to no vertebra.
    """
    usual = float(np.median(volumes_ml))
    if dropped_ml < MUCH_DROPPED * usual:
        return []
    return [
        f"warning: {dropped_ml:.0f} ml belong to no vertebra, where one has "
        f"{usual:.0f} ml: a vertebra may be missing, or other tissue is labelled"
    ]


def find_gaps(
    centers: npt.NDArray[np.float64],
) -> list[tuple[int, float, float]]:
    """Find steps between neighbours in which a vertebra may be missing.

    Args:
        centers: World mm of the vertebrae from below, shape (N, 3).

    Returns:
        For each, the place of the lower vertebra, the step and the median of the
        steps nearby, as they grow downwards, in mm.
    """
    steps = np.linalg.norm(np.diff(centers, axis=0), axis=1)
    gaps = []
    for place, step in enumerate(steps):
        others = np.delete(steps, place)[max(0, place - 3) : place + 3]
        if len(others) and step > GAP * np.median(others):
            gaps.append((place, float(step), float(np.median(others))))
    return gaps


def find_skips(names: Sequence[str]) -> list[tuple[int, list[str]]]:
    """Find neighbours between whose names others of `USUAL_LEVELS` would lie.

    Args:
        names: From below. Names without a level, as V1, skip none.

    Returns:
        For each, the place of the lower vertebra, and the names from below.
    """
    skips = []
    for place, pair in enumerate(pairwise(names)):
        if all(name in NAMES_OF_LOWEST for name in pair):
            lower, upper = map(NAMES_OF_LOWEST.index, pair)
            between = NAMES_OF_LOWEST[upper + 1 : lower][::-1]
            skipped = [name for name in between if name in USUAL_LEVELS]
            if skipped:
                skips.append((place, skipped))
    return skips


def find_odd_depths(
    depths: Sequence[float | None],
) -> list[tuple[int, float, float]]:
    """Find bodies whose depth is unlike that of at least two neighbours.

    Args:
        depths: Of the bodies from below, in mm; None where one is not measured.

    Returns:
        For each, its place, its depth and the median of up to three on either side.
    """
    odd = []
    for place, depth in enumerate(depths):
        around = [*depths[max(0, place - 3) : place], *depths[place + 1 : place + 4]]
        nearby = [each for each in around if each]
        if depth and len(nearby) >= 2:
            usual = float(np.median(nearby))
            if max(depth / usual, usual / depth) >= ODD_DEPTH:
                odd.append((place, depth, usual))
    return odd
