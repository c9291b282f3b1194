"""Checks of a cube for faults that no row shows alone.

Spacing, orientation, duplicates, splits, units and label volumes across all scans.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from cube.class_report import (
    describe_ignored,
    describe_untrained,
    untrained_classes,
)
from cube.findings import (
    CLASS_VOLUME,
    IGNORED_VOXELS,
    MAY_SWAP,
    ORIENTATION,
    SPACING,
    SWAPPED,
    UNTRAINED_CLASS,
    WHOLE_CUBE,
    Finding,
    finding_of,
)
from cube.intensities import ScanIntensity, find_faults
from cube.label_volumes import (
    describe_unusual_class,
    find_unusual_classes,
    find_unusual_volumes,
)
from cube.mirroring import find_mirrored
from cube.reader import Cube
from cube.values import CANONICAL_AXIS
from system.text import shorten

# Further from the median, a header may be wrong.
SPACING_FACTOR = 1.5
AXES = ("right-left", "posterior-anterior", "inferior-superior")


def check_sources(cube: Cube) -> Iterator[Finding]:
    """Find unusual spacings and orientations, and scans that occur twice."""
    scans = cube.rows(copy=0)
    yield from _check_spacings(cube, scans)
    yield from _check_orientations(cube, scans)
    first_with: dict[str, int] = {}
    for row in scans:
        first = first_with.setdefault(cube.sources[row]["content_checksum"], row)
        if first != row:
            yield finding_of(
                cube,
                row,
                "same scan twice",
                f"the same voxels as case {cube.case_ids[first]} "
                f"({cube.splits[row]} and {cube.splits[first]})",
                whole_case=True,
            )


def check_splits(cube: Cube) -> Iterator[Finding]:
    """Find subjects in two splits, and augmented copies outside training."""
    members = defaultdict(lambda: defaultdict(dict))
    for row, subject in enumerate(cube.subjects):
        members[subject][cube.splits[row]].setdefault(cube.case_ids[row], row)
        if cube.copies[row] > 0 and cube.splits[row] != "train":
            yield finding_of(
                cube,
                row,
                "augmented copy outside training",
                f"split must be train; found {cube.splits[row]}",
            )
    for subject, splits in members.items():
        if len(splits) > 1:
            places = " and ".join(
                f"{split} ({', '.join(cases)})" for split, cases in splits.items()
            )
            second = list(splits.values())[1]
            yield finding_of(
                cube,
                next(iter(second.values())),
                "subject in two splits",
                f"subject {subject} is in {places}",
                whole_case=True,
            )


def check_mirroring(cube: Cube) -> Iterator[Finding]:
    """Find that copies are mirrored, or may be, though classes name one side.

    It is a fault only of cubes that hold such copies though nobody asked for them, as
    those of earlier versions; see `cube.mirroring`.
    """
    mirrored = find_mirrored(cube)
    if mirrored:
        named, flip = shorten(", ".join(mirrored)), f"{cube.arguments['flip']:g}"
        is_drawn = any(drawn.get("flip") for drawn in cube.drawn)
        if is_drawn and "flip" not in cube.origin:
            kind = SWAPPED
            message = (
                f"--flip must be none where a class names one side, as {named}; found "
                f"{flip}"
            )
        else:
            kind = MAY_SWAP
            message = (
                f"--flip {flip} mirrors copies, in the cube or by --augment online, "
                f"though these classes name one side: {named}"
            )
        yield Finding(WHOLE_CUBE, None, kind, message)


def check_across_scans(
    cube: Cube, intensities: dict[int, ScanIntensity], voxels: dict[int, int]
) -> Iterator[Finding]:
    """Find scans in another unit than the others, and unusual label volumes.

    Args:
        cube: An open cube.
        intensities: What was measured, by row of a scan.
        voxels: Number of labelled voxels, by row of a scan.
    """
    for row, found in find_faults(cube, intensities):
        yield finding_of(
            cube, row, "intensity disagrees with the cube", found, whole_case=True
        )
    extents = cube.extents
    sizes = {row: np.prod(extents[row, :, 1] - extents[row, :, 0]) for row in voxels}
    voxel_ml = np.prod(cube.spacing) / 1000
    volumes = {row: count * voxel_ml for row, count in voxels.items()}
    shares = {row: count / sizes[row] for row, count in voxels.items()}
    for row, found in find_unusual_volumes(volumes, shares):
        yield finding_of(cube, row, "unusual label volume", found, whole_case=True)


def check_class_volumes(
    cube: Cube, counts: Mapping[int, Sequence[int]], cut: Mapping[int, set[int]]
) -> Iterator[Finding]:
    """Find classes whose volume in a scan is unlike that in the other scans.

    Args:
        cube: An open cube.
        counts: Voxels of each class, by row of a scan.
        cut: Classes that reach the border of the scan, by row.
    """
    voxel_ml = float(np.prod(cube.spacing)) / 1000
    rows, numbers = list(counts), range(len(cube.class_names))
    volumes = [[count * voxel_ml for count in counts[row]] for row in rows]
    is_cut = [[number in cut[row] for number in numbers] for row in rows]
    for place, number, factor in find_unusual_classes(volumes, is_cut):
        name, ml = cube.class_names[number], volumes[place][number]
        found = describe_unusual_class(name, ml, factor)
        yield finding_of(cube, rows[place], CLASS_VOLUME, found, whole_case=True)


def check_classes(cube: Cube, counts: Mapping[int, Sequence[int]]) -> Iterator[Finding]:
    """Find classes that no training scan holds, and voxels that are ignored.

    If the training scans hold no class at all, other checks say so.

    Args:
        cube: An open cube.
        counts: Voxels of each class, by row of a scan.
    """
    untrained = untrained_classes(cube, counts)
    if len(untrained) < len(cube.class_names) - 1:
        for message in describe_untrained(untrained):
            yield Finding(WHOLE_CUBE, None, UNTRAINED_CLASS, message)
    for message in describe_ignored(cube):
        yield Finding(WHOLE_CUBE, None, IGNORED_VOXELS, message)


def _check_spacings(cube: Cube, scans: list[int]) -> Iterator[Finding]:
    """Compare the spacing of the scans, axis by axis, with the median."""
    if not scans:
        return
    spacings = np.array([_canonical_spacing(cube.sources[row]) for row in scans])
    median = np.median(spacings, axis=0)
    factors = np.maximum(spacings / median, median / spacings)
    for index, axis in np.argwhere(factors > SPACING_FACTOR):
        yield finding_of(
            cube,
            scans[index],
            SPACING,
            f"{spacings[index, axis]:.4g} mm {AXES[axis]}; "
            f"the median of all scans is {median[axis]:.4g} mm",
            whole_case=True,
        )


def _check_orientations(cube: Cube, scans: list[int]) -> Iterator[Finding]:
    """Find scans whose orientation differs from that of more than half of them."""
    orientations = [cube.sources[row]["orientation"] for row in scans]
    usual, count = Counter(orientations or [""]).most_common(1)[0]
    if 2 * count <= len(scans):
        return
    for row, orientation in zip(scans, orientations, strict=True):
        if orientation != usual:
            yield finding_of(
                cube,
                row,
                ORIENTATION,
                f"stored as {orientation}; {count} of {len(scans)} scans are {usual}",
                whole_case=True,
            )


def _canonical_spacing(source: dict) -> list[float]:
    """Return a scan's spacing in mm along right, anterior, superior."""
    axes = [CANONICAL_AXIS[letter] for letter in source["orientation"]]
    return [source["spacing"][axes.index(axis)] for axis in range(3)]
