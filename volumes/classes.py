"""Mapping the values of label maps to the networks' classes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from system.errors import DataError, UsageError
from system.limits import MAX_LABEL

MAX_CLASSES = 256  # the cube stores uint8
COUNTED_VOXELS = 4_000_000  # at a time: numpy counts in an int64 copy


@dataclass(frozen=True)
class Classes:
    """The networks' classes.

    Args:
        names: Name of each class; the first is "background".
        values: Label values of each class, ascending; none for the background,
            which is every other value.
    """

    names: tuple[str, ...]
    values: tuple[tuple[int, ...], ...]

    def lookup(self) -> npt.NDArray[np.uint8]:
        """Return the class of each label value, shape (65536,)."""
        table = np.zeros(MAX_LABEL + 1, np.uint8)
        for index, values in enumerate(self.values):
            table[list(values)] = index
        return table


def classify_labels(
    label: np.ndarray, table: npt.NDArray[np.uint8]
) -> npt.NDArray[np.uint8]:
    """Return the class of each voxel of a label map.

    Args:
        label: Unsigned integers; the memory order is kept.
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
        label: Non-negative integers, not empty, shape (I, J, K), any memory order.
        at_least: Smallest length of the result.

    Returns:
        Number of voxels of the values 0, 1, ..., up to the largest.
    """
    # Each plane is contiguous in memory.
    planes = label if label.strides[0] >= label.strides[-1] else label.T
    counts = np.zeros(max(int(label.max()) + 1, at_least), np.int64)
    thickness = max(1, COUNTED_VOXELS // planes[0].size)
    for first in range(0, len(planes), thickness):
        slab = planes[first : first + thickness].ravel(order="K")
        counts += np.bincount(slab, minlength=len(counts))
    return counts


def _parse(word: str) -> tuple[str | None, tuple[int, ...]]:
    """Parse one word of --labels: `20`, `L1=20` or `vertebra=20,21,22`."""
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
    """Choose the classes from --labels and the values in the label maps.

    Args:
        words: `["binary"]`, `["keep"]`, or values with or without names.
        found: Every value above 0 that occurs in any label map.
        segment_names: Names of values in the label maps.

    Returns:
        The classes: in ascending order of value for `keep`, else as given.

    Raises:
        DataError: If all label maps are empty.
        UsageError: If a requested value occurs in no label map or twice in
            `words`, or there are more than 255 classes.
    """
    found = sorted(set(found))
    if not found:
        raise DataError(
            "The label maps must hold at least one value above 0. Received: none"
        )
    if list(words) == ["binary"]:
        return Classes(("background", "spine"), ((), tuple(found)))
    classes = [(None, (value,)) for value in found]
    if list(words) != ["keep"]:
        classes = [_parse(word) for word in words]
    requested = [value for _, values in classes for value in values]
    absent = set(requested) - set(found)
    if absent or len(requested) != len(set(requested)):
        raise UsageError(
            "Each value of --labels must occur in the label maps, and be given once. "
            f"Received: {requested}; the label maps hold {found}."
        )
    names = ["background"]
    for name, values in classes:
        default = segment_names.get(values[0], f"label_{values[0]}")
        names.append(name or default)
    if len(set(names)) < len(names) or len(names) > MAX_CLASSES:
        raise UsageError(
            f"There must be at most {MAX_CLASSES - 1} classes, with distinct names "
            f"other than background. Received: {names[1:]}"
        )
    return Classes(tuple(names), ((), *(values for _, values in classes)))
