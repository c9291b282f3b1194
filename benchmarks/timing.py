"""Fair timing: one process, alternating turns, medians, equal threads."""

from __future__ import annotations

import argparse
import gc
import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import asdict, dataclass, field
from io import StringIO
from pathlib import Path

import numpy as np

THREADS = 2


@dataclass(frozen=True)
class Row:
    """A row of the result, as `--json` writes it.

    Args:
        name: What was timed.
        ours: Seconds (or bytes, where the name says so) of this project.
        peer: The same of the one compared with, or None.
        ratio: `peer / ours`, or None.
        target: What the ratio should reach, or None.
    """

    name: str
    ours: float
    peer: float | None = None
    ratio: float | None = None
    target: float | None = None


@dataclass
class Clock:
    """Seconds spent in each phase."""

    spent: dict[str, float] = field(default_factory=dict)
    last: float = field(default_factory=time.perf_counter)

    def note(self, phase: str | None) -> None:
        """Count the seconds since the last note for a phase, or for none."""
        now = time.perf_counter()
        if phase is not None:
            self.spent[phase] = self.spent.get(phase, 0.0) + now - self.last
        self.last = now


def compare(
    name: str, ours: float, peer: float | None, target: float | None = None
) -> Row:
    """Compare a figure of ours with that of another library."""
    return Row(name, ours, peer, None if peer is None else peer / ours, target)


def timed(function: Callable[[], object]) -> float:
    """Return the seconds of one call."""
    gc.collect()
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def quietly(function: Callable, *args) -> object:
    """Call a function and discard its output."""
    with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
        return function(*args)


def interleave(
    functions: Mapping[str, Callable[[], object]],
    *,
    budget: float,
    least: int = 3,
    most: int = 15,
    check: Callable[[str, object], None] | None = None,
) -> tuple[dict[str, float], dict[str, float]]:
    """Time functions in turns, so that a slow spell of the machine hits all.

    Args:
        functions: What to call, by name.
        budget: Seconds that one function may take in all; slow ones get fewer
            turns.
        least: Turns that every function gets.
        most: Turns that none exceeds.
        check: Looks at what the first call of each returned.

    Returns:
        The first call of each, which compiles or loads and is not counted, and
        the median of the others, in seconds.
    """
    first = {}
    for name, function in functions.items():
        start = time.perf_counter()
        result = function()
        first[name] = time.perf_counter() - start
        if check is not None:
            check(name, result)
    turns = {
        name: int(np.clip(budget / seconds, least, most))
        for name, seconds in first.items()
    }
    found: dict[str, list[float]] = {name: [] for name in functions}
    for turn in range(max(turns.values())):
        for name, function in functions.items():
            if turn < turns[name]:
                found[name].append(timed(function))
    return first, {name: float(np.median(times)) for name, times in found.items()}


def read_status(field: str) -> int:
    """Read one of the kernel's figures on this process, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(s.split()[1]) * 1024 for s in lines if s.startswith(field))


def reset_peak() -> None:
    """Let the kernel count this process's peak memory ("VmHWM") from now on."""
    Path("/proc/self/clear_refs").write_text("5")


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags that all benchmarks share."""
    add = parser.add_argument
    add("--quick", action="store_true", help="a smaller run, under 3 minutes")
    add("--json", type=Path, metavar="FILE", help="write the rows to FILE")


def write_rows(path: Path | None, rows: Sequence[Row]) -> None:
    """Write the rows as JSON, if requested."""
    if path is not None:
        path.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")


def milliseconds(seconds: float | None) -> str:
    """Format seconds as milliseconds, with three significant digits."""
    if seconds is None:
        return "-"
    value = 1000 * seconds
    return f"{value:.{max(0, 2 - int(np.floor(np.log10(max(value, 1e-3)))))}f}"


def verdict(row: Row) -> str:
    """Format a ratio and whether it reaches its target."""
    if row.ratio is None:
        return "-"
    if row.target is None:
        return f"{row.ratio:.2f}"
    reached = "reached" if row.ratio >= row.target else "MISSED"
    return f"{row.ratio:.2f} (target {row.target:g}: {reached})"
