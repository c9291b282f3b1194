"""The limits that control groups set on this process, on Linux.

A container or batch job limits the CPU time and the memory of a group of processes,
and so may each group above it. Version 1 has a tree of groups for each controller,
version 2 one tree for all; a machine may use both.

Reference:
    https://docs.kernel.org/admin-guide/cgroup-v2.html and
    https://docs.kernel.org/admin-guide/cgroup-v1/index.html
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

ROOT = Path("/")
MOUNTS = Path("sys/fs/cgroup")  # where the trees usually are
CPU_FILES = "cpu.cfs_quota_us", "cpu.cfs_period_us"
MEMORY_LIMITS = "memory.max", "memory.high", "memory.limit_in_bytes"
MEMORY_IN_USE = "memory.current", "memory.usage_in_bytes"
# Cached files of which the kernel frees the memory when it is needed.
CACHED = "inactive_file", "total_inactive_file"


def cpu_limit(root: Path = ROOT) -> float:
    """Return the number of CPUs whose time the groups allow; infinity if all.

    Args:
        root: The folder that holds `proc` and `sys`.
    """
    limit = math.inf
    for folder in group_folders("cpu", root):
        for quota, period in (
            (*_words(folder / "cpu.max"), "", "")[:2],
            tuple(_first_word(folder / name) for name in CPU_FILES),
        ):
            allowed, of = parse_count(quota), parse_count(period)
            if allowed is not None and of:
                limit = min(limit, allowed / of)
    return limit


def free_memory(root: Path = ROOT) -> float:
    """Return the number of bytes that the groups still allow; infinity if all.

    Args:
        root: The folder that holds `proc` and `sys`.
    """
    free = math.inf
    for folder in group_folders("memory", root):
        statistics = _statistics(folder / "memory.stat")
        limits = [_first_word(folder / name) for name in MEMORY_LIMITS]
        # In a container of version 1 the groups above cannot be seen otherwise.
        limits.append(str(statistics.get("hierarchical_memory_limit", "none")))
        numbers = [n for n in map(parse_count, limits) if n is not None]
        if not numbers:
            continue
        used = [parse_count(_first_word(folder / name)) for name in MEMORY_IN_USE]
        in_use = max(number or 0 for number in used)
        cached = max(statistics.get(name, 0) for name in CACHED)
        free = min(free, max(0, min(numbers) - max(0, in_use - cached)))
    return free


def parse_count(word: str) -> int | None:
    """Return a whole number of 0 or more; None for other words, as "max" or "-1"."""
    return int(word) if word.isascii() and word.isdigit() and len(word) < 30 else None


def group_folders(controller: str, root: Path = ROOT) -> list[Path]:
    """List the folders of this process' groups, from the nearest to the topmost.

    Args:
        controller: "cpu" or "memory".
        root: The folder that holds `proc` and `sys`.

    Returns:
        Folders of version 1, version 2 or both; empty where there are no groups.
    """
    mounts = list(_mounts(controller, root))
    folders = []
    for version, path in _groups(controller, root):
        for mounted, top, mount in mounts:
            if mounted == version:
                inner = _below(path, top)
                folders += [mount / inner, *(mount / up for up in inner.parents)]
    return list(dict.fromkeys(folders))


def _groups(controller: str, root: Path) -> Iterator[tuple[int, PurePosixPath]]:
    """Yield version and path of each group that this process is in."""
    for line in _text(root / "proc/self/cgroup").splitlines():
        number, names, path = (*line.split(":", 2), "", "")[:3]
        if number == "0" and not names:
            yield 2, PurePosixPath(path)
        elif controller in names.split(","):
            yield 1, PurePosixPath(path)


def _mounts(controller: str, root: Path) -> Iterator[tuple[int, PurePosixPath, Path]]:
    """Yield version, topmost group and folder of each tree of a controller."""
    text = _text(root / "proc/self/mountinfo")
    if not text:
        usual = root / MOUNTS
        yield 2, PurePosixPath("/"), usual
        yield 1, PurePosixPath("/"), usual / controller
    for line in text.splitlines():
        fields, _, tree = line.partition(" - ")
        kind, _, options = (*tree.split(maxsplit=2), "", "", "")[:3]
        version = {"cgroup": 1, "cgroup2": 2}.get(kind)
        is_of_controller = version == 2 or controller in options.split(",")
        if version is None or not is_of_controller or len(fields.split()) < 5:
            continue
        top, folder = (_unescape(word) for word in fields.split()[3:5])
        yield version, PurePosixPath(top), root / folder.lstrip("/")


def _below(path: PurePosixPath, top: PurePosixPath) -> PurePosixPath:
    """Return a group's path below the topmost group that can be seen.

    A group outside, as seen from within a container, is taken for the topmost one.
    """
    if ".." in path.parts or not path.is_relative_to(top):
        return PurePosixPath()
    return path.relative_to(top)


def _unescape(word: str) -> str:
    """Replace the octal escapes that stand for blanks in a list of mounts."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), word)


def _statistics(path: Path) -> dict[str, int]:
    """Read lines of a name and a count."""
    pairs = [line.split() for line in _text(path).splitlines()]
    return {pair[0]: parse_count(pair[1]) or 0 for pair in pairs if len(pair) == 2}


def _first_word(path: Path) -> str:
    """Return the first word of a file, or nothing if it cannot be read."""
    return (*_words(path), "")[0]


def _words(path: Path) -> list[str]:
    """Return the words of a file, none if it cannot be read."""
    return _text(path).split()


def _text(path: Path) -> str:
    """Return the text of a file, nothing if it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
