"""What building a cube takes of the disk and of the memory."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cube.survey import CaseInfo
from cube.writer import BYTES_PER_VOXEL
from system.errors import UsageError
from system.text import format_bytes

# A scan in work: its voxels as read, smoothed, and a warped copy with scratch; each
# row is written when it is made.
BYTES_PER_SCAN_VOXEL = 12


CGROUP = Path("/sys/fs/cgroup")


BYTES_PER_WARPED_VOXEL = 16


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
class ResourceEstimate:
    """What building a cube will take, in bytes.

    Args:
        cube: The file. Images are not packed; label maps pack to almost nothing.
            Until it is complete its cases lie beside it, so it is needed twice.
        memory_per_worker: While one case is in work.
    """

    cube: int
    memory_per_worker: int


def estimate_resources(
    facts: Sequence[CaseInfo], rows: Sequence[int], shape: Sequence[int]
) -> ResourceEstimate:
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
    return ResourceEstimate(cube, memory)


def check_resources(
    needs: ResourceEstimate, output: Path, workers: int, finished: int = 0
) -> int:
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
