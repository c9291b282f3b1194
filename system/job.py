"""The CPUs and the memory that this process may use, which may be a batch job's."""

from __future__ import annotations

import math
import os
import resource
from pathlib import Path

from system import cgroups

# Cores of a job on this machine, by Slurm, Grid Engine and Python 3.13. They can only
# lower what the system allows.
CPU_VARIABLES = ("SLURM_CPUS_PER_TASK", "NSLOTS", "PYTHON_CPU_COUNT")
MEMORY_VARIABLE = "SLURM_MEM_PER_NODE"  # in MiB


def available_cpus(root: Path = cgroups.ROOT) -> int:
    """Return the number of CPUs that this process may use, 1 or more.

    It is the least of the CPUs that the process may run on (`taskset`), the CPU time
    of its control groups, rounded up, and the cores of its batch job.

    Args:
        root: The folder that holds `proc` and `sys`.
    """
    try:
        count = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS has no such call
        count = os.cpu_count() or 1
    limits = [_count(os.environ.get(name)) for name in CPU_VARIABLES]
    return max(1, math.ceil(min(count, cgroups.cpu_limit(root), *limits)))


def available_memory(root: Path = cgroups.ROOT) -> int:
    """Return the number of bytes of memory that this process may still use.

    It is the least of the machine's free memory and of what remains of the limits of
    the control groups, the batch job and the process (`ulimit -v`).

    Args:
        root: The folder that holds `proc` and `sys`.
    """
    job = _count(os.environ.get(MEMORY_VARIABLE)) * 2**20
    return int(
        min(_free_memory(root), cgroups.free_memory(root), job, _address_space())
    )


def _free_memory(root: Path) -> int:
    """Return the bytes of memory that are free on the machine."""
    try:
        with open(root / "proc/meminfo", encoding="ascii") as lines:
            fields = dict(line.split(":", 1) for line in lines)
        return int(fields["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError, IndexError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2


def _address_space() -> float:
    """Return the bytes of address space that the process may still take."""
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit == resource.RLIM_INFINITY:
        return math.inf
    try:
        with open("/proc/self/statm", encoding="ascii") as stream:
            taken = int(stream.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        taken = 0
    return max(0, limit - taken)


def _count(word: str | None) -> float:
    """Return a positive whole number, or infinity for any other word."""
    return cgroups.parse_count(word or "") or math.inf
