"""Train a UNet-2D or UNet-3D on a cube, predict its test cases, compare both.

Example:
    python train.py cube.h5 --model both --minutes 15 --output run
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from runs.folder import (
    CONFIG_NAME,
    TITLES,
    check_same_inputs,
    open_run_folder,
    recorded_arguments,
    write_json,
)
from system.errors import DataError
from system.processes import run_apart
from system.shell import script

NETWORKS = tuple(TITLES)
POSITIVE = (
    *("filters", "depth", "steps", "batch_size", "minutes", "learning_rate"),
    "patience",
)


# fmt: off
def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False)
    parser.add_argument("cube", type=Path, nargs="?", help="cube of makeCube.py; --resume knows it")
    parser.add_argument("--output", type=Path, required=True, help="run folder to write")
    parser.add_argument("--force", action="store_true", help="removes the run that is there; what else is in the folder stays")
    parser.add_argument("--resume", action="store_true", help="go on with what is in the run folder, by the flags it was begun with")
    add = parser.add_argument_group("cross-validation").add_argument
    add("--fold", type=int, metavar="K", help="test fold K, from 0, validate on the next and train on the others, in place of the cube's splits; its test cases stay out")
    add("--folds", type=int, metavar="N", help="folds, by subject, of the cube's training and validation cases (default 5)")
    add = parser.add_argument_group("network").add_argument
    add("--model", choices=(*NETWORKS, "both"), default="both", help="(default both, one after the other)")
    add("--filters", type=int, metavar="N", help="of the first level, doubled at each (default 8)")
    add("--depth", type=int, metavar="N", help="how many times the input is halved (default 4)")
    add("--norm", choices=("instance", "group", "batch", "none"), help="(default instance)")
    add("--dropout", type=float, metavar="SHARE", help="of features, after each block (default 0)")
    add("--weights", type=Path, metavar="MODEL", help="start from this model.keras and its architecture; with --epochs 0 only test it")
    add("--freeze", choices=("encoder",), help="of --weights: train only what comes after the bottom")
    add_training_flags(parser.add_argument_group("training"))
    add = parser.add_argument_group("device").add_argument
    add("--mixed-precision", action="store_true", help="compute in float16, for GPUs")
    add("--require-gpu", action="store_true", help="stop if there is no GPU")
    args = parser.parse_args(argv)
    if args.resume:
        try:
            begun = recorded_arguments(args.output)
        except DataError as error:
            parser.error(str(error))
        parser.set_defaults(**begun)
        args = parser.parse_args(argv)
        if args.epochs == 0 != begun.get("epochs"):
            parser.error("--epochs 0 only tests: it cannot resume a training")
        if args.model != (model := begun.get("model")):
            parser.error(f"--model must be that of {args.output}, {model}, to resume it, not {args.model}")
    check_args(parser, args)
    return args


def add_training_flags(group: argparse._ArgumentGroup) -> None:
    """Name the flags that decide how the weights are found."""
    add = group.add_argument
    add("--epochs", type=int, metavar="N", help="at most (default 100, or as many as fit in --minutes)")
    add("--minutes", type=float, metavar="MIN", help="budget of wall time for each network; the learning rate falls to fit it")
    add("--steps", type=int, default=50, metavar="N", help="batches an epoch (default 50)")
    add("--batch-size", type=int, metavar="N", help="patches a batch (default: by patch size)")
    add("--patch-size", type=int, nargs="+", metavar="VOXELS", help="two or three sides (default: by cube)")
    add("--loss", choices=("dice", "dice-ce"), default="dice", help="Dice, or Dice and cross-entropy (default dice)")
    add("--learning-rate", type=float, metavar="RATE", help="highest (default 0.002)")
    add("--patience", type=int, metavar="EPOCHS", help="stop after so many without a better validation Dice (default: never)")
    add("--augment", choices=("stored", "online"), default="stored", help="the cube's copies, or every patch anew by the cube's own transforms (default stored)")
    add("--seed", type=int, default=0, help="of weights, sampling and dropout (default 0)")


# fmt: on
def check_args(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """Refuse, by the flag's name, what no network can be trained with."""
    for flag in POSITIVE:
        value = getattr(args, flag)
        if value is not None and not value > 0:  # nor NaN
            parser.error(f"--{flag.replace('_', '-')} must be positive, not {value}")
    if not 0 <= (args.dropout or 0) < 1 or args.seed < 0 or (args.epochs or 0) < 0:
        parser.error("--dropout must be in [0, 1), --seed and --epochs 0 or more")
    if args.cube is None:
        parser.error("the cube must be named, unless --resume finds a run")
    if args.weights is None and (args.epochs == 0 or args.freeze):
        parser.error("--epochs 0 and --freeze need --weights")
    if args.epochs == 0 and args.freeze:
        parser.error("--epochs 0 trains nothing, so --freeze has no meaning")
    inside = args.weights and args.output.resolve() in args.weights.resolve().parents
    if inside and args.force:
        parser.error("--weights must not lie in --output, whose run --force removes")
    if args.seed > 2**32 - 1 or (args.minutes is not None and args.minutes == math.inf):
        parser.error("--seed must be below 4294967296, and --minutes finite")
    if (args.depth or 0) > 7:
        parser.error(f"--depth must be at most 7, not {args.depth}")
    if args.norm == "group" and (args.filters or 8) % 8:
        parser.error("--filters must be a multiple of 8 for --norm group")
    if args.fold is not None and args.folds is None:
        args.folds = 5
    if args.folds is not None and not (
        args.folds >= 3 and args.fold is not None and 0 <= args.fold < args.folds
    ):
        parser.error(
            "--folds must be 3 or more, with a --fold from 0 to one below it, not "
            f"{args.folds} and {args.fold}"
        )
    if args.model == "both" and (args.patch_size or args.weights):
        parser.error("--patch-size and --weights are one network's: name it by --model")
    if args.epochs is None and args.minutes is None:
        args.epochs = 100


