r"""Run the comparison of record: cross-validation, and tests on other sources.

The scans of one folder beside the others are one source. Both networks are tested
in every fold of all scans. Both are also trained on all scans of each source, and
tested on the other sources as they are. Flags that are not listed here are passed
to train.py. What is finished in --output stays; the same command resumes the rest.

Example:
    python benchmarks/record.py --pairs pairs.txt --output record --epochs-2d 60 \
        --epochs-3d 40 --jobs 2 --loss dice-ce
"""

from __future__ import annotations

import argparse
import glob
import itertools
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

# This folder's augment.py must not stand in front of the package `augment`.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cube.pairs import Pair, read_pairs
from system.job import available_cpus
from system.shell import script

ROOT = Path(__file__).resolve().parents[1]
NETWORKS = ("unet2d", "unet3d")
PARTS = ("folds", "transfer")


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line; `extra` holds the flags for train.py."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--pairs", type=Path, required=True, help="pair list of all sources")
    add("--output", type=Path, required=True, help="folder for cubes, runs, pages")
    add("--epochs-2d", type=int, required=True, metavar="N", help="of UNet-2D")
    add("--epochs-3d", type=int, required=True, metavar="N", help="of UNet-3D")
    add("--folds", type=int, default=5, metavar="N", help="(default %(default)s)")
    add("--copies", type=int, default=8, metavar="N", help="(default %(default)s)")
    add("--cube-flags", default="--spacing 2", help="in quotes (default %(default)s)")
    add("--jobs", type=int, default=1, metavar="N", help="at a time (default 1)")
    add("--only", choices=PARTS, help="do this part alone (default: both)")
    args, args.extra = parser.parse_known_args(argv)
    args.output, args.failed = args.output.absolute(), []
    cpus = available_cpus()
    if not 1 <= args.jobs <= cpus:
        parser.error(f"--jobs must be 1 to {cpus} on this machine: {args.jobs}")
    return args


def list_sources(pairs: Sequence[Pair]) -> dict[str, list[Pair]]:
    """Group pairs by the first folder below the one that holds all scans."""
    paths = [os.path.abspath(pair.image) for pair in pairs]
    above = os.path.commonpath([os.path.dirname(path) for path in paths])
    sources: dict[str, list[Pair]] = {}
    for path, pair in zip(paths, pairs, strict=True):
        sources.setdefault(Path(path).relative_to(above).parts[0], []).append(pair)
    return sources


def list_patterns(members: Sequence[Pair], pairs: Sequence[Pair]) -> list[str]:
    """Return the pattern of case ids that only a source has, or all of its case ids."""
    case_ids = [pair.case_id for pair in members]
    prefix = os.path.commonprefix(case_ids)  # noqa: RUF071 - ids are no paths
    if sum(pair.case_id.startswith(prefix) for pair in pairs) == len(members):
        return [f"{glob.escape(prefix)}*"]
    return [glob.escape(case_id) for case_id in case_ids]


def run_script(args: argparse.Namespace, name: str, words: Sequence[object]) -> None:
    """Run one of the five scripts; its messages go to `logs/NAME.log`.

    If it fails, this is printed and noted, and the others run all the same.
    """
    log = args.output / "logs" / f"{name.replace('/', '-')}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    with open(log, "a", encoding="utf-8") as stream:
        command = [sys.executable, *map(str, words)]
        print(shlex.join(command), file=stream, flush=True)
        code = subprocess.run(
            command, cwd=ROOT, stdout=stream, stderr=subprocess.STDOUT
        ).returncode
    minutes = (time.monotonic() - start) / 60
    end = f"ended with code {code}: see {log}" if code else f"{minutes:.1f} minutes"
    print(f"{name}  {end}", flush=True)
    if code:
        args.failed.append(name)


def make_cube(args, name: str, pairs: Sequence[Pair], *flags: object) -> Path:
    """Build a cube of some of the scans, unless it exists."""
    cube, pair_list = (
        args.output / "cubes" / f"{name}{end}" for end in (".h5", ".txt")
    )
    if not cube.exists():
        lines = [
            f'"{os.path.abspath(pair.image)}","{os.path.abspath(pair.label)}",'
            f'"{pair.subject}"\n'
            for pair in pairs
        ]
        cube.parent.mkdir(parents=True, exist_ok=True)
        pair_list.write_text("".join(lines), encoding="utf-8")
        words = ["makeCube.py", pair_list, "--output", cube, "--resume", *flags]
        run_script(args, f"cubes/{name}", words + shlex.split(args.cube_flags))
    return cube


