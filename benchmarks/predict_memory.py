"""Measure the peak memory of predict.py on a scan of 512 x 512 x 600 voxels.

Example:
    python benchmarks/predict_memory.py --json memory.json

An untrained UNet-3D labels synthetic scans at 2 mm, from file to file, each in a
process of its own; its noisy label maps are the worst case for `--keep largest`.
The last scan, a quarter as large, is predicted at its own spacing.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from time import perf_counter

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

import predict
from benchmarks import timing
from benchmarks.timing import Row, compare
from system.text import format_table
from volumes.formats.files import write_image
from volumes.geometry import Grid, affine_from

LIMIT = 3 * 10**9
SPACING = (0.7, 0.7, 1.0)  # of the scan, mm
COARSE = (2.0, 2.0, 2.0)
# Shape of the scan, classes, spacing at which the network works.
CASES = (
    ((512, 512, 600), 2, COARSE),
    ((512, 512, 600), 26, COARSE),
    ((256, 256, 600), 2, SPACING),
)


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    timing.add_flags(parser)
    return parser.parse_args(argv)


def write_scan(path: Path, shape: Sequence[int]) -> None:
    """Write a scan of noise with identical planes."""
    rng = np.random.default_rng(0)
    plane = rng.integers(-1000, 1000, shape[1:], dtype=np.int16)
    image = np.broadcast_to(plane, shape)
    write_image(path, image, Grid(tuple(shape), affine_from(SPACING)))


def write_network(path: Path, num_classes: int, spacing: Sequence[float]) -> None:
    """Write an untrained network with the defaults of train.py."""
    from models.defaults import DEFAULT_ARCHITECTURE, choose_patch_size
    from models.metadata import ModelMetadata
    from models.model_file import build_network, save_model

    numbers = range(1, num_classes)
    metadata = ModelMetadata(
        model="unet3d",
        spacing=tuple(spacing),
        patch_size=choose_patch_size("unet3d", (256, 256, 256), spacing, 4),
        class_names=("background", *(f"class {number}" for number in numbers)),
        label_values=((), *((number,) for number in numbers)),
        intensity=("auto",),
        architecture=DEFAULT_ARCHITECTURE,
        cube_checksum="",
    )
    save_model(path, build_network(metadata), metadata)


def peak_of(folder: str, shape: Sequence[int], classes: int, spacing) -> tuple:
    """Predict a scan in this process; return its peak memory and the seconds."""
    scan, model = Path(folder, "scan.nrrd"), Path(folder, "model.keras")
    write_scan(scan, shape)
    write_network(model, classes, spacing)
    words = [str(scan), "--model", str(model), "--output", folder]
    Path("/proc/self/clear_refs").write_text("5")
    start = perf_counter()
    code = timing.quietly(predict.main, [*words, "--keep", "largest", "--force"])
    assert code == 0
    return timing.read_status("VmHWM"), perf_counter() - start


def main(argv: Sequence[str] | None = None) -> int:
    """Measure each case in a process of its own."""
    args = parse_args(argv)
    context = multiprocessing.get_context("spawn")
    rows: list[Row] = []
    lines = []
    for shape, classes, spacing in CASES[:1] if args.quick else CASES:
        with (
            tempfile.TemporaryDirectory() as folder,
            ProcessPoolExecutor(1, mp_context=context) as pool,
        ):
            case = (folder, shape, classes, spacing)
            peak, seconds = pool.submit(peak_of, *case).result()
        sides = " x ".join(map(str, shape))
        at = " x ".join(f"{side:g}" for side in spacing)
        name = f"peak memory of predict.py, {sides}, {classes} classes, {at} mm"
        row = compare(f"{name} (bytes; peer: the limit)", peak, LIMIT, 1.0)
        rows.append(row)
        reached = "reached" if peak <= LIMIT else "MISSED"
        figures = (f"{peak / 1e9:.2f}", f"{LIMIT / 1e9:g}: {reached}")
        lines.append((sides, str(classes), at, *figures, f"{seconds:.0f}"))
    print(format_table(("voxels", "classes", "mm", "GB", "limit", "seconds"), lines))
    timing.write_rows(args.json, rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
