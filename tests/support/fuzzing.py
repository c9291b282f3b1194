"""Reading files that were changed at random: only a DataError may come out."""

from __future__ import annotations

import argparse
import resource
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import hypothesis
import numpy as np
from hypothesis.strategies import SearchStrategy

from system.errors import DataError
from volumes.formats.files import read_finite_volume, read_label_map, write_label_map
from volumes.volume import Volume

SHORT_ROUND = 300
ROUND = 2000  # a long run is cut in rounds, for Hypothesis remembers a whole one
CPU_SECONDS = 5
MEMORY_BYTES = 2**30
LONGEST_MESSAGE = 1000


@contextmanager
def limited_time() -> Iterator[None]:
    """Raise in the block when it has computed for too long."""

    def stop(*_):
        raise TimeoutError(f"more than {CPU_SECONDS} seconds")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _read(read: Callable, path: Path) -> tuple[Volume | None, str]:
    """Return the volume, or the message of the DataError."""
    try:
        with limited_time():
            return read(path), ""
    except DataError as error:
        return None, str(error)


def check(path: Path, content: bytes) -> str:
    """Read a file in every way; return "read" or "refused", raise at a fault."""
    path.write_bytes(content)
    outcome = "refused"
    for read in (read_finite_volume, read_label_map):
        volume, message = _read(read, path)
        if volume is None:
            assert str(path) in message
            assert len(message) <= LONGEST_MESSAGE
            assert "\n" not in message
            continue
        outcome = "read"
        assert volume.array.shape == volume.grid.shape
        assert np.isfinite(volume.array).all()
        assert min(volume.grid.spacing) > 0
    if volume is not None:
        # What a header says is written into the label maps of its scan.
        for name in ("copy.nrrd", "copy.seg.nrrd", "copy.nii"):
            write_label_map(path.with_name(name), volume.array, like=volume)
            copy = read_label_map(path.with_name(name))
            np.testing.assert_array_equal(copy.array, volume.array)
            affine = volume.grid.affine
            rounded = 1e-6 * np.abs(affine).max()  # NIfTI writes float32
            np.testing.assert_allclose(copy.grid.affine, affine, atol=rounded)
    return outcome


def fuzz(
    path: Path,
    strategy: SearchStrategy[bytes],
    runs: int,
    seed: int,
    check: Callable[[Path, bytes], str] = check,
) -> Counter:
    """Check as many changed files; count those that were read and refused.

    Args:
        path: Where each file is written; its folder holds what they point to.
        strategy: Of the files' content.
        runs: How many.
        seed: The same files for the same seed.
        check: Reads one file in every way.
    """
    outcomes: Counter = Counter()

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=runs,
        deadline=None,  # what was computed is limited, not what the clock says
        database=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(strategy)
    def check_one(content):
        outcomes[check(path, content)] += 1

    check_one()
    return outcomes


def limit_memory() -> None:
    """Limit memory, so that an allocation far beyond the present use fails."""
    statistics = Path("/proc/self/statm")
    if statistics.exists():  # Linux
        used = int(statistics.read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY_BYTES,) * 2)


def main(
    name: str,
    strategy: SearchStrategy[bytes],
    data_files: dict[str, bytes],
    check: Callable[[Path, bytes], str] = check,
) -> None:
    """Run as long as the command line says; raise at the first file that fails.

    Args:
        name: Of the changed file.
        strategy: Of its content.
        data_files: What the files may point to.
        check: As of `fuzz`.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=200_000, help="(default 200000)")
    parser.add_argument("--seed", type=int, default=0, help="of the first round")
    args = parser.parse_args()
    limit_memory()
    total: Counter = Counter()
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        for other, content in data_files.items():
            (Path(folder) / other).write_bytes(content)
        while sum(total.values()) < args.runs:
            runs = min(ROUND, args.runs - sum(total.values()))
            total += fuzz(Path(folder) / name, strategy, runs, args.seed, check)
            args.seed += 1
            seconds = time.monotonic() - start
            print(f"{sum(total.values())} files, {seconds:.0f} s: {dict(total)}")
            sys.stdout.flush()
