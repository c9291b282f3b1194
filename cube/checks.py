"""Checks of a cube for faults, in one pass over its rows.

Intensities, labels and label positions are checked row by row; spacing, orientation,
duplicates, splits, units and label volumes across all scans. Each row is read once,
one at a time.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cube.class_report import describe_untrained, untrained_classes
from cube.intensities import ScanIntensity, find_faults, measure_scan
from cube.label_volumes import find_unusual_volumes
from cube.reader import Cube
from cube.values import CANONICAL_AXIS
from volumes.ignored import split_ignored

# Further from the median, a wrong header is more likely than an unusual protocol.
SPACING_FACTOR = 1.5
# A rotation moves a little of a label near the border out of the grid; a label map
# that lost more was transformed wrongly.
MAX_VOLUME_CHANGE = 0.25
SIDES = (("left", "right"), ("posterior", "anterior"), ("inferior", "superior"))
WHOLE_CUBE = "whole cube"
AXES = ("right-left", "posterior-anterior", "inferior-superior")

# Row, image, label map.
Visit = Callable[[int, npt.NDArray, npt.NDArray], None]


@dataclass(frozen=True)
class Finding:
    """One fault of a cube.

    Args:
        case_id: The faulty case, or `WHOLE_CUBE`.
        copy: Copy number of the faulty row; None for the case as a whole.
        kind: A few words, the same for all findings of the kind.
        message: What was expected and what was found, with values.
    """

    case_id: str
    copy: int | None
    kind: str
    message: str

    def __str__(self) -> str:
        row = f", copy {self.copy}" if self.copy else ""
        return f"{self.case_id}{row}: {self.kind}: {self.message}"


def check_cube(cube: Cube, visit: Visit | None = None) -> list[Finding]:
    """Run all checks on a cube.

    Args:
        cube: An open cube.
        visit: Called with every row while it is in memory, for pictures and
            progress: row number, image and label map with what is ignored, each of
            shape (I, J, K).

    Returns:
        Findings by case, in the cube's order, after those of the whole cube; of each
        case first those of the case as a whole, then the scan's, then those of its
        copies.
    """
    findings = [*check_sources(cube), *check_splits(cube)]
    cases = rows_by_case(cube)
    intensities: dict[int, ScanIntensity] = {}
    scans: dict[int, int] = {}
    class_counts: dict[int, list[int]] = {}
    for rows in cases.values():
        scan_voxels = 0
        for row in rows:
            image, label = cube.image(row), cube.label(row)
            classes = split_ignored(label)[0] if cube.ignores else label
            counts = _count_labels(classes)
            findings += check_image(cube, row, image)
            findings += check_label(cube, row, classes, counts)
            voxels = int(counts[1:].sum())
            if cube.copies[row] == 0:
                scans[row] = scan_voxels = voxels
                class_counts[row] = counts[: len(cube.class_names)].tolist()
                measured = measure_scan(image[cube.filled_box(row)])
                if measured is not None:
                    intensities[row] = measured
            elif scan_voxels:
                findings += check_copy_volume(cube, row, voxels, scan_voxels)
            if visit is not None:
                visit(row, image, label)
    findings += check_across_scans(cube, intensities, scans)
    findings += check_classes(cube, class_counts)
    order = {case_id: number for number, case_id in enumerate(cases)}
    return sorted(
        findings,
        key=lambda f: (order.get(f.case_id, -1), -1 if f.copy is None else f.copy),
    )


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
        yield _finding(
            cube, row, "intensity disagrees with the cube", found, whole_case=True
        )
    extents = cube.extents
    sizes = {row: np.prod(extents[row, :, 1] - extents[row, :, 0]) for row in voxels}
    voxel_ml = np.prod(cube.spacing) / 1000
    volumes = {row: count * voxel_ml for row, count in voxels.items()}
    shares = {row: count / sizes[row] for row, count in voxels.items()}
    for row, found in find_unusual_volumes(volumes, shares):
        yield _finding(cube, row, "unusual label volume", found, whole_case=True)


def rows_by_case(cube: Cube) -> dict[str, list[int]]:
    """List the rows of every case, the scan before its copies."""
    cases = defaultdict(list)
    for row, case_id in enumerate(cube.case_ids):
        cases[case_id].append(row)
    return {
        case_id: sorted(rows, key=lambda row: cube.copies[row])
        for case_id, rows in cases.items()
    }


def check_image(cube: Cube, row: int, image: npt.NDArray) -> Iterator[Finding]:
    """Find intensities that are not finite, and images that are constant."""
    finite = np.isfinite(image)
    missing = finite.size - np.count_nonzero(finite)
    if missing:
        share = 100 * missing / finite.size
        yield _finding(
            cube,
            row,
            "intensity not finite",
            f"{_voxels(missing)} ({share:.2g} %) NaN or infinite",
        )
    box = cube.filled_box(row)
    values = image[box][finite[box]]
    if values.size and values.min() == values.max():
        yield _finding(
            cube,
            row,
            "constant image",
            f"all {values.size} voxels of the scan have intensity {values.min():.4g}",
        )


def check_label(
    cube: Cube, row: int, label: npt.NDArray, counts: npt.NDArray[np.int64]
) -> Iterator[Finding]:
    """Find unknown classes, an empty label map, and foreground at the scan's border.

    The border is checked for scans only: augmentation may move a vertebra out of the
    grid, as long as image and label map move together.
    """
    last = len(cube.class_names) - 1
    unknown = [value for value in np.flatnonzero(counts) if value > last]
    if unknown:
        found = ", ".join(f"{value} ({_voxels(counts[value])})" for value in unknown)
        yield _finding(
            cube, row, "unknown class", f"labels must be 0 to {last}; found {found}"
        )
    if not counts[1:].any():
        yield _finding(cube, row, "no foreground", "no voxel is labelled")
    elif cube.copies[row] == 0:
        yield from _check_border(cube, row, label, int(counts[1:].sum()))


def check_copy_volume(
    cube: Cube, row: int, voxels: int, scan_voxels: int
) -> Iterator[Finding]:
    """Find a copy whose label volume does not match its rescaling."""
    drawn = cube.drawn[row].get("rescaling", 1.0)
    factor = float(np.prod(np.broadcast_to(drawn, 3)))
    ratio = voxels / (scan_voxels * factor)
    if voxels and abs(ratio - 1) > MAX_VOLUME_CHANGE:
        yield _finding(
            cube,
            row,
            "label volume",
            f"{voxels} labelled voxels, {ratio:.2f} of the {scan_voxels * factor:.0f} "
            f"expected (scan {scan_voxels}, rescaling {factor:.2f} by volume)",
        )


def check_sources(cube: Cube) -> Iterator[Finding]:
    """Find unusual spacings and orientations, and scans that occur twice."""
    scans = cube.rows(copy=0)
    yield from _check_spacings(cube, scans)
    yield from _check_orientations(cube, scans)
    first_with: dict[str, int] = {}
    for row in scans:
        first = first_with.setdefault(cube.sources[row]["content_checksum"], row)
        if first != row:
            yield _finding(
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
            yield _finding(
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
            yield _finding(
                cube,
                next(iter(second.values())),
                "subject in two splits",
                f"subject {subject} is in {places}",
                whole_case=True,
            )


def check_classes(cube: Cube, counts: Mapping[int, Sequence[int]]) -> Iterator[Finding]:
    """Find classes that no training scan holds, though some hold others.

    Args:
        cube: An open cube.
        counts: Voxels of each class, by row of a scan.
    """
    untrained = untrained_classes(cube, counts)
    if len(untrained) < len(cube.class_names) - 1:
        for message in describe_untrained(untrained):
            yield Finding(WHOLE_CUBE, None, "class without training scan", message)


def _check_spacings(cube: Cube, scans: list[int]) -> Iterator[Finding]:
    """Compare the spacing of the scans, axis by axis, with the median."""
    if not scans:
        return
    spacings = np.array([_canonical_spacing(cube.sources[row]) for row in scans])
    median = np.median(spacings, axis=0)
    factors = np.maximum(spacings / median, median / spacings)
    for index, axis in np.argwhere(factors > SPACING_FACTOR):
        yield _finding(
            cube,
            scans[index],
            "unusual spacing",
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
            yield _finding(
                cube,
                row,
                "unusual orientation",
                f"stored as {orientation}; {count} of {len(scans)} scans are {usual}",
                whole_case=True,
            )


def _canonical_spacing(source: dict) -> list[float]:
    """Return a scan's spacing in mm along right, anterior, superior."""
    axes = [CANONICAL_AXIS[letter] for letter in source["orientation"]]
    return [source["spacing"][axes.index(axis)] for axis in range(3)]


