"""Time makeCube.py by phase, and against a typical pipeline of 2020.

Example:
    bench/bin/python benchmarks/cube.py pairs.txt --json cube.json

Builds the same cube from a pair list, phantoms by default: 2 mm, 8 copies of
every case. Each phase is timed by calling the project's own functions one after
the other; the resulting rows are compared with those of `make_row`.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

# This folder's augment.py must not stand in front of the package `augment`.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
os.environ["OMP_NUM_THREADS"] = "2"
os.environ["OPENBLAS_NUM_THREADS"] = "2"
os.environ["NUMBA_NUM_THREADS"] = "2"
os.environ["OMP_WAIT_POLICY"] = "passive"

import h5py
import numba
import numpy as np

import makeCube
from augment.compose import apply_intensity, coordinate_map
from benchmarks import ancestor, storage, timing
from benchmarks.memory import memory_rows
from benchmarks.timing import Clock, Row, compare, milliseconds, verdict
from cube.build import write_cube
from cube.pairs import read_pairs
from cube.plan import Plan, plan_cube
from cube.rows import PreparedCase, draw_copy, make_row
from cube.survey import survey_cases
from cube.writer import CubeWriter
from phantom import __main__ as phantom
from system.text import format_table
from volumes.classes import build_lookup
from volumes.formats.files import read_finite_volume, read_label_map
from volumes.lattice import place_on_grid
from volumes.resample import filled_extent, resample

COPIES = 8
PHASES = ("reading", "warping", "intensity", "compressing", "writing")
FLAGS = ("--spacing", "2", "--validation", "0", "--test", "0")
AGAINST_ANCESTOR = 15.0
AGAINST_ONE_WORKER = 1.7
WORKER_ROWS = 480  # long enough that a pool's start does not decide
MIB = 2**20


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "pairs", nargs="?", type=Path, help="pair list (default: phantoms, made first)"
    )
    timing.add_flags(parser)
    return parser.parse_args(argv)


def plan_for(pairs: Path, output: Path, *, copies: int, flags=FLAGS) -> Plan:
    """Plan a cube as makeCube.py does."""
    args = vars(
        makeCube.parse_args(
            [str(pairs), "--output", str(output), "--copies", str(copies), *flags]
        )
    )
    cases, _ = survey_cases(read_pairs(pairs), 1)
    compose = makeCube.build_augmentation(args)
    return replace(plan_cube(cases, args, compose, output), workers=1)


def make_rows(plan: Plan, clock: Clock) -> Iterator:
    """Make every row of a plan step by step, as `make_row` does at once."""
    for case, copies in zip(plan.cases, plan.copies, strict=True):
        clock.note(None)
        image = read_finite_volume(case.pair.image)
        label_map = read_label_map(case.pair.label)
        label_map = place_on_grid(label_map, image, case.pair.case_id)
        lookup = build_lookup(plan.classes.values_in(case.label_values, case.names))
        scan = PreparedCase(image.array, label_map.array, image.grid, plan.spec, lookup)
        clock.note("reading")
        _ = scan.intensity
        clock.note("intensity")
        _ = scan.smoothed, scan.classified
        clock.note("warping")
        for copy in range(1 + copies):
            yield timed_row(scan, case.pair.case_id, copy, clock)


def timed_row(scan: PreparedCase, case_id: str, copy: int, clock: Clock):
    """Make one row step by step, and check that it equals that of `make_row`."""
    target, intensity = scan.target, scan.intensity
    clock.note(None)
    drawn, output_to_input = draw_copy(scan.spec, case_id, copy)
    through = coordinate_map(drawn, target.shape, target.spacing)
    image, label = resample(
        scan.smoothed,
        scan.classified,
        scan.grid,
        target,
        background=intensity.background,
        through=through,
    )
    clock.note("warping")
    image = intensity.normalise(image)
    extent = filled_extent(scan.grid, target, output_to_input)
    filled = tuple(slice(first, last) for first, last in extent)
    image[filled] = apply_intensity(image[filled], drawn, target.spacing)
    image = image.astype(np.float16)
    clock.note("intensity")
    names = {"case_id": case_id, "subject": case_id, "split": "train", "source": {}}
    sample = make_row(scan, copy=copy, **names)
    assert np.array_equal(sample.image, image)
    assert np.array_equal(sample.label, label)
    return sample


def time_phases(plan: Plan, folder: Path) -> tuple[dict[str, float], list]:
    """Time each phase, in seconds a row.

    Compressing is what writing with the cube's own storage takes longer than
    writing the same without a filter.

    Returns:
        Seconds by phase, and the rows of the first two cases.
    """
    clock, kept = Clock(), []
    attributes = dict.fromkeys(
        ("spacing", "class_names", "label_values", "intensity", "arguments")
    )
    size = {"shape": plan.spec.shape, "num_rows": plan.num_rows}
    path, plain = folder / "phases.h5", folder / "plain.h5"
    with (
        CubeWriter(path, **size, attributes=attributes) as cube,
        h5py.File(plain, "w") as bare,
    ):
        storage.create(
            bare, storage.Storage("none", {}), plan.num_rows, plan.spec.shape
        )
        for row, sample in enumerate(make_rows(plan, clock)):
            clock.note(None)
            cube.add(sample)
            clock.note("compressing")
            storage.put(bare, row, sample)
            clock.note("writing")
            if len(kept) < 2 * (1 + COPIES):
                kept.append(sample)
    spent = {phase: clock.spent[phase] / plan.num_rows for phase in PHASES}
    spent["compressing"] = max(spent["compressing"] - spent["writing"], 0.0)
    return spent, kept


def phase_rows(plan: Plan, folder: Path, turns: int) -> tuple[list[Row], list]:
    """Time the phases, print them, and give the rows."""
    time_phases(replace(plan, cases=plan.cases[:1], copies=(1,)), folder)
    found = [time_phases(plan, folder) for _ in range(turns)]
    samples = found[0][1]
    spent = {p: float(np.median([times[p] for times, _ in found])) for p in PHASES}
    total = sum(spent.values())
    rows = []
    for phase, seconds in spent.items():
        later = phase in ("intensity", "compressing", "writing")
        row = compare(
            f"{phase} a row (peer: warping)",
            seconds,
            spent["warping"] if later else None,
            1.0 if later else None,
        )
        rows.append(row)
    lines = [
        (phase, milliseconds(seconds), f"{seconds / total:.0%}", verdict(row))
        for (phase, seconds), row in zip(spent.items(), rows, strict=True)
    ]
    shape = " x ".join(map(str, plan.spec.shape))
    print(f"\n{plan.num_rows} rows of {shape} voxels; milliseconds a row\n")
    print(format_table(("", "ms", "share", "warping / phase"), lines))
    return rows, samples


def storage_rows(samples: list, folder: Path, turns: int) -> list[Row]:
    """Compare storage settings, print them, and return the rows."""
    ways = storage.ways()
    found: dict[str, list[storage.Cost]] = {way.name: [] for way in ways}
    for _ in range(turns):
        for way in ways:
            found[way.name].append(storage.measure(way, samples, folder))
    rows, lines = [], []
    for name, costs in found.items():
        median = {
            key: float(np.median([getattr(cost, key) for cost in costs]))
            for key in ("write", "read_slice", "read_patch", "size")
        }
        times = [milliseconds(median[key]) for key in list(median)[:3]]
        lines.append((name, *times, f"{median['size'] / MIB:.2f}"))
        rows.append(Row(f"storing a row, {name}", median["write"]))
        rows.append(Row(f"reading a sagittal slice, {name}", median["read_slice"]))
        rows.append(Row(f"reading a patch of 48x96x96, {name}", median["read_patch"]))
        rows.append(Row(f"bytes of a row, {name}", median["size"]))
    print("\nStoring; milliseconds a row, a slice, a patch; MiB a row\n")
    print(format_table(("", "write", "slice", "patch", "MiB"), lines))
    return rows


def ancestor_rows(plan: Plan, spent: float, folder: Path) -> list[Row]:
    """Time the pipeline of 2020 on the first cases, per row."""
    files = [(case.pair.image, case.pair.label) for case in plan.cases]
    if any(path.suffix != ".nrrd" for pair in files for path in pair):
        print("\nThe ancestor reads NRRD alone: no comparison")
        return []
    seconds = ancestor.build(files[:1], folder / "ancestor.h5", COPIES)
    each = {phase: time / (1 + COPIES) for phase, time in seconds.items()}
    row = compare("a row, all phases", spent, sum(each.values()), AGAINST_ANCESTOR)
    print("\nThe ancestor; milliseconds a row\n")
    lines = [(phase, milliseconds(time)) for phase, time in each.items()]
    print(format_table(("", "ms"), [*lines, ("in all", milliseconds(row.peer))]))
    print(f"\nours in all {milliseconds(spent)} ms: {verdict(row)}")
    return [row]


def worker_rows(plan: Plan, folder: Path, turns: int, least: int) -> list[Row]:
    """Time a whole cube by one worker and by two, the start of the pool included.

    Each worker has one thread, so that two have twice what one has. The cases are
    repeated until there are `least` rows.
    """
    many = -(-least // plan.num_rows)
    plan = replace(
        plan,
        cases=plan.cases * many,
        splits=plan.splits * many,
        copies=plan.copies * many,
    )
    threads = numba.get_num_threads()
    found: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(turns):
        for workers, times in found.items():
            work = replace(plan, workers=workers)
            output = folder / f"workers{workers}.h5"
            built = (output, work, {"seed": 0})
            build = partial(timing.quietly, write_cube, *built)
            numba.set_num_threads(1)  # of one worker, which is this process
            times.append(timing.timed(build))
            numba.set_num_threads(threads)
    one, two = (float(np.median(times)) for times in found.values())
    row = compare("2 workers (peer: 1 worker)", two, one, AGAINST_ONE_WORKER)
    print(f"\n{plan.num_rows} rows, a thread a worker: ", end="")
    print(f"1 worker {one:.1f} s, 2 workers {two:.1f} s: {verdict(row)}")
    return [row]


def main(argv: Sequence[str] | None = None) -> int:
    """Time phases, storage, the ancestor and workers; then measure memory."""
    args = parse_args(argv)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pairs = args.pairs
        if pairs is None:
            flags = [str(folder / "scans"), "--cases", "3" if args.quick else "9"]
            timing.quietly(phantom.main, flags)
            pairs = folder / "scans" / "pairs.txt"
        plan = plan_for(pairs, folder / "cube.h5", copies=COPIES)
        turns = 1 if args.quick else 3
        rows, samples = phase_rows(plan, folder, turns)
        spent = sum(row.ours for row in rows)
        rows += storage_rows(samples, folder, turns)
        if ancestor.is_installed():
            rows += ancestor_rows(plan, spent, folder)
        else:
            print("\nvolumentations is not installed: no ancestor")
        least = WORKER_ROWS // 3 if args.quick else WORKER_ROWS
        rows += worker_rows(plan, folder, turns, least)
        rows += memory_rows((10, 100) if args.quick else (10, 100, 1000))
    timing.write_rows(args.json, rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
