"""Measure on a GPU what the defaults on GPUs rest on.

Example:
    python benchmarks/gpu.py --json gpu.json

Times a training step of both networks in each precision, with and without XLA, and
that of MONAI's U-Net on PyTorch where it is installed (`requirements-bench.txt`), each
in a process of its own; then the patches a second that are prepared for it. Without a
GPU it says so and ends. `--device cpu` runs the same code on small patches.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import networks, timing
from benchmarks.feeding import feeding_rows
from benchmarks.networks import Problem, Rival
from benchmarks.timing import Row, interleave, milliseconds
from system.text import format_table

DTYPES = {
    "gpu": ("float32", "mixed_float16", "mixed_bfloat16"),
    "cpu": ("float32", "mixed_bfloat16"),  # which has no 3-D pooling of float16
}
SIDES = {"gpu": 128, "cpu": 16}
FILTERS = {"gpu": 32, "cpu": 8}
BATCH_SIZES = {"unet3d": 2, "unet2d": 8}
MIB = 2**20


@dataclass(frozen=True)
class Way:
    """One way to compute a step.

    Args:
        name: In the table.
        make: Builds the calls of a `Rival`, with `options`.
        args: Of `make`, after the problem.
        options: Of `make`.
        call: The call that is timed.
    """

    name: str
    make: Callable
    args: tuple
    options: dict
    call: str


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    timing.add_flags(parser)
    add = parser.add_argument
    add("--device", choices=("gpu", "cpu"), default="gpu", help="(default gpu)")
    return parser.parse_args(argv)


def describe_gpu() -> dict | None:
    """Find the GPU in this process; return what is known of it, None without one."""
    import models  # noqa: F401  sets TensorFlow up before it is imported

    # isort: split
    import tensorflow as tf

    from models.device import find_gpu

    gpu = find_gpu()
    if gpu is None:
        return None
    return {**asdict(gpu), "tensorflow": tf.__version__, "words": gpu.description}


def in_process(function: Callable, *args) -> object:
    """Call a function in a new process, which gives the GPU back when it ends."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(function, *args).result()


def pose(model: str, device: str) -> Problem:
    """Return the problem of a network: large patches on a GPU, small ones on a CPU."""
    side = SIDES[device] * (2 if model == "unet2d" else 1)
    return Problem(
        model=model,
        filters=FILTERS[device],
        batch_size=BATCH_SIZES[model],
        patch_size=(1 if model == "unet2d" else side, side, side),
        scan=(32, 32, 32),  # which is not timed
        per_call=1,
    )


def list_ways(device: str) -> list[Way]:
    """List the ways to compute a step on a device."""
    ways = []
    for dtype in DTYPES[device]:
        for jit_compile in (False, True):
            name = f"ours, {dtype}{', XLA' if jit_compile else ''}"
            options = {"dtype": dtype, "jit_compile": jit_compile}
            ways.append(Way(name, networks.our_calls, (), options, "step"))
        if networks.is_installed():
            options = {"device": "cuda" if device == "gpu" else "cpu", "dtype": dtype}
            args = (timing.THREADS, ("last",))
            ways.append(
                Way(f"MONAI, {dtype}", networks.monai_calls, args, options, "step last")
            )
    return ways


def time_way(problem: Problem, way: Way, *, quick: bool) -> tuple[float, float]:
    """Time a step in a process of its own.

    Returns:
        Seconds of the first step, which compiles, and the median of the others.
    """
    rival = Rival(partial(way.make, **way.options), problem, *way.args)
    effort = {"budget": 2, "least": 3} if quick else {"budget": 20, "least": 10}
    calls = {way.name: partial(rival.run, way.call)}
    first, median = interleave(calls, **effort, most=50)
    rival.close()
    return first[way.name], median[way.name]


def step_rows(model: str, device: str, *, quick: bool) -> list[Row]:
    """Time all ways to compute a network's step, print the table, return the rows."""
    problem = pose(model, device)
    rows, lines, base = [], [], None
    for way in list_ways(device):
        try:
            first, seconds = time_way(problem, way, quick=quick)
        except EOFError:  # the process has printed why it ended
            lines.append((way.name, "failed", "-", "-"))
            continue
        base = base or seconds
        ratio = base / seconds
        rows.append(
            Row(f"step {model}, {way.name} (peer: the first)", seconds, base, ratio)
        )
        rows.append(Row(f"first step {model}, {way.name}", first))
        compiled = f"{first:.1f}"
        lines.append((way.name, milliseconds(seconds), f"{ratio:.2f}", compiled))
    sides = " x ".join(map(str, (problem.batch_size, *problem.sides)))
    print(f"\n{model}: {problem.filters} filters, a step of {sides} voxels\n")
    print(format_table(("", "ms", "first / this", "first step, s"), lines))
    return rows


def main(argv: Sequence[str] | None = None) -> int:
    """Time the steps and the feeding, and write the table and the rows."""
    args = parse_args(argv)
    found = in_process(describe_gpu) if args.device == "gpu" else {"words": "a CPU"}
    if found is None:
        print("There is no GPU that TensorFlow can use, so nothing is measured.")
        return 0
    print(f"On {found['words']}")
    rows: list[Row] = []
    for model in ("unet3d", "unet2d"):
        rows += step_rows(model, args.device, quick=args.quick)
    count = 12 if args.quick else 48
    rows += feeding_rows(side=SIDES[args.device], count=count)
    if args.json is not None:
        result = {"device": found, "rows": [asdict(row) for row in rows]}
        args.json.write_text(json.dumps(result, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
