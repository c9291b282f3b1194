"""Measure how the peak memory of a build grows with the number of cases."""

from __future__ import annotations

import multiprocessing
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

import makeCube
from benchmarks import ancestor, timing
from benchmarks.timing import Row, compare
from cube.pairs import read_pairs
from system.text import format_table
from volumes.formats.files import write_image
from volumes.geometry import Grid, affine_from

SHAPE = (20, 24, 12)  # voxels of a scan
SIDE = 24  # of the cube
MIB = 2**20


def make_tiny_scans(folder: Path, count: int) -> Path:
    """Write small scans of one blob each, and their pair list."""
    lines = []
    grid = Grid(SHAPE, affine_from((2.0, 2.0, 3.0)))
    for case in range(count):
        rng = np.random.default_rng(case)
        image = rng.integers(0, 500, SHAPE).astype(np.int16)
        label = np.zeros(SHAPE, np.uint8)
        label[5:12, 6:15, 3:8] = 1
        names = [f"{kind}{case}.nrrd" for kind in ("image", "label")]
        for name, array in zip(names, (image, label), strict=True):
            write_image(folder / name, array, grid)
        lines.append(",".join(names))
    pairs = folder / "pairs.txt"
    pairs.write_text("\n".join([*lines, ""]))
    return pairs


def peak_of(way: str, folder: str, count: int) -> int:
    """Build a cube of small scans in this process, and give its peak memory."""
    pairs, output = Path(folder, "pairs.txt"), Path(folder, f"{way}.h5")
    if way == "ours":
        flags = ["--output", str(output), "--copies", "1", "--workers", "1", "--force"]
        flags += ["--side", str(SIDE), "--validation", "0", "--test", "0"]
        assert timing.quietly(makeCube.main, [str(pairs), *flags]) == 0
    else:
        files = [(pair.image, pair.label) for pair in read_pairs(pairs)]
        ancestor.build(files, output, copies=1, side=SIDE)
    return timing.read_status("VmHWM")


def memory_rows(counts: Sequence[int]) -> list[Row]:
    """Measure how the peak memory of a fresh process grows with the cases."""
    rows, lines = [], []
    peaks: dict[tuple[str, int], int] = {}
    ways = ("ours", "ancestor") if ancestor.is_installed() else ("ours",)
    context = multiprocessing.get_context("spawn")
    for count in counts:
        with tempfile.TemporaryDirectory() as folder:
            make_tiny_scans(Path(folder), count)
            for way in ways:
                with ProcessPoolExecutor(1, mp_context=context) as pool:
                    job = pool.submit(peak_of, way, folder, count)
                    peaks[way, count] = job.result()
        lines.append((str(count), *(f"{peaks[w, count] / MIB:.0f}" for w in ways)))
    few, many = counts[0], counts[-1]
    for way in ways:
        name = f"peak memory, {way}, {many} cases (bytes; peer: {few} cases)"
        target = 0.9 if way == "ours" else None
        rows.append(compare(name, peaks[way, many], peaks[way, few], target))
    print("\nPeak memory in MiB by number of cases\n")
    print(format_table(("cases", *ways), lines))
    return rows
