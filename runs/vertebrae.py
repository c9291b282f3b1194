"""Finding, naming, measuring and drawing the vertebrae of a label map."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from PIL import Image

from spine.instances import MIN_VERTEBRAE, Instances, find_instances
from spine.levels import repair_levels
from spine.measures import Vertebra, measure_vertebrae
from spine.naming import (
    NOT_MEASURED,
    describe_dropped,
    describe_warnings,
    find_warnings,
    name_from_below,
)
from spine.picture import draw_vertebrae
from spine.tables import Naming, Row, spine_row, vertebra_rows
from system.errors import DataError, UsageError
from volumes.classes import count_labels
from volumes.geometry import Grid
from volumes.structures import (
    GROUPS,
    SACRAL,
    VERTEBRA_NAMES,
    canonical_name,
)
from volumes.vertebrae import VERTEBRAE, label_color
from volumes.volume import Segment, Volume

# What the vertebrae are called where all of them are one structure.
WORDS = ("vertebra", "vertebrae", "vertebral body", "vertebral bodies", "spine")
# Parts of names that no vertebra has, even where they name the only structure.
OTHER_WORDS = ("disc", "disk", "ivd", "canal", "cord", "sacrum")
S1_VALUE = 26  # of the sacrum in VerSe
LEAST_HEIGHT = 0.65  # of its neighbours', of a whole vertebra at an end
UNNAMED_FROM = 100  # values of vertebrae without a name beside those with one


class NoChainError(DataError):
    """A label map in which no vertebrae are found."""


@dataclass(frozen=True, eq=False)
class LabelledSpine:
    """The vertebrae of a scan.

    Args:
        label_map: A value for each vertebra, shape of the label map it was found in.
        segments: Name and colour of each value, from below.
        rows: Of vertebrae.csv.
        spine: Row of spines.csv.
        picture: Of the vertebrae along the spine's curve.
        lines: What was found, then a line for each assumption and warning.
    """

    label_map: npt.NDArray[np.uint8]
    segments: tuple[Segment, ...]
    rows: list[Row]
    spine: Row
    picture: Image.Image
    lines: list[str]


def choose_structures(
    present: Sequence[int], names: Mapping[int, str], words: Sequence[str] = ()
) -> list[int]:
    """Choose the values of a label map that are vertebrae.

    Args:
        present: The values of the label map above 0.
        names: Canonical names of those that have one.
        words: Names, groups such as "lumbar", or values; none for all vertebrae by
            name, or all values if none has a name.

    Raises:
        UsageError: If a word is not in the label map.
        DataError: If the names do not tell which structures are vertebrae.
    """
    if words:
        return sorted({v for word in words for v in _find_word(word, present, names)})
    named = [value for value in present if value in names]
    chosen = [value for value in named if names[value] in VERTEBRA_NAMES]
    chosen = chosen or [value for value in named if names[value] in WORDS]
    others = [v for v in named if any(word in names[v] for word in OTHER_WORDS)]
    is_sole = len(named) == len(present) == 1
    if not named or (is_sole and not others):
        return list(present)
    if not chosen:
        raise DataError(
            "a structure must be a vertebra by its name; --labels states which are. "
            f"Received: {', '.join(names[value] for value in named)}"
        )
    return chosen


def _find_word(
    word: str, present: Sequence[int], names: Mapping[int, str]
) -> list[int]:
    """Return the values that a word of --labels stands for."""
    if word.isdecimal():
        found = [value for value in present if value == int(word)]
    else:
        name = canonical_name(word)
        wanted = GROUPS.get(name, (name,))
        found = [value for value in present if names.get(value) in wanted]
    if not found:
        known = [f"{value} {names.get(value, '')}".strip() for value in present]
        raise UsageError(
            f"--labels must name structures of the label map. Received: {word!r}; it "
            f"has {', '.join(known)}"
        )
    return found


def label_vertebrae(
    scan: str,
    labels: npt.NDArray[np.integer],
    grid: Grid,
    names: Mapping[int, str],
    *,
    lowest: str | None = None,
    image: Volume | None = None,
) -> LabelledSpine:
    """Find the vertebrae of a label map, name, measure and draw them.

    Args:
        scan: Name of the scan, for tables and messages.
        labels: Label map, shape of `grid`.
        grid: Of any spacing and direction.
        names: The values to use, with their canonical names; "" where a value has
            none. If all are levels, they are repaired, else they are taken together.
        lowest: Name of the lowest vertebra; None if it is unknown.
        image: The scan, for the picture.

    Raises:
        NoChainError: If no vertebrae are found.
    """
    start = time.perf_counter()
    instances, namings = _find(scan, labels, grid, names, lowest)
    values = _choose_values(namings, {} if lowest else names)
    label_map = np.array([0, *values], np.uint8)[instances.label_map]
    by_value = dict(zip(values, namings, strict=True))
    vertebrae = _measure(instances, label_map, grid, by_value)
    by_value, warnings = _add_warnings(instances, grid, vertebrae, by_value)
    title = f"{scan}: {_describe(namings)}"
    picture = draw_vertebrae(
        label_map,
        grid,
        vertebrae,
        {value: naming.name for value, naming in by_value.items()},
        instances.curve,
        title=title,
        image=image,
    )
    seconds = time.perf_counter() - start
    line = f"{title}, dropped {instances.dropped_ml:.1f} ml, {seconds:.1f} s"
    return LabelledSpine(
        label_map,
        tuple(Segment(v, n.name, label_color(v)) for v, n in by_value.items()),
        vertebra_rows(scan, vertebrae, by_value),
        spine_row(scan, vertebrae, by_value, dropped_ml=instances.dropped_ml),
        picture,
        [line, *warnings],
    )


def _find(
    scan: str,
    labels: npt.NDArray[np.integer],
    grid: Grid,
    names: Mapping[int, str],
    lowest: str | None,
) -> tuple[Instances, list[Naming]]:
    """Find the vertebrae, and name them by --lowest, their levels or their order."""
    are_levels = bool(names) and all(name in VERTEBRA_NAMES for name in names.values())
    namings: list[Naming] = []
    if are_levels:
        found = repair_levels(labels, grid, names)
        instances, namings = found if found else (None, [])
    else:
        instances = find_instances(np.isin(labels, list(names)), grid)
    if instances is None:
        raise NoChainError(
            f"{scan}: a chain of at least {MIN_VERTEBRAE} vertebrae must be found, or "
            "none is written. Received: no chain"
        )
    if lowest or not are_levels:
        namings = name_from_below(len(instances.centers), lowest)
    return instances, namings


def _choose_values(namings: Sequence[Naming], names: Mapping[int, str]) -> list[int]:
    """Return the value of each vertebra in the output, from below.

    Values of the label map stay. Other levels have the number of VerSe, if no other
    name has it, and vertebrae without a level count from 1.
    """
    of_name = {name: value for value, name in names.items() if value <= 255 and name}
    verse = {**{name: value for value, name in VERTEBRAE.items()}, SACRAL[0]: S1_VALUE}
    has_levels = any(naming.source != "order" for naming in namings)
    values: list[int] = []
    for number, naming in enumerate(namings, start=1):
        value = number + UNNAMED_FROM if has_levels else number
        if naming.source != "order":
            value = of_name.get(naming.name, verse[naming.name])
            if naming.name not in of_name and value in names:
                value = number + UNNAMED_FROM
        values.append(value)
    return values


def _measure(
    instances: Instances,
    label_map: npt.NDArray[np.uint8],
    grid: Grid,
    namings: Mapping[int, Naming],
) -> list[Vertebra]:
    """Measure the vertebrae of a label map, by value from below."""
    values = list(namings)
    partial = [values[number - 1] for number in instances.partial]
    vertebrae = measure_vertebrae(label_map, grid, values, partial=partial)
    return _blank(vertebrae, [namings[v.value].name for v in vertebrae])


def _blank(vertebrae: Sequence[Vertebra], names: Sequence[str]) -> list[Vertebra]:
    """Return vertebrae without the measures that have no meaning.

    C1 and C2 have no body, and the lowest and the highest may be seen in part.

    Args:
        vertebrae: From below.
        names: Of the vertebrae.
    """
    kept = [
        replace(vertebra, body=None, note="not measured: it has no vertebral body")
        if name in NOT_MEASURED
        else vertebra
        for vertebra, name in zip(vertebrae, names, strict=True)
    ]
    for end, neighbors in ((0, kept[1:4]), (-1, kept[-4:-1])):
        body = kept[end].body if kept else None
        heights = [v.body.heights[1] for v in neighbors if v.body]
        if body and heights and body.heights[1] < LEAST_HEIGHT * np.median(heights):
            kept[end] = replace(
                kept[end],
                body=None,
                volume_ml=None,
                partial=True,
                note="not measured: partial",
            )
    return kept


def _add_warnings(
    instances: Instances,
    grid: Grid,
    vertebrae: Sequence[Vertebra],
    namings: Mapping[int, Naming],
) -> tuple[dict[int, Naming], list[str]]:
    """Return the namings with all notes, and the lines to print about those."""
    values = list(namings)
    names = [naming.name for naming in namings.values()]
    found = find_warnings(instances, vertebrae, values, names)
    noted = {
        value: replace(naming, notes=(*naming.notes, *found.get(value, ())))
        for value, naming in namings.items()
    }
    volumes_ml = count_labels(instances.label_map)[1:] * (grid.voxel_volume / 1000)
    dropped = describe_dropped(volumes_ml.tolist(), instances.dropped_ml)
    return noted, [*dropped, *describe_warnings(list(noted.values()))]


def _describe(namings: Sequence[Naming]) -> str:
    """Return the number of vertebrae, and the names of the lowest and the highest."""
    ends = namings[0].name, namings[-1].name
    if len(namings) == 1:
        return f"1 vertebra, {ends[0]}"
    return f"{len(namings)} vertebrae, {ends[0]} to {ends[1]}"
