"""Time training steps and predictions against MONAI on PyTorch, and the machine.

Example:
    python -m venv bench && bench/bin/pip install -r requirements-bench.txt
    bench/bin/python benchmarks/train_step.py --quick --json train_step.json

Both frameworks have the same U-Net (checked with equal weights), voxels, loss and
optimizer, and two threads. Each has a process of its own and waits while the other
has its turn; a figure is the median over the turns.
MONAI is timed with channels first, last, and compiled, and its fastest counts.
A step is forward, Dice loss, backward and AdamW; ours also updates the Dice
metric of train.py. A scan is predicted in the same tiles with the same overlap,
Gaussian weights and softmax included. Then train.py itself trains on phantoms, to
measure which share of a step waits for data, and the peak memory.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

# This folder's augment.py must not stand in front of the package `augment`.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
# Read when the frameworks, numpy and numba are first imported, in every process.
os.environ["OMP_NUM_THREADS"] = "2"
os.environ["OPENBLAS_NUM_THREADS"] = "2"
os.environ["NUMBA_NUM_THREADS"] = "2"
os.environ["TF_NUM_INTRAOP_THREADS"] = "2"
os.environ["TF_NUM_INTEROP_THREADS"] = "2"
os.environ["OMP_WAIT_POLICY"] = "PASSIVE"  # who waits must not spin

import numpy as np

from benchmarks import machine, monai_network, networks, timing
from benchmarks.networks import Problem, Rival
from benchmarks.scripts import help_rows, training_rows
from benchmarks.timing import THREADS, Row, compare, interleave, milliseconds, verdict
from system.text import format_table

GRID = (48, 192, 192)  # of a lumbar scan at 2 mm
SPACING = (2.0, 2.0, 2.0)
TARGETS = {
    "step unet3d": 2.0,
    "step unet2d": 1.5,
    "scan unet3d": 2.5,
    "scan unet2d": 2.5,
}
WAYS = ("first", "last")
COMPILED = ("first compiled", "last compiled")


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    timing.add_flags(parser)
    return parser.parse_args(argv)


def pose(model: str) -> Problem:
    """Return the default patch, batch and filters of train.py."""
    from models import defaults, prediction

    patch_size = defaults.choose_patch_size(model, GRID, SPACING, networks.DEPTH)
    return Problem(
        model=model,
        filters=defaults.DEFAULT_ARCHITECTURE["filters"],
        batch_size=defaults.choose_batch_size(model, patch_size),
        patch_size=patch_size,
        scan=GRID,
        per_call=max(1, prediction.VOXELS_PER_CALL // int(np.prod(patch_size))),
    )


def count_tiles(problem: Problem) -> int:
    """Count the tiles of a whole scan."""
    from models.tiles import tile_starts

    sides = zip(problem.scan, problem.patch_size, strict=True)
    return int(np.prod([len(tile_starts(0, n, t, problem.overlap)) for n, t in sides]))


def check_equal(ours: Rival, monai: Rival | None) -> int:
    """Check that both networks are equal; return their number of parameters."""
    weights = ours.ask("weights")
    if monai is not None:
        found = monai.ask("probabilities", weights)
        np.testing.assert_allclose(ours.ask("probabilities"), found, atol=1e-3)
    return sum(weight.size for weight in weights)


def time_turns(
    what: str, ours: Rival, monai: Rival | None, *, quick: bool
) -> tuple[float, dict[str, float]]:
    """Time "step" or "scan" in turns; give the median seconds, ours and MONAI's."""
    calls = {"ours": partial(ours.run, what)}
    for name in monai.names if monai else ():
        if name.startswith(what):
            calls[name.removeprefix(f"{what} ")] = partial(monai.run, name)
    effort = {"budget": 3, "least": 3} if quick else {"budget": 20, "least": 5}
    _, median = interleave(calls, **effort)
    return median.pop("ours"), median


def time_model(model: str, rate: float, *, quick: bool) -> list[Row]:
    """Time one network's step and scan, print the table, and give the rows."""
    problem, ways = pose(model), WAYS if quick else (*WAYS, *COMPILED)
    ours, monai = Rival(networks.our_calls, problem), None
    if monai_network.is_installed():
        monai = Rival(monai_network.monai_calls, problem, THREADS, ways)
    parameters = check_equal(ours, monai)
    step_flops, patch_flops = ours.ask("flops")
    tiles = count_tiles(problem)
    rows, lines = [], []
    for what, flops in (("step", step_flops), ("scan", tiles * patch_flops)):
        seconds, theirs = time_turns(what, ours, monai, quick=quick)
        name, bound = f"{what} {model}", flops / rate
        row = compare(name, seconds, min(theirs.values(), default=None), TARGETS[name])
        rows += [row, compare(f"bound of {name}", seconds, bound)]
        figures = [milliseconds(each) for each in (seconds, *theirs.values())]
        limit = (milliseconds(bound), f"{seconds / bound:.1f}")
        lines.append((what, *figures, verdict(row), *limit))
    for rival in (ours, monai):
        if rival is not None:
            rival.close()
    sides, scan = (" x ".join(map(str, s)) for s in (problem.sides, problem.scan))
    print(
        f"\n{model}: {problem.filters} filters, {parameters:,} parameters in both; a "
        f"step of {problem.batch_size} x {sides} voxels, {step_flops / 1e9:.1f} GFLOP; "
        f"a scan of {scan} in {tiles} tiles; milliseconds\n"
    )
    heads = ("", "ours", *(theirs and ways), "fastest / ours", "bound", "ours / bound")
    print(format_table(heads, lines))
    return rows


def main(argv: Sequence[str] | None = None) -> int:
    """Time both networks, then the real training and --help."""
    args = parse_args(argv)
    rate = machine.matrix_rate()
    print(f"Matrix products: {rate / 1e9:.0f} GFLOP/s")
    rows: list[Row] = []
    for model in ("unet3d", "unet2d"):
        rows += time_model(model, rate, quick=args.quick)
    rows += training_rows(quick=args.quick)
    rows += help_rows()
    timing.write_rows(args.json, rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
