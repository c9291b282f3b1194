"""Time how many patches a second a cube feeds to a training, and who waits.

Example:
    python benchmarks/feeding.py --json feeding.json

The cube has one deep and one wide phantom scan. Patches of 128 x 128 x 128 voxels are
read as they are stored, and augmented online, by one and by two threads, without and
with contrast curves, as train.py does. The wait is that for a patch while a GPU
computes on another, which is assumed to take `--step` seconds.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from benchmarks import timing
from benchmarks.timing import Row
from system.text import format_table

PATCH = 128
STEP = 0.125  # seconds that a GPU is assumed to take for a patch: eight a second
THREADS = (1, 2)


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    timing.add_flags(parser)
    add = parser.add_argument
    add("--side", type=int, default=PATCH, help="of a patch (default %(default)s)")
    add("--step", type=float, default=STEP, help="of a GPU, s (default %(default)s)")
    return parser.parse_args(argv)


def write_scans(folder: Path, side: int) -> Path:
    """Write two scans of smooth noise that are larger than a patch; return the list."""
    from volumes.formats.files import write_image
    from volumes.geometry import Grid, affine_from

    lines = []
    shapes = ((side * 5 // 4,) * 3, (side, side * 5 // 4, side * 3 // 2))
    for number, shape in enumerate(shapes):
        rng = np.random.default_rng(number)
        grid = Grid(shape, affine_from((1.0, 1.0, 1.0)))
        coarse = rng.normal(300, 100, [-(-n // 4) for n in shape])
        image = np.kron(coarse, np.ones((4, 4, 4)))[tuple(map(slice, shape))]
        label = np.zeros(shape, np.uint8)
        label[tuple(slice(n // 3, n // 2) for n in shape)] = 1
        names = [f"{kind}{number}.nrrd" for kind in ("image", "label")]
        noisy = image + rng.normal(0, 20, shape)
        for name, array in zip(names, (noisy.astype(np.int16), label), strict=True):
            write_image(folder / name, array, grid)
        lines.append(",".join(names))
    pairs = folder / "pairs.txt"
    pairs.write_text("\n".join([*lines, ""]))
    return pairs


def build_cube(folder: Path, side: int) -> Path:
    """Build a cube of those scans with the default copies at 1 mm."""
    import makeCube

    cube = folder / "cube.h5"
    flags = ["--output", str(cube), "--spacing", "1", "--copies", "2"]
    flags += ["--validation", "0", "--test", "0"]
    pairs = write_scans(folder, side)
    if timing.quietly(makeCube.main, [str(pairs), *flags]):
        sys.exit("makeCube.py failed")
    return cube


def feed(sampler, threads: int, count: int, step: float) -> tuple[float, float]:
    """Take `count` patches, each followed by `step` seconds of sleep.

    Returns:
        Seconds a patch, and the share of them that was spent waiting.
    """
    from models.batches import prefetch

    batches = prefetch(sampler, 0, threads=threads)
    next(batches)  # compiles, and reads where the foreground is
    start, waited = time.perf_counter(), 0.0
    for _ in range(count):
        before = time.perf_counter()
        next(batches)
        waited += time.perf_counter() - before
        time.sleep(step)
    seconds = time.perf_counter() - start
    batches.close()
    return seconds / count, waited / seconds


def samplers(cube, side: int) -> dict:
    """Return the sources of patches to time, by name."""
    from augment.compose import Compose, compose_of
    from augment.contrast_curve import ContrastCurve
    from models.batches import PatchSampler
    from models.defaults import CONTRAST_CURVES

    curves = Compose([ContrastCurve(p=CONTRAST_CURVES)])
    options = {"patch_size": (side,) * 3, "batch_size": 1, "seed": 0}
    every, first = cube.rows("train"), cube.rows("train", copy=0)
    online = compose_of(cube.arguments)
    return {
        "stored": PatchSampler(cube, every, **options),
        "stored, curves": PatchSampler(cube, every, contrast=curves, **options),
        "online, curves": PatchSampler(
            cube, first, compose=online, contrast=curves, **options
        ),
    }


def feeding_rows(
    *, side: int = PATCH, step: float = STEP, count: int = 48
) -> list[Row]:
    """Time each source of patches, print the table, and return the rows."""
    from cube.reader import Cube

    rows, lines = [], []
    with (
        tempfile.TemporaryDirectory() as folder,
        Cube(build_cube(Path(folder), side)) as cube,
    ):
        for name, sampler in samplers(cube, side).items():
            for threads in THREADS:
                seconds, _ = feed(sampler, threads, count, 0.0)
                _, waiting = feed(sampler, threads, count // 2, step)
                what = f"{name}, {threads} threads"
                rows.append(Row(f"feeding, {what} (s a patch)", seconds))
                rows.append(Row(f"waiting, {what} (share of a step)", waiting))
                rate = f"{1 / seconds:.1f}"
                lines.append((name, str(threads), rate, f"{waiting:.0%}"))
    print(f"\nPatches of {side}^3 voxels; a step is assumed to take {step:g} s\n")
    print(format_table(("", "threads", "a second", "waiting"), lines))
    return rows


def main(argv: Sequence[str] | None = None) -> int:
    """Time the sources of patches."""
    args = parse_args(argv)
    count = 12 if args.quick else 48
    rows = feeding_rows(side=args.side, step=args.step, count=count)
    timing.write_rows(args.json, rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
