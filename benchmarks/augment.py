"""Time the augmentation against other libraries and the limits of the machine.

Example:
    python -m venv bench && bench/bin/pip install -r requirements-bench.txt
    bench/bin/python benchmarks/augment.py --quick --json augment.json

All run in this process, alternating, on two threads each, on the same float32 image
and uint8 label map of smooth blobs; a figure is the median over the turns. Each
library is called as in its documentation, in the fastest way that is correct:
image linear, label map nearest. (Ours weighs the labels of eight neighbours.)
`ratio` is the fastest of the four augmentation libraries over ours; scipy and
SimpleITK, which only resample, are listed for comparison.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

# This folder's augment.py must not stand in front of the package `augment`.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
# Read when numpy, numba and the others are first imported.
os.environ["OMP_NUM_THREADS"] = "2"
os.environ["OPENBLAS_NUM_THREADS"] = "2"
os.environ["NUMBA_NUM_THREADS"] = "2"
# Else a library's idle threads go on spinning in the next one's time.
os.environ["OMP_WAIT_POLICY"] = "passive"

import numba
import numpy as np
from scipy import ndimage

from augment.compose import replay
from augment.intensity import GaussianBlur, GaussianNoise
from benchmarks import machine, peers, timing
from benchmarks.operations import DRAWN, OPERATIONS, SIGMA, TARGETS
from benchmarks.timing import (
    THREADS,
    Row,
    compare,
    interleave,
    milliseconds,
    read_status,
    verdict,
)
from system.text import format_table
from volumes.geometry import Grid, affine_from

# Shape and spacing in mm: an isotropic CT, twice; a lumbar MR of thick slices.
SIZES = {
    "128": ((128, 128, 128), (1.0, 1.0, 1.0)),
    "256": ((256, 256, 256), (1.0, 1.0, 1.0)),
    "381": ((381, 381, 77), (0.7, 0.7, 2.0)),
}
NUM_ORGANS = 6
BLOB = 32  # voxels from one random figure to the next
BOUND = 3.0  # times the machine's bound that ours may take
MEMORY = 2.5  # times input plus output that ours may take
MIB = 2**20


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    timing.add_flags(parser)
    parser.add_argument(
        "--sizes",
        nargs="+",
        choices=SIZES,
        help="128 and 256 cubed, 381 x 381 x 77 (default: all; 128 with --quick)",
    )
    args = parser.parse_args(argv)
    args.sizes = args.sizes or (["128"] if args.quick else list(SIZES))
    return args


def make_blobs(shape: Sequence[int], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Generate an image, float32, and a label map, uint8, of smooth blobs."""
    rng = np.random.default_rng(seed)
    coarse = [max(4, side // BLOB) for side in shape]
    factors = [side / few for side, few in zip(shape, coarse, strict=True)]
    largest = np.full(shape, 1.0, np.float32)
    label = np.zeros(shape, np.uint8)
    for organ in range(1, NUM_ORGANS + 1):
        figures = rng.standard_normal(coarse, dtype=np.float32)
        field = ndimage.zoom(figures, factors, order=1)
        label[field > largest] = organ
        np.maximum(largest, field, out=largest)
    image = label * np.float32(0.5) + largest
    image += np.float32(0.1) * rng.standard_normal(shape, dtype=np.float32)
    return (image - image.mean()) / image.std(), label


def our_calls(
    image: np.ndarray, label: np.ndarray, spacing: Sequence[float]
) -> dict[str, Callable]:
    """Return the calls of this project, by operation."""
    grid = Grid(image.shape, affine_from(spacing))
    return {
        **{
            name: partial(replay, drawn, image, label, source=grid)
            for name, drawn in DRAWN.items()
        },
        "blur": partial(GaussianBlur.apply, image, SIGMA, spacing),
        "noise": partial(GaussianNoise.apply, image, DRAWN["chain"]["noise"], spacing),
    }


def time_size(size: str, libraries: dict, *, quick: bool) -> list[Row]:
    """Time every operation at one size, print the tables, and give the rows."""
    shape, spacing = SIZES[size]
    title = " x ".join(map(str, shape))
    image, label = make_blobs(shape)
    ours = our_calls(image, label, spacing)
    theirs = {
        name: make(image, label, spacing, THREADS) for name, make in libraries.items()
    }
    rows, lines, firsts, seconds = [], [], [], {}
    for operation in OPERATIONS:
        calls = {"ours": ours[operation]}
        calls |= {n: c[operation] for n, c in theirs.items() if operation in c}
        first, median = interleave(
            calls,
            budget=2 if quick else 10,
            least=2 if quick else 3,
            check=partial(peers.check, image, label),
        )
        seconds[operation] = median["ours"]
        rivals = {n: s for n, s in median.items() if n in peers.LIBRARIES}
        best = min(rivals, key=rivals.get, default=None)
        name = f"{operation} {title}"
        row = compare(name, median["ours"], rivals.get(best), TARGETS.get(operation))
        rows.append(row)
        figures = [milliseconds(median.get(name)) for name in ["ours", *libraries]]
        lines.append((operation, *figures, best or "-", verdict(row)))
        firsts.append(f"{operation} {milliseconds(first['ours'])}")
    print(f"\n{title} voxels of {spacing} mm; milliseconds, median\n")
    print(format_table(("", "ours", *libraries, "fastest", "ratio"), lines))
    print(f"\nFirst calls of ours, not counted: {', '.join(firsts)}")
    return rows + bound_rows(title, image, label, spacing, seconds)


def bound_rows(title, image, label, spacing, seconds) -> list[Row]:
    """Compare our seconds with the lower bound of the machine."""
    flops = machine.measure_machine(THREADS).flops
    copies = {
        "pair": machine.copier(image, label),
        "image": machine.copier(image, None),
    }
    _, copied = interleave(copies, budget=2)
    blur = machine.blur_flops(SIGMA / np.array(spacing))
    counts = {**machine.FLOPS, "blur": blur}
    counts["chain"] = sum(
        counts[name] for name in ("elastic", "blur", "noise", "gamma")
    )
    rows, lines = [], []
    for operation, ours in seconds.items():
        moved = copied["image" if operation in ("blur", "noise") else "pair"]
        computed = counts[operation] * image.size / flops
        bound = moved + computed
        row = compare(f"bound of {operation} {title}", ours, bound, 1 / BOUND)
        rows.append(row)
        figures = (moved, computed, bound, ours)
        reached = "reached" if ours <= BOUND * bound else "MISSED"
        times = f"{ours / bound:.1f} (target {BOUND:g}: {reached})"
        lines.append((operation, *map(milliseconds, figures), times))
    rate = 2 * (image.nbytes + label.nbytes) / copied["pair"]
    print(
        f"\nThe bound: copying at {rate / 1e9:.1f} GB/s read and written, then "
        f"computing at {flops / 1e9:.0f} GFLOP/s\n"
    )
    heads = ("", "copying", "computing", "bound", "ours", "ours / bound")
    print(format_table(heads, lines))
    return rows


def peak_memory(operation: str, size: str) -> tuple[int, int]:
    """Measure the peak memory of an operation in a process of its own.

    The kernel's high-water mark of resident memory is reset once the input is
    made and the code has run on a small volume; it needs Linux.

    Returns:
        Bytes of input and output and whatever stood beside them at the peak,
        and bytes of input and output alone.
    """
    shape, spacing = SIZES[size]
    our_calls(*make_blobs((24, 24, 24)), spacing)[operation]()
    rng = np.random.default_rng(0)
    image = rng.standard_normal(shape, dtype=np.float32)
    label = rng.integers(0, NUM_ORGANS, shape, dtype=np.uint8)
    call = our_calls(image, label, spacing)[operation]
    Path("/proc/self/clear_refs").write_text("5")
    before = read_status("VmRSS")
    result = call()
    peak = read_status("VmHWM") - before
    needed = image.nbytes + label.nbytes
    return peak + needed, needed + sum(array.nbytes for array in result)


def memory_rows(size: str) -> list[Row]:
    """Measure the memory of the warp and of the whole chain."""
    title = " x ".join(map(str, SIZES[size][0]))
    rows, lines = [], []
    for operation in ("affine", "elastic", "chain"):
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            peak, needed = pool.submit(peak_memory, operation, size).result()
        name = f"peak memory of {operation} {title} (bytes; peer: {MEMORY} x data)"
        rows.append(compare(name, peak, MEMORY * needed, 1.0))
        reached = "reached" if peak <= MEMORY * needed else "MISSED"
        times = f"{peak / needed:.2f} (target {MEMORY}: {reached})"
        lines.append((operation, f"{peak / MIB:.0f}", f"{needed / MIB:.0f}", times))
    print(f"\nPeak memory in MiB, {title}\n")
    print(format_table(("", "peak", "input + output", "times"), lines))
    return rows


def main(argv: Sequence[str] | None = None) -> int:
    """Time every size, then measure memory."""
    args = parse_args(argv)
    numba.set_num_threads(min(THREADS, numba.config.NUMBA_NUM_THREADS))
    libraries = peers.available()
    rows: list[Row] = []
    for size in args.sizes:
        rows += time_size(size, libraries, quick=args.quick)
    for size in args.sizes:
        rows += memory_rows(size)
    timing.write_rows(args.json, rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