def _check_border(
    cube: Cube, row: int, label: npt.NDArray, voxels: int
) -> Iterator[Finding]:
    """Find foreground at the sides of the scan, and outside it."""
    inside = label[cube.filled_box(row)] > 0
    places = []
    for axis, names in enumerate(SIDES):
        for side, name in zip((0, -1), names, strict=True):
            count = np.count_nonzero(np.take(inside, side, axis=axis))
            if count:
                places.append(f"{name} ({_voxels(count)})")
    outside = voxels - np.count_nonzero(inside)
    if outside:
        places.append(f"outside ({_voxels(outside)})")
    if places:
        yield _finding(cube, row, "label touches the scan's border", ", ".join(places))


def _voxels(count: int) -> str:
    return "1 voxel" if count == 1 else f"{count} voxels"


def _count_labels(label: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """Count the voxels of each value, shape (256,)."""
    # Slice by slice, since bincount converts its input to 64 bits.
    return sum(np.bincount(plane.ravel(), minlength=256) for plane in label)


def _finding(
    cube: Cube, row: int, kind: str, message: str, *, whole_case: bool = False
) -> Finding:
    """Return a finding about a row, or about its case as a whole."""
    copy = None if whole_case else cube.copies[row]
    return Finding(cube.case_ids[row], copy, kind, message)
