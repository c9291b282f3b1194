"""Which values of a label map become which class of the networks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from system.errors import DataError, UsageError
from system.limits import MAX_LABEL

MAX_CLASSES = 256  # the cube keeps a class in a byte
COUNTED_VOXELS = 4_000_000  # at a time: numpy counts in a copy of 8 bytes a voxel


@dataclass(frozen=True)
class Classes:
    """The networks' classes.

    Args:
        names: Name of each class; the first is "background".
        values: Label values behind each class, ascending; none for the
            background, which is every value not named.
    """

    names: tuple[str, ...]
    values: tuple[tuple[int, ...], ...]

    def lookup(self) -> npt.NDArray[np.uint8]:
        """Give the class of each label value, shape (65536,)."""
        table = np.zeros(MAX_LABEL + 1, np.uint8)
        for index, values in enumerate(self.values):
            table[list(values)] = index
        return table


def classify_labels(
    label: np.ndarray, table: npt.NDArray[np.uint8]
) -> npt.NDArray[np.uint8]:
    """Give each voxel of a label map its class, so that merged values are one.

    Args:
        label: Unsigned integers, in any memory order, which is kept.
        table: Class of each label value, from `Classes.lookup`.

    Raises:
        ValueError: If a label value is not in the table.
    """
    if label.size and label.max() >= len(table):
        raise ValueError(
            f"Every label value must be below {len(table)}. Received: {label.max()}"
        )
    return table[label]


def count_labels(label: np.ndarray, at_least: int = 0) -> npt.NDArray[np.int64]:
    """Count the voxels of each value, a few planes at a time.

    Args:
        label: Non-negative integers, at least one, shape (I, J, K), in any order.
        at_least: How many values to count from 0 on, even where none is so large.

    Returns:
        Voxels of the values 0, 1, ..., up to the largest.
    """
    # Planes that lie together in memory.
    planes = label if label.strides[0] >= label.strides[-1] else label.T
    counts = np.zeros(max(int(label.max()) + 1, at_least), np.int64)
    thickness = max(1, COUNTED_VOXELS // planes[0].size)
    for first in range(0, len(planes), thickness):
        slab = planes[first : first + thickness].ravel(order="K")
        counts += np.bincount(slab, minlength=len(counts))
    return counts


def _parse(word: str) -> tuple[str | None, tuple[int, ...]]:
    """Read one word of --labels: `20`, `L1=20` or `vertebra=20,21,22`."""
    name, equals, values = word.rpartition("=")
    try:
        numbers = tuple(sorted(int(value) for value in values.split(",")))
    except ValueError:
        numbers = ()
    if not numbers or (equals and not name) or not 0 < numbers[0] <= numbers[-1]:
        raise UsageError(
            "--labels takes `binary`, `keep`, label values such as 20 21 22, or names "
            f"with values such as L1=20 or vertebra=20,21. Received: {word}"
        )
    return name or None, numbers


def choose_classes(
    words: Sequence[str], found: Iterable[int], segment_names: Mapping[int, str]
) -> Classes:
    """Decide the classes from --labels and from what the label maps hold.

    Args:
        words: `["binary"]`, `["keep"]`, or values with or without names.
        found: Every value above 0 that occurs in any label map.
        segment_names: Names that the label maps themselves give to values.

    Returns:
        The classes: in ascending order of value for `keep`, else as given.

    Raises:
        DataError: If all label maps are empty.
        UsageError: If a value asked for occurs in no label map, is named twice,
            or there are more than 255 classes.
    """
    found = sorted(set(found))
    if not found:
        raise DataError(
            "The label maps must hold at least one value above 0. Received: none"
        )
    if list(words) == ["binary"]:
        return Classes(("background", "spine"), ((), tuple(found)))
    wanted = [(None, (value,)) for value in found]
    if list(words) != ["keep"]:
        wanted = [_parse(word) for word in words]
    asked = [value for _, values in wanted for value in values]
    absent = sorted(set(asked) - set(found))
    if absent or len(asked) != len(set(asked)):
        raise UsageError(
            "Each value of --labels must occur in the label maps, and be named once. "
            f"Received: {asked}; the label maps hold {found}."
        )
    names = [
        name or segment_names.get(values[0], f"label_{values[0]}")
        for name, values in wanted
    ]
    names = ["background", *names]
    if len(set(names)) < len(names) or len(names) > MAX_CLASSES:
        raise UsageError(
            f"Classes must have different names and number at most {MAX_CLASSES - 1}. "
            f"Received: {names[1:]}"
        )
    return Classes(tuple(names), ((), *(values for _, values in wanted)))
