"""Cutting instances in which a bridged disc joins several vertebrae.

Nothing narrows the mask there, so the chain took them for one. The length of the
others along the curve says how many they are, and about where; the area of the
sections says where exactly, if it has a minimum there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spine.curve import Curve

LONG = 1.5  # times the length of its neighbours: more than one vertebra
NUM_NEIGHBORS = 3  # on either side
LONG_UNSEEN = 1.8  # the same where the area has no minimum
LONG_END = 4.0  # the same at either end, where it may be a sacrum, or C1 and C2
# Length of one vertebra in radii of the largest sphere in it: 2 where it is less high
# than deep, up to 2.9 in the upper thoracic spine. Two joined ones have 4 or more.
MAX_RADII = 3.45
# Height of a body in radii of joined ones, whose sphere is as wide as they are deep.
JOINED_RADII = 1.75
GAP_SHARE = 0.2  # of a disc, in heights of a body, where there is none to be measured
SEARCH_SHARE = 0.25  # of a height, to either side of the expected place of a disc
LEAST_DIP = 0.03  # of the area of the sections beside it


@dataclass(frozen=True)
class Cut:
    """Where an instance is cut.

    Args:
        instance: Its label.
        points: Indices of points of the curve, from below.
        is_seen: Whether every cut lies at a minimum of the area; else by length.
    """

    instance: int
    points: tuple[int, ...]
    is_seen: bool


def expected_lengths(
    lengths: npt.NDArray[np.float64], radii: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Return the length that each instance should have by its neighbours, in mm.

    It is the median of up to three on either side. Those that are long for their own
    radius do not count. If none is left, it is its own length, or a multiple of its
    radius if it is long for that.

    Args:
        lengths: From below, mm, shape (N,).
        radii: Of the largest sphere in each, mm, shape (N,).
    """
    is_one = lengths < MAX_RADII * radii
    expected = np.where(is_one, lengths, JOINED_RADII * radii)
    places = np.arange(len(lengths))
    for place in places:
        is_near = (abs(places - place) <= NUM_NEIGHBORS) & (places != place)
        others = lengths[is_near & is_one]
        if len(others):
            expected[place] = np.median(others)
    return np.maximum(expected, 1.0)


def find_cuts(
    sections: npt.NDArray[np.integer],
    areas: npt.NDArray[np.integer],
    lengths: npt.NDArray[np.float64],
    expected: npt.NDArray[np.float64],
) -> list[Cut]:
    """Find the instances to cut, and where.

    The lowest and the highest are cut without a minimum of the area only if they are
    very long, as they may be a sacrum, or a C2 with its dens.

    Args:
        sections: Of the instances, see `spine.sections.count_samples`, shape
            (P, N + 1).
        areas: Of all instances together, in wider discs, shape (P,).
        lengths: Of the instances, in points, shape (N,).
        expected: Of the instances, in points, shape (N,).
    """
    is_long = lengths >= LONG * expected
    gap = _median_gap(sections, is_long) or GAP_SHARE * float(np.median(expected))
    cuts = []
    for place in np.flatnonzero(is_long):
        filled = np.flatnonzero(3 * sections[:, place + 1] >= sections.sum(axis=1))
        first, length = int(filled[0]), float(filled[-1] - filled[0] + 1)
        height = float(expected[place])
        count = max(2, round((length + gap) / (height + gap)))
        step = (length + gap) / count
        found = [
            _find_minimum(areas, first + step * part - gap / 2, height)
            for part in range(1, count)
        ]
        is_seen = all(seen for _, seen in found)
        is_inner = 0 < place < len(lengths) - 1
        if is_seen or length >= (LONG_UNSEEN if is_inner else LONG_END) * height:
            points = tuple(point for point, _ in found)
            cuts.append(Cut(int(place) + 1, points, is_seen))
    return cuts


def _median_gap(
    sections: npt.NDArray[np.integer], is_long: npt.NDArray[np.bool_]
) -> float | None:
    """Return the median gap between instances of which none is long, in points."""
    filled = 3 * sections[:, 1:] >= sections.sum(axis=1, keepdims=True)
    first, last = filled.argmax(axis=0), len(filled) - filled[::-1].argmax(axis=0)
    is_pair = ~(is_long[1:] | is_long[:-1])
    gaps = (first[1:] - last[:-1])[is_pair]
    return max(0.0, float(np.median(gaps))) if len(gaps) else None


def _find_minimum(
    areas: npt.NDArray[np.integer], place: float, height: float
) -> tuple[int, bool]:
    """Return the point of least area near a place, and whether it is a minimum.

    Without one, it is the place itself.
    """
    reach = max(2, round(SEARCH_SHARE * height))
    smooth = np.convolve(areas, np.full(3, 1 / 3), mode="same")
    first = max(0, round(place) - reach)
    window = smooth[first : round(place) + reach + 1]
    point = first + int(window.argmin())
    below = smooth[max(0, point - reach) : point + 1].max()
    above = smooth[point : point + reach + 1].max()
    if smooth[point] <= (1 - LEAST_DIP) * min(below, above):
        return point, True
    return round(place), False


def cut_seeds(
    labels: npt.NDArray[np.int32],
    positions: npt.NDArray[np.float64],
    curve: Curve,
    cuts: list[Cut],
    reach_mm: float,
) -> npt.NDArray[np.int32]:
    """Return the parts of instances that are cut, as labels from 1 upwards.

    Args:
        labels: Of the instances at some voxels, shape (M,).
        positions: World mm of those voxels, shape (M, 3).
        curve: Of the spine.
        cuts: Of some of the instances.
        reach_mm: Only voxels as near to the curve have a part.

    Returns:
        For voxels of instances that are cut: 1 for the lowest part; else 0.
    """
    parts = np.zeros(len(labels), np.int32)
    for cut in cuts:
        of_cut = np.flatnonzero(labels == cut.instance)
        nearest, is_near = curve.nearest(positions[of_cut], reach_mm)
        part = 1 + np.searchsorted(cut.points, nearest, side="right")
        parts[of_cut[is_near]] = part[is_near]
    return parts
