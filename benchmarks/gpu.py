"""Measure on a GPU what the defaults on GPUs rest on.

Example:
    python benchmarks/gpu.py --json gpu.json

Times a training step of both networks in each precision, with and without XLA, and
that of MONAI's U-Net on PyTorch where it is installed (`requirements-bench.txt`), each
in a process of its own; then the patches a second that are prepared for it. Without a
GPU it says so and ends. `--device cpu` checks that all of this runs, in a few
minutes; its patches and networks are too small for its times to mean anything.
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

from benchmarks import monai_network, networks, timing
from benchmarks.feeding import feeding_rows
from benchmarks.networks import Problem, Rival
from benchmarks.timing import Row, compare, interleave, milliseconds

DTYPES = {
    "gpu": ("float32", "mixed_float16", "mixed_bfloat16"),
    "cpu": ("mixed_bfloat16",),  # which has no 3-D pooling of float16
}
# PyTorch's instance norm needs two voxels at the bottom of four levels.
SIDES = {"gpu": 128, "cpu": 32}
FILTERS = {"gpu": 32, "cpu": 2}
BATCH_SIZES = {"unet3d": 2, "unet2d": 8}
CHECK = {"budget": 0, "least": 3}  # turns of `interleave`: three of each
QUICK = {"budget": 2, "least": 3, "most": 50}
FULL = {"budget": 20, "least": 10, "most": 50}


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
        if monai_network.is_installed():
            options = {"device": "cuda" if device == "gpu" else "cpu", "dtype": dtype}
            args = (timing.THREADS, ("last",))
            ways.append(
                Way(
                    f"MONAI, {dtype}",
                    monai_network.monai_calls,
                    args,
                    options,
                    "step last",
                )
            )
    return ways


def time_way(problem: Problem, way: Way, effort: dict) -> tuple[float, float]:
    """Time a step in a process of its own.

    Args:
        problem: The network and its batch.
        way: To compute the step.
        effort: Arguments of `interleave`.

    Returns:
        Seconds of the first step, which compiles, and the median of the others.
    """
    rival = Rival(partial(way.make, **way.options), problem, *way.args)
    first, median = interleave({way.name: partial(rival.run, way.call)}, **effort)
    rival.close()
    return first[way.name], median[way.name]


def step_rows(model: str, device: str, effort: dict) -> list[Row]:
    """Time all ways to compute a network's step, print each, return the rows."""
    problem = pose(model, device)
    sides = " x ".join(map(str, (problem.batch_size, *problem.sides)))
    print(f"\n{model}: {problem.filters} filters, a step of {sides} voxels\n")
    print("      ms  first / this  first step, s", flush=True)
    rows, base = [], None
    for way in list_ways(device):
        try:
            first, seconds = time_way(problem, way, effort)
        except EOFError:  # the process has ended, and said why unless it crashed
            print(f"  failed{'-':>14}{'-':>15}  {way.name}", flush=True)
            continue
        base = base or seconds
        row = compare(f"step {model}, {way.name} (peer: the first)", seconds, base)
        rows += [row, Row(f"first step {model}, {way.name}", first)]
        figures = f"{milliseconds(seconds):>8}{row.ratio:14.2f}{first:15.1f}"
        print(f"{figures}  {way.name}", flush=True)
    return rows


def main(argv: Sequence[str] | None = None) -> int:
    """Time the steps and the feeding, and write the table and the rows."""
    args = parse_args(argv)
    found = in_process(describe_gpu) if args.device == "gpu" else {"words": "a CPU"}
    if found is None:
        print("There is no GPU that TensorFlow can use, so nothing is measured.")
        return 0
    print(f"On {found['words']}")
    is_check = args.device == "cpu"
    effort = CHECK if is_check else QUICK if args.quick else FULL
    rows: list[Row] = []
    for model in ("unet3d", "unet2d"):
        rows += step_rows(model, args.device, effort)
    count = 4 if is_check else 12 if args.quick else 48
    rows += feeding_rows(side=SIDES[args.device], count=count)
    if args.json is not None:
        result = {"device": found, "rows": [asdict(row) for row in rows]}
        args.json.write_text(json.dumps(result, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
