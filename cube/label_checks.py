"""Finding label maps that cannot be one: swapped with the image, inverted, a copy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cube.pairs import Pair
from system.errors import DataError
from volumes.volume import Volume

# TotalSegmentator finds 117 structures in a body; more have names if they are meant.
MOST_VALUES = 150
MOST_FOREGROUND = 0.6
# A map of so much foreground is inverted, or counts the background as a label.
INVERTED_FOREGROUND = 0.9
FEWEST_INTENSITIES = 8
# Neighbours in a plane have one label, except at outlines: 0.89 or more in coarse
# label maps, 0.67 or less in CT and MR of 8 bits.
LEAST_EQUAL_NEIGHBOURS = 0.75
MOST_COPIED = 0.95  # share of the labelled voxels where the image has the label value
SAMPLED_PLANES = 16


@dataclass(frozen=True)
class _Texture:
    """What tells a label map from an image.

    Args:
        num_values: Number of distinct values in the sampled planes.
        equal_neighbours: Share of neighbours in a plane that are equal.
    """

    num_values: int
    equal_neighbours: float

    @property
    def is_patchy(self) -> bool:
        """Return whether most neighbours are equal, as in a label map."""
        return self.equal_neighbours >= LEAST_EQUAL_NEIGHBOURS


def check_label_map(
    pair: Pair, image: Volume, label_map: Volume, counts: npt.NDArray[np.int64]
) -> tuple[str, ...]:
    """Check that a label map can be one, and that the image is none.

    Args:
        pair: Their line of the pair list.
        image: The scan.
        label_map: Of the same grid; may be empty.
        counts: Number of the label map's voxels of the values 0, 1, ...

    Returns:
        Notes on what is unusual, but possible.

    Raises:
        DataError: If it cannot be one; with what was found and the likely cause.
    """
    fault, note = _find_fault(image, label_map, counts)
    if fault:
        raise DataError(
            f"The label map of case '{pair.case_id}' cannot be one: {fault}. Check "
            f"line {pair.line} of the pair list, or use --allow-unlikely. Received: "
            f"image {pair.image}, label map {pair.label}"
        )
    return (note,) if note else ()


def _find_fault(
    image: Volume, label_map: Volume, counts: npt.NDArray[np.int64]
) -> tuple[str, str]:
    """Return why a label map cannot be one, or else what is unusual in it."""
    texture, num_labels = _measure(image.array), np.count_nonzero(counts)
    foreground = counts[1:].sum() / counts.sum()
    covers = f"{100 * foreground:.0f} % of the scan are labelled"
    few = texture.num_values
    if few == 1:  # nothing to compare with; a finding of checkCube.py
        return "", ""
    if _is_copy(image.array, label_map.array):
        return "it has the values of the image; one file may be named twice", ""
    if few < num_labels and texture.is_patchy:
        found = f"it has {num_labels} different values, and the image only {few}"
        return f"{found}; image and label map may be swapped", ""
    if num_labels > MOST_VALUES and not label_map.segments:
        found = f"it has {num_labels} different values"
        return f"{found}; image and label map may be swapped", ""
    if foreground > MOST_FOREGROUND and not _is_patchy(label_map.array):
        return f"{covers}, with values as uneven as an image's", ""
    if foreground > INVERTED_FOREGROUND:
        return f"{covers}; it may be inverted, or number the background", ""
    if foreground > MOST_FOREGROUND:
        return "", "more than 60 % of the scan are labelled"
    if few < FEWEST_INTENSITIES and texture.is_patchy:
        return "", f"the image has only {few} different values, as a label map has"
    return "", ""


def looks_like_labels(image: Volume) -> bool:
    """Return whether an image has few values, in patches, as a label map does."""
    texture = _measure(image.array)
    return 1 < texture.num_values <= MOST_VALUES and texture.is_patchy


def _sample_planes(array: np.ndarray) -> np.ndarray:
    """Return some planes across the first axis, evenly spaced."""
    step = max(1, len(array) // SAMPLED_PLANES)
    return array[step // 2 :: step]


def _measure(array: np.ndarray) -> _Texture:
    planes = _sample_planes(array)
    equal = planes[:, 1:] == planes[:, :-1]
    share = float(equal.mean()) if equal.size else 1.0
    return _Texture(len(np.unique(planes)), share)


def _is_patchy(label: np.ndarray) -> bool:
    """Return whether most neighbours that are both labelled have the same label."""
    planes = _sample_planes(label)
    first, second = planes[:, 1:], planes[:, :-1]
    both = (first > 0) & (second > 0)
    if not both.any():
        return True
    return bool(np.mean(first[both] == second[both]) >= LEAST_EQUAL_NEIGHBOURS)


def _is_copy(image: np.ndarray, label: np.ndarray) -> bool:
    labelled = label > 0
    count = np.count_nonzero(labelled)
    equal = np.count_nonzero((image == label) & labelled)
    return count > 0 and equal >= MOST_COPIED * count
