"""Before a cube is built: look at every case, choose the grid, foresee the size."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cube.pairs import Pair
from cube.writer import BYTES_PER_VOXEL
from system.errors import DataError, UsageError
from system.limits import MAX_VOXELS
from system.text import format_bytes, on_one_line
from volumes.classes import count_labels
from volumes.formats.files import (
    checksum,
    content_checksum,
    read_finite_volume,
    read_label_map,
)
from volumes.geometry import (
    Grid,
    canonical_grid,
    canonical_spacing,
    largest_corner_distance,
    share_a_grid,
)

# A scan in work: its voxels as read, smoothed, and a warped copy with scratch; each
# row is written when it is made.
BYTES_PER_SCAN_VOXEL = 12
CGROUP = Path("/sys/fs/cgroup")
BYTES_PER_WARPED_VOXEL = 16


@dataclass(frozen=True)
class Facts:
    """What planning needs to know of a case.

    Args:
        pair: The line of the pair list.
        grid: The scan's grid.
        label_values: Every value above 0 of the label map.
        segment_names: Names that the label map gives to values, on one line each.
        image_checksum: Of the image file.
        label_checksum: Of the label map's file.
        content_checksum: Of the scan, however it is stored.
        notes: What had to be assumed in reading.
    """

    pair: Pair
    grid: Grid
    label_values: tuple[int, ...]
    segment_names: dict[int, str]
    image_checksum: str
    label_checksum: str
    content_checksum: str
    notes: tuple[str, ...]


def survey(pair: Pair, max_voxels: int = MAX_VOXELS) -> Facts:
    """Read an image and its label map, and see that they belong together.

    Args:
        pair: Of the pair list.
        max_voxels: How many a file's header may promise.

    Raises:
        DataError: If either cannot be used, or their grids differ; both are
            named.
    """
    image = read_finite_volume(pair.image, max_voxels)
    label_map = read_label_map(pair.label, max_voxels)
    grid = image.grid
    if not share_a_grid(grid, label_map.grid):
        distance = largest_corner_distance(grid, label_map.grid)
        apart = (
            "their shapes differ"
            if np.isinf(distance)
            else f"their corners are up to {distance:.3f} mm apart"
        )
        raise DataError(
            f"Image and label map of case '{pair.case_id}' are on different grids, "
            f"{apart}.\n  {pair.image}: {grid}\n  {pair.label}: {label_map.grid}"
        )
    values = np.flatnonzero(count_labels(label_map.array))
    return Facts(
        pair,
        grid,
        tuple(values[values > 0].tolist()),
        {each.value: on_one_line(each.name) for each in label_map.segments},
        checksum(pair.image),
        checksum(pair.label),
        content_checksum(image),
        tuple(dict.fromkeys((*image.notes, *label_map.notes))),
    )


def check_duplicates(facts: Sequence[Facts]) -> None:
    """Refuse the same scan under two names: a leak if splits part them."""
    names: dict[str, str] = {}
    faults = []
    for fact in facts:
        other = names.setdefault(fact.content_checksum, fact.pair.case_id)
        if other != fact.pair.case_id:
            faults.append(f"{other} and {fact.pair.case_id}")
    if faults:
        raise DataError(
            "Each scan must be listed once, but these are the same: "
            f"{'; '.join(faults)}. Remove one, or give --allow-duplicates and the "
            "same subject to both."
        )


def choose_spacing(grids: Sequence[Grid]) -> tuple[float, float, float]:
    """Take the median spacing of the scans, and the finest two axes as equal.

    Returns:
        Spacing in mm along right, anterior, superior; the finest two are both
        the smaller of their medians.
    """
    median = np.median([canonical_spacing(grid) for grid in grids], axis=0)
    order = np.argsort(median, kind="stable")
    median[order[1]] = median[order[0]]
    return tuple(float(f"{value:.4g}") for value in median)


def spacing_for_side(grids: Sequence[Grid], side: int) -> tuple[float, float, float]:
    """Choose one isotropic spacing so that the longest scan fits `side` voxels."""
    longest = max(max(np.array(grid.shape) * np.array(grid.spacing)) for grid in grids)
    return (float(longest / side),) * 3


def pooling_sizes(spacing: Sequence[float], depth: int) -> list[tuple[int, int, int]]:
    """Decide which axes each of `depth` poolings halves.

    An axis is skipped while its spacing is more than twice the finest of the
    others', so that thick slices are pooled once the voxels are near cubes.

    Returns:
        For each level a factor, 1 or 2, along each axis.
    """
    current = np.array(spacing, dtype=float)
    sizes = []
    for _ in range(depth):
        others = [np.delete(current, axis).min() for axis in range(len(current))]
        factors = np.where(current > 2 * np.array(others), 1, 2)
        sizes.append(tuple(factors.tolist()))
        current = current * factors
    return sizes


def choose_shape(
    grids: Sequence[Grid], spacing: Sequence[float], depth: int = 4
) -> tuple[int, int, int]:
    """Take what the largest scan needs, rounded up to what the networks halve.

    Returns:
        Sides in voxels, each a multiple of the product of its axis' poolings:
        16, or less along thick slices.
    """
    need = np.max([canonical_grid(grid, spacing).shape for grid in grids], axis=0)
    multiple = np.prod(pooling_sizes(spacing, depth), axis=0)
    return tuple((-(-need // multiple) * multiple).tolist())


def available_memory() -> int:
    """Tell how many bytes of memory are free to use."""
    try:
        with open("/proc/meminfo") as lines:
            found = dict(line.split(":", 1) for line in lines)
        free = int(found["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError):
        free = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    try:  # a container's or a batch job's own limit
        limit, used = (
            int((CGROUP / name).read_text())
            for name in ("memory.max", "memory.current")
        )
        return min(free, max(0, limit - used))
    except (OSError, ValueError):
        return free


def free_disk(output: Path) -> tuple[Path, int]:
    """Tell the folder that will hold a file, and how many bytes are free there."""
    folder = next(path for path in output.absolute().parents if path.is_dir())
    return folder, shutil.disk_usage(folder).free


@dataclass(frozen=True)
class Needs:
    """What building a cube will take, in bytes.

    Args:
        cube: The file. Images are not packed; label maps pack to almost nothing.
            Until it is complete its cases lie beside it, so it is needed twice.
        memory_per_worker: While one case is in work.
    """

    cube: int
    memory_per_worker: int


def foresee(facts: Sequence[Facts], rows: Sequence[int], shape: Sequence[int]) -> Needs:
    """Foresee a cube's size and the memory that making it takes.

    Args:
        facts: Of every case.
        rows: How many rows each case becomes.
        shape: Of the cube.
    """
    # In Python's integers: a scan with a slip in its spacing overflows numpy's.
    padded = math.prod(shape)
    cube = padded * sum(rows) * np.dtype(np.float16).itemsize
    memory = max(
        math.prod(fact.grid.shape) * BYTES_PER_SCAN_VOXEL
        + padded * (BYTES_PER_WARPED_VOXEL + BYTES_PER_VOXEL)
        for fact in facts
    )
    return Needs(cube, memory)


def check_needs(needs: Needs, output: Path, workers: int, finished: int = 0) -> int:
    """See that a cube fits on the disk and its making in memory.

    Args:
        needs: What it will take.
        output: Where it will lie.
        workers: Processes, at most.
        finished: Bytes of its cases that lie on the disk already.

    Returns:
        The number of workers, lowered to what the memory allows.

    Raises:
        UsageError: If the disk or the memory cannot hold it.
    """
    folder, disk = free_disk(output)
    memory = available_memory()
    if 2 * needs.cube - finished > disk:
        raise UsageError(
            f"The cube needs about {format_bytes(needs.cube)}, and as much again while "
            f"it is built, but {folder} has {format_bytes(disk)} free. A coarser "
            "--spacing or fewer --copies helps."
        )
    if needs.memory_per_worker > memory:
        raise UsageError(
            f"One case needs about {format_bytes(needs.memory_per_worker)} of memory, "
            f"but {format_bytes(memory)} are free. A coarser --spacing helps."
        )
    return max(1, min(workers, memory // needs.memory_per_worker))
