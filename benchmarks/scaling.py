"""Measure how building a cube scales: cases a second, memory of the driver, gathering.

Example:
    .venv/bin/python benchmarks/scaling.py --json scaling.json

Builds 20, 200 and 2,000 tiny scans with one copy each, with one and two workers, as
processes of this computer and on a Dask cluster on it. So small scans show what the
builder itself costs; a real case takes seconds. Each build runs in a new process. CPU
seconds are those of all processes, also of the cluster's, and do not depend on what
else the machine does.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter

# This folder's augment.py must not stand in front of the package `augment`.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import cube.build
import makeCube
from benchmarks import timing
from benchmarks.memory import SIDE, make_tiny_scans
from system.text import format_table

COUNTS = (20, 200, 2000)
ENGINES = ("processes", "Dask")


@dataclass(frozen=True)
class Build:
    """What one build took.

    Args:
        engine: One of `ENGINES`.
        workers: Their number.
        cases: Number of scans, each with one copy.
        seconds: From start to end, without the start of a cluster.
        cpu_seconds: Of the driver and all workers, with their start.
        gather_seconds: Of these, for copying all cases into the cube.
        driver_mib: Peak memory of the process that ran makeCube.py.
        cube_mib: Size of the cube.
    """

    engine: str
    workers: int
    cases: int
    seconds: float
    cpu_seconds: float
    gather_seconds: float
    driver_mib: float
    cube_mib: float


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    timing.add_flags(parser)
    return parser.parse_args(argv)


@contextmanager
def open_engine(engine: str, workers: int, folder: Path) -> Iterator[list[str]]:
    """Start a cluster if one is needed; yield the flags of makeCube.py."""
    if engine == "processes":
        yield ["--workers", str(workers)]
        return
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        dashboard_address=":0",
        local_directory=str(folder / "scratch"),
    ) as cluster:
        yield ["--scheduler", cluster.scheduler_address]


def build(engine: str, workers: int, cases: int, folder: Path) -> Build:
    """Build a cube in this process, which must be new."""
    gathering = []
    gather = cube.build.gather

    def timed_gather(*args):
        gathering.append(timing.timed(lambda: gather(*args)))

    cube.build.gather = timed_gather
    output = folder / "cube.h5"
    words = [str(folder / "pairs.txt"), "--output", str(output), "--copies", "1"]
    words += ["--side", str(SIDE), "--validation", "0", "--test", "0", "--force"]
    with open_engine(engine, workers, folder) as flags:
        start = perf_counter()
        if timing.quietly(makeCube.main, [*words, *flags]):
            raise RuntimeError("makeCube.py failed")
        seconds = perf_counter() - start
    used = [
        resource.getrusage(who)
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    ]
    return Build(
        engine,
        workers,
        cases,
        seconds,
        sum(usage.ru_utime + usage.ru_stime for usage in used),
        sum(gathering),
        timing.read_status("VmHWM") / 2**20,
        output.stat().st_size / 2**20,
    )


def describe(builds: Sequence[Build]) -> str:
    """Format the builds as a table."""
    heads = ("cases", "engine", "workers", "cases a second", "CPU ms a case")
    heads += ("gathering, s", "driver, MiB", "cube, MiB")
    rows = [
        (
            str(each.cases),
            each.engine,
            str(each.workers),
            f"{each.cases / each.seconds:.1f}",
            f"{1000 * each.cpu_seconds / each.cases:.0f}",
            f"{each.gather_seconds:.2f}",
            f"{each.driver_mib:.0f}",
            f"{each.cube_mib:.1f}",
        )
        for each in builds
    ]
    return format_table(heads, rows)


def main(argv: Sequence[str] | None = None) -> int:
    """Build all cubes and print the table."""
    args = parse_args(argv)
    spawn = multiprocessing.get_context("spawn")
    builds = []
    with tempfile.TemporaryDirectory() as name:
        for cases in COUNTS[:2] if args.quick else COUNTS:
            make_tiny_scans(Path(name), cases)
            for engine in ENGINES:
                for workers in (1, 2):
                    with ProcessPoolExecutor(1, mp_context=spawn) as pool:
                        call = pool.submit(build, engine, workers, cases, Path(name))
                        builds.append(call.result())
                    print(describe(builds[-1:]).splitlines()[-1], flush=True)
    print(describe(builds))
    if args.json is not None:
        args.json.write_text(json.dumps([asdict(each) for each in builds], indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