def train_one(args: argparse.Namespace) -> None:
    """Train and test the one network that was asked for."""
    # Late, so that --help and a wrong flag answer at once.
    from models.options import TrainingOptions
    from runs.train_and_test import run_network

    asked = vars(args)
    options = TrainingOptions(
        **{field.name: asked[field.name] for field in fields(TrainingOptions)}
    )
    run_network(options, args.cube, args.output, asked, require_gpu=args.require_gpu)


def train_both(args: argparse.Namespace) -> None:
    """Run each network in a process of its own, so that memory is its own too."""
    from runs.comparing import compare_runs

    for model in NETWORKS:
        code = run_apart(start_one, one_of_both(args, model))
        if code < 0:
            raise DataError(
                f"{model} was ended by signal {-code}; out of memory, if by 9."
            )
        if code:
            sys.exit(code)  # the other process said why
    runs = [args.output / model for model in NETWORKS]
    print(compare_runs(runs, args.output))


def one_of_both(args: argparse.Namespace, model: str) -> argparse.Namespace:
    """Give the command line of one of both networks, in a folder of its own."""
    run = args.output / model
    begun = args.resume and (run / CONFIG_NAME).is_file()
    own = {"model": model, "output": run, "resume": begun, "force": False}
    return argparse.Namespace(**{**vars(args), **own})


@script
def start_one(args: argparse.Namespace) -> int:
    """Train one of both networks; what was in its folder is seen to already."""
    with open_run_folder(args.output, force=False, resume=True):
        train_one(args)
    return 0


@script
def start(args: argparse.Namespace) -> int:
    """Make the run folder, train, and turn what goes wrong into an exit code."""
    from cube.reader import Cube
    from volumes.formats.files import checksum

    Cube(args.cube).close()
    if args.weights is not None:
        if not args.weights.is_file():
            raise DataError(f"{args.weights}: no such model.")
        args.weights_checksum = checksum(args.weights)  # noted with the flags
    both = args.model == "both"
    with open_run_folder(args.output, force=args.force, resume=args.resume):
        if args.resume and args.epochs == 0:
            with Cube(args.cube) as cube:
                files = {"cube": (args.cube, cube.checksum)}
            files["weights"] = (args.weights, args.weights_checksum)
            check_same_inputs(args.output, files)
        if not args.resume:  # first of all, so that whatever was begun can be resumed
            first = one_of_both(args, NETWORKS[0]) if both else args
            write_json(first.output / CONFIG_NAME, {"arguments": vars(first)})
        (train_both if both else train_one)(args)
    return 0


@script
def main(argv: Sequence[str] | None = None) -> int:
    """Train, predict the test cases, score, and compare."""
    return start(parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
