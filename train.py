"""Train a UNet-2D or UNet-3D on a cube, predict its test cases, compare both.

Example:
    python train.py cube.h5 --model both --minutes 15 --output run
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import fields
from pathlib import Path

from runs.folder import (
    ENSEMBLE,
    RUN_CONFIG_NAME,
    TITLES,
    open_run_folder,
    write_json,
)
from runs.model_paths import settle_weights
from runs.outcome import list_outcome
from runs.resuming import check_same_inputs
from runs.train_arguments import complete_arguments
from runs.train_flags import NETWORKS, build_parser
from system.errors import DataError, UsageError
from system.group_place import GroupPlace, find_place, hide_lost, share_cpus
from system.launcher import run_together, silence
from system.processes import run_in_process
from system.shell import script
from system.surroundings import fix_surroundings


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line, completed from the run folder if that is resumed."""
    parser = build_parser(__doc__)
    return complete_arguments(parser, parser.parse_args(argv))


def check_inputs(args: argparse.Namespace) -> dict[str, tuple[Path | str, str]]:
    """Open the cube and find the weights; return the path and checksum of each."""
    from cube.reader import Cube
    from volumes.formats.checksums import checksum

    with Cube(args.cube) as cube:
        inputs = {"cube": (args.cube, cube.checksum)}
    if args.weights is not None:
        names = ", ".join(map(str, args.weights))
        inputs["weights"] = (names, "".join(map(checksum, args.weights)))
    return inputs


def score_several(args: argparse.Namespace) -> None:
    """Test several networks together in the run folder."""
    from runs.ensemble_test import score_ensemble

    score_ensemble(
        args.weights,
        args.cube,
        args.output,
        vars(args),
        require_gpu=args.require_gpu,
        scans=args.scans,
    )


def train_one(args: argparse.Namespace) -> None:
    """Train and test one network in the run folder."""
    # Late, so that --help and wrong flags are answered at once.
    from models.options import TrainingOptions
    from runs.train_and_test import run_network

    if args.model == ENSEMBLE:
        score_several(args)
        return
    arguments = vars(args)
    options = TrainingOptions(
        **{
            field.name: arguments[field.name]
            for field in fields(TrainingOptions)
            if field.name in arguments
        }
        | {"weights": args.weights and args.weights[0]}
    )
    run_network(
        options,
        args.cube,
        args.output,
        arguments,
        require_gpu=args.require_gpu,
        scans=args.scans,
    )


def train_both(args: argparse.Namespace) -> None:
    """Train each network in a process of its own, which frees its memory; compare."""
    from runs.comparing import compare_runs

    for model in NETWORKS:
        code = run_in_process(train_in_subfolder, arguments_of(args, model))
        if code < 0:
            name = signal.Signals(-code).name
            raise DataError(
                f"{TITLES[model]} was killed by signal {-code} ({name}). SIGKILL "
                "usually means out of memory."
            )
        if code:
            sys.exit(code)  # the process has printed the reason
    if find_place().rank:
        return
    runs = [args.output / model for model in NETWORKS]
    print(compare_runs(runs, args.output).verdict)


def arguments_of(args: argparse.Namespace, model: str) -> argparse.Namespace:
    """Return the arguments of one of both networks, which has a folder of its own."""
    run = args.output / model
    resume = args.resume and (run / RUN_CONFIG_NAME).is_file()
    changed = {"model": model, "output": run, "resume": resume, "force": False}
    return argparse.Namespace(**{**vars(args), **changed})


def train_in_subfolder(args: argparse.Namespace) -> int:
    """Train one of both networks; its folder may hold its recorded arguments."""
    with open_if_first(args.output, force=False, resume=True):
        train_network(args)
    return 0


def train_network(args: argparse.Namespace) -> None:
    """Train and test one network in this process, or by several with --gpus."""
    if args.gpus and args.epochs != 0:
        run_together(train_on_gpu, args, processes=args.gpus)
    elif args.epochs != 0 or find_place().rank == 0:
        train_one(args)


def train_on_gpu(args: argparse.Namespace) -> int:
    """Train a network as one of the processes of --gpus."""
    from models.device import check_gpus

    check_gpus(args.gpus)
    train_one(args)
    return 0


def take_place(args: argparse.Namespace) -> GroupPlace:
    """Find the place of this process among those of Slurm or TF_CONFIG, if any.

    All but the first print nothing.
    """
    place = find_place()
    if place.size > 1 and args.gpus:
        raise UsageError(
            "--gpus must not be given where Slurm or TF_CONFIG starts the processes. "
            f"Received: {args.gpus}, in process {place.rank} of {place.size}"
        )
    share_cpus(place)
    hide_lost(place)
    fix_surroundings()  # by which numba takes no more threads than that
    if place.rank:
        silence()
    return place


def open_if_first(
    run: Path, *, force: bool, resume: bool
) -> AbstractContextManager[None]:
    """Open the run folder, unless this is not the first process, which writes it."""
    if find_place().rank:
        return nullcontext()
    return open_run_folder(run, force=force, resume=resume)


@contextmanager
def tell_how_to_resume(run: Path) -> Iterator[None]:
    """Print how a run goes on that Ctrl-C or SIGTERM stops; the first process alone."""
    try:
        yield
    except KeyboardInterrupt:
        if find_place().rank == 0:
            command = f"python train.py --resume --output {run}"
            print(f"Resume with: {command}", file=sys.stderr)
        raise


@script
def main(argv: Sequence[str] | None = None) -> int:
    """Train, predict the test cases, score, and compare."""
    args = parse_args(argv)
    is_first = take_place(args).rank == 0
    settle_weights(args)
    inputs = check_inputs(args)
    if args.weights is not None:
        args.weights_checksum = inputs["weights"][1]  # recorded with the flags
    train_both_networks = args.model == "both"
    with (
        tell_how_to_resume(args.output),
        open_if_first(args.output, force=args.force, resume=args.resume),
    ):
        if args.resume and args.epochs == 0:
            check_same_inputs(args.output, inputs)
        # Before anything else, so that it can be resumed.
        if is_first and not args.resume:
            first = arguments_of(args, NETWORKS[0]) if train_both_networks else args
            write_json(first.output / RUN_CONFIG_NAME, {"arguments": vars(first)})
        if train_both_networks:
            train_both(args)
        else:
            train_network(args)
    if is_first:
        print(list_outcome(args.output))
    return 0


if __name__ == "__main__":
    sys.exit(main())
