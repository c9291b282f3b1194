"""Checks of a cube, in one pass over its rows.

Intensities, labels and label positions are checked row by row, what no row shows alone
by `cube.scan_checks`. Each row is read once, one at a time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from cube.findings import BORDER, Finding, finding_of
from cube.intensities import ScanIntensity, measure_scan
from cube.reader import Cube
from cube.scan_checks import (
    check_across_scans,
    check_class_volumes,
    check_classes,
    check_mirroring,
    check_sources,
    check_splits,
)
from system.text import count_of
from volumes.classes import border_values, count_labels
from volumes.ignored import split_ignored

# A rotation moves a little of a label near the border out of the grid; a label map
# that lost more was transformed wrongly.
MAX_VOLUME_CHANGE = 0.25
SIDES = (("left", "right"), ("posterior", "anterior"), ("inferior", "superior"))

# Row, image, label map.
Visit = Callable[[int, npt.NDArray, npt.NDArray], None]


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
    findings = [*check_sources(cube), *check_splits(cube), *check_mirroring(cube)]
    for row in range(len(cube)):
        cube.grid(row)  # refuses an affine of no grid
    cases = rows_by_case(cube)
    intensities: dict[int, ScanIntensity] = {}
    scans: dict[int, int] = {}
    class_counts: dict[int, list[int]] = {}
    cut_classes: dict[int, set[int]] = {}
    for rows in cases.values():
        scan_voxels = 0
        for row in rows:
            image, label = cube.image(row), cube.label(row)
            classes = split_ignored(label)[0] if cube.ignores else label
            counts = count_labels(classes, len(cube.class_names))
            findings += check_image(cube, row, image)
            findings += check_label(cube, row, classes, counts)
            voxels = int(counts[1:].sum())
            if cube.copies[row] == 0:
                scans[row] = scan_voxels = voxels
                class_counts[row] = counts[: len(cube.class_names)].tolist()
                cut_classes[row] = border_values(classes[cube.filled_box(row)])
                measured = measure_scan(image[cube.filled_box(row)])
                if measured is not None:
                    intensities[row] = measured
            elif scan_voxels:
                findings += check_copy_volume(cube, row, voxels, scan_voxels)
            if visit is not None:
                visit(row, image, label)
    findings += check_across_scans(cube, intensities, scans)
    findings += check_class_volumes(cube, class_counts, cut_classes)
    findings += check_classes(cube, class_counts)
    order = {case_id: number for number, case_id in enumerate(cases)}
    return sorted(
        findings,
        key=lambda f: (order.get(f.case_id, -1), -1 if f.copy is None else f.copy),
    )


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
    """Find intensities that are not finite, and images that are constant.

    Args:
        cube: Open.
        row: Number of the row.
        image: Its image, shape (I, J, K).
    """
    finite = np.isfinite(image)
    missing = finite.size - np.count_nonzero(finite)
    if missing:
        share = 100 * missing / finite.size
        yield finding_of(
            cube,
            row,
            "intensity not finite",
            f"{count_of(missing, 'voxel')} ({share:.2g} %) NaN or infinite",
        )
    box = cube.filled_box(row)
    values = image[box][finite[box]]
    if values.size and values.min() == values.max():
        yield finding_of(
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

    Args:
        cube: Open.
        row: Number of the row.
        label: Its classes, background where they are ignored, shape (I, J, K).
        counts: Number of voxels of each class, shape (C,) or longer.
    """
    last = len(cube.class_names) - 1
    unknown = [value for value in np.flatnonzero(counts) if value > last]
    if unknown:
        found = ", ".join(
            f"{value} ({count_of(counts[value], 'voxel')})" for value in unknown
        )
        yield finding_of(
            cube, row, "unknown class", f"labels must be 0 to {last}; found {found}"
        )
    if not counts[1:].any():
        yield finding_of(cube, row, "no foreground", "no voxel is labelled")
    elif cube.copies[row] == 0:
        yield from _check_border(cube, row, label, int(counts[1:].sum()))


def check_copy_volume(
    cube: Cube, row: int, voxels: int, scan_voxels: int
) -> Iterator[Finding]:
    """Find a copy whose label volume does not match its rescaling.

    Args:
        cube: Open.
        row: Number of the copy's row.
        voxels: Labelled voxels of the copy.
        scan_voxels: Labelled voxels of its scan, 1 or more.
    """
    drawn = cube.drawn[row].get("rescaling", 1.0)
    factor = float(np.prod(np.broadcast_to(drawn, 3)))
    ratio = voxels / (scan_voxels * factor)
    if voxels and abs(ratio - 1) > MAX_VOLUME_CHANGE:
        yield finding_of(
            cube,
            row,
            "label volume",
            f"{voxels} labelled voxels, {ratio:.2f} of the {scan_voxels * factor:.0f} "
            f"expected (scan {scan_voxels}, rescaling {factor:.2f} by volume)",
        )


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
                places.append(f"{name} ({count_of(count, 'voxel')})")
    if places:
        yield finding_of(cube, row, BORDER, ", ".join(places))
    outside = voxels - np.count_nonzero(inside)
    if outside:
        found = f"{count_of(outside, 'voxel')} beyond the scan"
        yield finding_of(cube, row, "label outside the scan", found)