def train(args, name: str, network: str, cube: Path, *flags: object) -> None:
    """Train or test a network in `NAME/NETWORK`, unless it is done; resume it."""
    run = args.output / name / network
    if not is_done(run):
        epochs = args.epochs_2d if network == "unet2d" else args.epochs_3d
        words = ["train.py", cube, "--output", run, "--model", network]
        words += ["--epochs", epochs, *args.extra, *flags]
        words += ["--resume"] if (run / "config.json").is_file() else []
        run_script(args, f"{name}/{network}", words)


def is_done(run: Path) -> bool:
    """Return whether a network's run has finished; train.py writes these last."""
    return (run / "scores.csv").is_file() and (run / "summary.json").is_file()


def train_all(args, jobs: Sequence[tuple]) -> None:
    """Call `train` for every job, --jobs at a time, each on its share of the CPUs."""
    shares = iter(range(args.jobs))

    def pin() -> None:
        """Keep this thread, and the processes it starts, on its share."""
        if args.jobs > 1:
            cpus = sorted(os.sched_getaffinity(0))
            os.sched_setaffinity(0, cpus[next(shares) :: args.jobs])

    with ThreadPoolExecutor(args.jobs, initializer=pin) as pool:
        futures = [pool.submit(train, args, *job) for job in jobs]
        try:
            for future in futures:
                future.result()
        finally:  # on Ctrl-C, which ends what is running
            pool.shutdown(cancel_futures=True)


def compare(args, page: str, names: Sequence[str], *flags: object) -> None:
    """Write the page of the runs that both networks have finished, if any."""
    runs = [args.output / name for name in names]
    runs = [run for run in runs if all(is_done(run / each) for each in NETWORKS)]
    if runs:
        words = ["compareRuns.py", *runs, "--output", args.output / "pages" / page]
        run_script(args, f"pages/{page}", [*words, "--force", *flags])


def run_folds(args, pairs: Sequence[Pair], sources: dict[str, list[Pair]]) -> None:
    """Cross-validate both networks; compare them over all scans and per source."""
    flags = ("--validation", 0, "--test", 0, "--copies", args.copies)
    cube = make_cube(args, "all", pairs, *flags)
    names = [f"folds/fold{fold}" for fold in range(args.folds)]
    jobs = [
        (name, network, cube, "--fold", fold, "--folds", args.folds)
        for fold, name in enumerate(names)
        for network in NETWORKS
    ]
    train_all(args, jobs)
    compare(args, "all", names)
    for source, members in sources.items():
        compare(args, source, names, "--cases", *list_patterns(members, pairs))


def run_transfer(args, sources: dict[str, list[Pair]]) -> None:
    """Train both networks on each source, and test them on each of the others."""
    flags = ("--validation", 0.15, "--test", 0, "--copies", args.copies)
    trained = [
        (f"transfer/{source}", network, make_cube(args, source, members, *flags))
        for source, members in sources.items()
        for network in NETWORKS
    ]
    train_all(args, trained)
    tests, flags = [], ("--validation", 0, "--test", 1, "--copies", 0)
    for source, target in itertools.permutations(sources, 2):
        cube = make_cube(args, f"{target}-test", sources[target], *flags)
        for network in NETWORKS:
            model = args.output / "transfer" / source / network / "model.keras"
            test = (f"transfer/{source}-to-{target}", network, cube)
            tests.append((*test, "--weights", model, "--epochs", 0))
    train_all(args, tests)
    for source, target in itertools.permutations(sources, 2):
        name = f"{source}-to-{target}"
        compare(args, name, [f"transfer/{name}"])


@script
def main(argv: Sequence[str] | None = None) -> int:
    """Run what is not yet done, and compare."""
    args = parse_args(argv)
    pairs = read_pairs(args.pairs)
    sources = list_sources(pairs)
    for source, members in sources.items():
        subjects = len({pair.subject for pair in members})
        print(f"{source}: {len(members)} scans of {subjects} subjects", flush=True)
    if args.only != "transfer":
        run_folds(args, pairs, sources)
    if args.only != "folds":
        run_transfer(args, sources)
    return 1 if args.failed else 0


if __name__ == "__main__":
    sys.exit(main())
