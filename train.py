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
    RUN_CONFIG_NAME,
    TITLES,
    check_same_inputs,
    open_run_folder,
    read_arguments,
    write_json,
)
from system.errors import DataError
from system.processes import run_apart
from system.shell import script

NETWORKS = tuple(TITLES)
# The values of flags that are given neither on the command line nor by a resumed run.
DEFAULTS = {"model": "both", "steps": 50, "loss": "dice", "augment": "stored", "seed": 0}
DEFAULT_EPOCHS = 100  # without --minutes
DEFAULT_FOLDS = 5  # with --fold
MAX_DEPTH = 7
MAX_SEED = 2**32 - 1


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line, completed from the run folder if that is resumed."""
    parser = build_parser()
    args = parser.parse_args(argv)
    recorded = {}
    if args.resume:
        try:
            recorded = read_arguments(args.output)
        except DataError as error:
            parser.error(str(error))
    args = argparse.Namespace(**merge_arguments(vars(args), recorded))
    if args.resume:
        check_resumed(parser, args, recorded)
    check_args(parser, args)
    return args


def build_parser() -> argparse.ArgumentParser:
    """Build the parser; absent flags are None or False, see `merge_arguments`."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add(
        "cube",
        type=Path,
        nargs="?",
        help="cube written by makeCube.py; optional with --resume",
    )
    add("--output", type=Path, required=True, help="run folder to write")
    add("--force", action="store_true", help="remove the earlier run in the run folder")
    add(
        "--resume",
        action="store_true",
        help="resume an interrupted run with the flags it was started with",
    )
    add_fold_flags(parser.add_argument_group("cross-validation"))
    add_network_flags(parser.add_argument_group("network"))
    add_training_flags(parser.add_argument_group("training"))
    add = parser.add_argument_group("device").add_argument
    add("--mixed-precision", action="store_true", help="compute in float16, for GPUs")
    add("--require-gpu", action="store_true", help="stop if there is no GPU")
    return parser


def add_fold_flags(group: argparse._ArgumentGroup) -> None:
    """Add the flags that replace the cube's splits by those of a fold."""
    group.add_argument(
        "--fold",
        type=int,
        metavar="K",
        help="test fold K (from 0), validate on the next one and train on the others, "
        "instead of the cube's splits; the cube's test cases are left out",
    )
    group.add_argument(
        "--folds",
        type=int,
        metavar="N",
        help="number of folds, by subject, of the cube's training and validation "
        "cases (default 5)",
    )


def add_network_flags(group: argparse._ArgumentGroup) -> None:
    """Add the flags that choose the network and its initial weights."""
    add = group.add_argument
    add(
        "--model",
        choices=(*NETWORKS, "both"),
        help="(default both, one after the other)",
    )
    add(
        "--filters",
        type=int,
        metavar="N",
        help="filters of the first level, doubled at each further level (default 8)",
    )
    add("--depth", type=int, metavar="N", help="number of poolings (default 4)")
    add(
        "--norm",
        choices=("instance", "group", "batch", "none"),
        help="normalisation layer (default instance)",
    )
    add(
        "--dropout",
        type=float,
        metavar="SHARE",
        help="share of the features dropped after each block (default 0)",
    )
    add(
        "--weights",
        type=Path,
        metavar="MODEL",
        help="start from this model.keras and its architecture; with --epochs 0, "
        "only test it",
    )
    add(
        "--freeze",
        choices=("encoder",),
        help="keep the encoder and bottleneck of --weights as they are",
    )


def add_training_flags(group: argparse._ArgumentGroup) -> None:
    """Add the flags that decide how the weights are found."""
    add = group.add_argument
    add(
        "--epochs",
        type=int,
        metavar="N",
        help="maximum (default 100, or as many as fit in --minutes)",
    )
    add(
        "--minutes",
        type=float,
        metavar="MIN",
        help="wall time for each network, to which the learning rate schedule is fitted",
    )
    add("--steps", type=int, metavar="N", help="batches an epoch (default 50)")
    add(
        "--batch-size",
        type=int,
        metavar="N",
        help="patches a batch (default: chosen from the patch size)",
    )
    add(
        "--patch-size",
        type=int,
        nargs="+",
        metavar="VOXELS",
        help="two sides for UNet-2D, three for UNet-3D (default: chosen from the cube)",
    )
    add(
        "--loss",
        choices=("dice", "dice-ce"),
        help="Dice, or Dice and cross-entropy (default dice)",
    )
    add(
        "--learning-rate",
        type=float,
        metavar="RATE",
        help="maximum of the schedule (default 0.002)",
    )
    add(
        "--patience",
        type=int,
        metavar="EPOCHS",
        help="stop after this many epochs without a better validation Dice "
        "(default: never)",
    )
    add(
        "--augment",
        choices=("stored", "online"),
        help="train on the cube's augmented copies, or augment each patch anew with "
        "the cube's transforms (default stored)",
    )
    add("--seed", type=int, metavar="N", help="of weights, sampling, dropout (default 0)")


def merge_arguments(given: dict, recorded: dict) -> dict:
    """Complete the command line: defaults < recorded by the run < given.

    Args:
        given: The parsed command line; an absent flag is None, an absent switch False.
        recorded: The arguments of the run to resume; empty for a new run.

    Returns:
        A value for every flag; None where the network's default applies.
    """
    present = {
        name: value
        for name, value in given.items()
        if value is not None and value is not False
    }
    merged = {**given, **DEFAULTS, **recorded, **present}
    if merged["epochs"] is None and merged["minutes"] is None:
        merged["epochs"] = DEFAULT_EPOCHS
    if merged["fold"] is not None and merged["folds"] is None:
        merged["folds"] = DEFAULT_FOLDS
    return merged


def check_resumed(
    parser: argparse.ArgumentParser, args: argparse.Namespace, recorded: dict
) -> None:
    """Exit with code 2 if the flags ask for another run than the recorded one."""
    if args.epochs == 0 and recorded.get("epochs") != 0:
        parser.error("--epochs must be 1 or more to resume a training. Received: 0")
    if args.model != recorded.get("model"):
        parser.error(
            f"--model must be {recorded.get('model')}, as in {args.output}, to resume "
            f"that run. Received: {args.model}"
        )


def check_args(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """Exit with code 2 and a message that names the flag if no network fits."""
    if args.cube is None:
        parser.error("CUBE must be given, except with --resume")
    check_numbers(parser, args)
    check_weights(parser, args)
    if args.norm == "group" and (args.filters or 8) % 8:
        parser.error(
            "--filters must be a multiple of 8 with --norm group. "
            f"Received: {args.filters}"
        )
    if args.folds is not None:
        if args.folds < 3:
            parser.error(f"--folds must be 3 or more. Received: {args.folds}")
        if args.fold is None or not 0 <= args.fold < args.folds:
            parser.error(
                f"--fold must be 0 to {args.folds - 1} with --folds {args.folds}. "
                f"Received: {args.fold}"
            )
    if args.model == "both" and (args.patch_size or args.weights):
        parser.error("--patch-size and --weights need --model unet2d or --model unet3d")


def check_numbers(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """Exit with code 2 if a number is out of its range."""
    above_zero = "a finite number above 0"
    ranges = {
        "epochs": (args.epochs, 0, math.inf)
    }


def check_weights(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    pass
