"""Estimates of the disk space and memory that building a cube takes."""

from __future__ import annotations

import math
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cube.storage import count_bytes, largest_row
from cube.survey import CaseInfo
from cube.writer import BYTES_PER_VOXEL
from system.errors import UsageError
from system.job import available_memory
from system.text import format_bytes

# A case being built holds the scan as read and smoothed, one warped copy with its
# scratch space, and one row, which is written before the next is made.
BYTES_PER_SCAN_VOXEL = 12
BYTES_PER_WARPED_VOXEL = 16


@dataclass(frozen=True)
class ResourceEstimate:
    """What building a cube will take, in bytes.

    Args:
        cube: The file. Images are not compressed, and stored where their scans are;
            label maps compress to almost nothing. Until the cube is complete its
            cases lie beside it, so that building takes this twice.
        memory_per_worker: Peak memory while a worker builds a case.
    """

    cube: int
    memory_per_worker: int


def estimate_resources(
    cases: Sequence[CaseInfo],
    extents: npt.NDArray[np.int64],
    shape: Sequence[int],
) -> ResourceEstimate:
    """Estimate a cube's size and the memory that building it takes.

    Args:
        cases: Every case of the cube.
        extents: Box that the scan of each row fills, shape (N, 3, 2).
        shape: Grid of the cube, (I, J, K).
    """
    # Python's integers, since the shape of a mistyped spacing overflows numpy's.
    padded = math.prod(shape)
    cube = count_bytes(extents.astype(object), shape)
    memory = max(
        math.prod(case.grid.shape) * BYTES_PER_SCAN_VOXEL
        + padded * (BYTES_PER_WARPED_VOXEL + BYTES_PER_VOXEL)
        for case in cases
    )
    return ResourceEstimate(cube, memory)


def check_filled(shape: Sequence[int], size: int) -> None:
    """Check that the scans fill a grid, as whoever opens the cube requires.

    Args:
        shape: Of the grid.
        size: Bytes of the cube.

    Raises:
        UsageError: If the grid is out of proportion.
    """
    row = math.prod(shape) * np.dtype(np.float16).itemsize
    if row > largest_row(size):
        raise UsageError(
            "--shape must be a grid that the scans fill. Received: "
            f"{' x '.join(map(str, shape))} voxels, {format_bytes(row)} a row, for "
            f"scans of {format_bytes(size)} in all"
        )


def check_resources(
    estimate: ResourceEstimate,
    output: Path,
    workers: int,
    finished: int = 0,
    worker_memory: int | None = None,
) -> int:
    """Check that a cube fits on the disk and that building it fits in memory.

    Args:
        estimate: What building the cube takes.
        output: The cube's file.
        workers: Maximum number of processes.
        finished: Bytes of the cases that an interrupted build left on the disk.
        worker_memory: Bytes of each worker; None if they share this computer's.

    Returns:
        The number of workers, lowered to what the shared memory allows.

    Raises:
        UsageError: If the disk or the memory is too small.
    """
    folder, disk = free_disk(output)
    memory = available_memory() if worker_memory is None else worker_memory
    if 2 * estimate.cube - finished > disk:
        raise UsageError(
            f"The cube needs about {format_bytes(estimate.cube)}, and as much again "
            f"while it is built, but {folder} has {format_bytes(disk)} free. A coarser "
            "--spacing or fewer --copies helps."
        )
    if estimate.memory_per_worker > memory:
        raise UsageError(
            f"One case needs about {format_bytes(estimate.memory_per_worker)} of "
            f"memory, but {format_bytes(memory)} are free. A coarser --spacing helps."
        )
    if worker_memory is not None:
        return workers
    return max(1, min(workers, memory // estimate.memory_per_worker))


def free_disk(output: Path) -> tuple[Path, int]:
    """Return the existing folder that will hold a file, and its free bytes."""
    folder = next(path for path in output.absolute().parents if path.is_dir())
    return folder, shutil.disk_usage(folder).free
