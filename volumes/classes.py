"""The networks' classes, and the values of label maps that belong to each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from system.limits import MAX_LABEL
from volumes.ignored import IGNORED

MAX_CLASSES = 256  # the cube stores uint8
COUNTED_VOXELS = 4_000_000  # at a time: numpy counts in an int64 copy


# A structure by its canonical name, or by the value that it has in every label map.
Member = str | int


@dataclass(frozen=True)
class Classes:
    """The networks' classes, whatever the label maps hold.

    Args:
        names: Name of each class; the first is "background".
        members: Structures of each class; none for the background, which is every
            other structure, and None for a class of all structures.
        ignored: Structures whose voxels have no loss and no score.
    """

    names: tuple[str, ...]
    members: tuple[tuple[Member, ...] | None, ...]
    ignored: tuple[Member, ...] = ()

    def values_in(
        self, label_values: Iterable[int], names: Mapping[int, str]
    ) -> tuple[tuple[int, ...], ...]:
        """Return the values of each class in one label map; none if it lacks it.

        Args:
            label_values: Values above 0 that occur in the label map.
            names: Canonical name of each value that has one.
        """
        ignored = find_members(self.ignored, label_values, names)
        found = sorted(set(label_values) - set(ignored))
        return tuple(
            tuple(found) if members is None else find_members(members, found, names)
            for members in self.members
        )


def find_members(
    members: Sequence[Member], label_values: Iterable[int], names: Mapping[int, str]
) -> tuple[int, ...]:
    """Return the values of a label map that are among some structures, ascending.

    Args:
        members: The structures.
        label_values: As of `Classes.values_in`.
        names: As of `Classes.values_in`.
    """
    return tuple(
        value
        for value in sorted(label_values)
        if value in members or names.get(value) in members
    )


def build_lookup(
    label_values: Sequence[Sequence[int]], ignored: Sequence[int] = ()
) -> npt.NDArray[np.uint8]:
    """Return the class of each label value, shape (65536,).

    Args:
        label_values: Values of each class in a label map, background first; all
            other values are background.
        ignored: Values whose class is `IGNORED`.
    """
    table = np.zeros(MAX_LABEL + 1, np.uint8)
    for number, values in enumerate(label_values):
        table[list(values)] = number
    table[list(ignored)] = IGNORED
    return table


def classify_labels(
    label: np.ndarray, table: npt.NDArray[np.uint8]
) -> npt.NDArray[np.uint8]:
    """Return the class of each voxel of a label map.

    Args:
        label: Unsigned integers, shape (I, J, K); the memory order is kept.
        table: Class of each label value, from `build_lookup`.

    Returns:
        Classes, shape (I, J, K).

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


def border_values(label: np.ndarray) -> set[int]:
    """Return the values above 0 on the six faces of a label map, shape (I, J, K)."""
    faces = [label.take(end, axis) for axis in range(label.ndim) for end in (0, -1)]
    values = np.concatenate([np.unique(face) for face in faces])
    return {int(value) for value in values if value}
