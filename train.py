"""Train a UNet-2D or UNet-3D on a cube, predict its test cases, compare both.

Example:
    python train.py cube.h5 --model both --minutes 15 --output run
"""

from __future__ import annotations

import argparse
import math
import signal
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from runs.folder import (
    ENSEMBLE,
    RUN_CONFIG_NAME,
    TITLES,
    check_same_inputs,
    open_run_folder,
    read_arguments,
    write_json,
)
from runs.model_paths import settle_weights
from system.errors import DataError
from system.processes import run_in_process
from system.shell import script

NETWORKS = tuple(TITLES)
# The values of flags that are given neither on the command line nor by a resumed run.
DEFAULTS = {
    "model": "both",
    "steps": 50,
    "loss": "dice",
    "augment": "stored",
    "spine_share": 0.4,
    "small_patches": 0.5,
    "seed": 0,
}
DEFAULT_EPOCHS = 100  # without --minutes
DEFAULT_FOLDS = 5  # with --fold
MAX_DEPTH = 7
MAX_SEED = 2**32 - 1
SHARES = ("contrast_curves", "spine_share", "small_patches")
POSITIVE = (
    "filters",
    "depth",
    "steps",
    "batch_size",
    "minutes",
    "learning_rate",
    "patience",
)


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
    """Build the parser; `merge_arguments` supplies the defaults."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("cube", type=Path, nargs="?", help="from makeCube.py; optional with --resume")
    add("--output", type=Path, required=True, help="run folder to write")
    add(
        "--scans",
        type=Path,
        metavar="DIR",
        help="folder of the test cases' scans and label maps, if they were moved after "
        "the cube was built (default: where the cube says)",
    )
    add("--force", action="store_true", help="remove the earlier run in --output")
    add("--resume", action="store_true", help="resume the interrupted run in --output")
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
        help="number of folds of the training and validation subjects (default 5)",
    )


def add_network_flags(group: argparse._ArgumentGroup) -> None:
    """Add the flags that choose the network and its initial weights."""
    add = group.add_argument
    models = (*NETWORKS, "both")
    add("--model", choices=models, help="network (default both, one after the other)")
    add("--filters", type=int, metavar="N", help="of the first level (default 8)")
    add("--depth", type=int, metavar="N", help="down-sampling steps (default 4)")
    norms = ("instance", "group", "batch", "none")
    add("--norm", choices=norms, help="normalisation layer (default instance)")
    add("--dropout", type=float, metavar="SHARE", help="after each block (default 0)")
    add(
        "--weights",
        type=Path,
        nargs="+",
        metavar="MODEL",
        help="start from this model.keras, or that of a run folder; with --epochs 0, "
        "only test it, or the mean of several",
    )


def add_training_flags(group: argparse._ArgumentGroup) -> None:
    """Add the flags that decide how the weights are found."""
    add = group.add_argument
    add(
        "--epochs",
        type=int,
        metavar="N",
        help="maximum number (default 100, or as many as fit in --minutes)",
    )
    add(
        "--minutes",
        type=float,
        metavar="MIN",
        help="wall time for each network; the learning rate schedule is fitted to it",
    )
    add("--steps", type=int, metavar="N", help="batches per epoch (default 50)")
    add("--batch-size", type=int, metavar="N", help="(default: by patch size)")
    add(
        "--patch-size",
        type=int,
        nargs="+",
        metavar="VOXELS",
        help="two sides for UNet-2D, three for UNet-3D (default: by cube)",
    )
    losses = ("dice", "dice-ce")
    add("--loss", choices=losses, help="Dice, or Dice + cross-entropy (default dice)")
    add("--learning-rate", type=float, metavar="RATE", help="highest (default 0.002)")
    add(
        "--patience",
        type=int,
        metavar="EPOCHS",
        help="stop after this many without a better validation Dice (default: never)",
    )
    add(
        "--augment",
        choices=("stored", "online"),
        help="train on the cube's augmented copies, or augment each patch anew with "
        "the cube's transforms (default stored)",
    )
    add(
        "--contrast-curves",
        type=float,
        metavar="SHARE",
        help="share of the patches whose intensities go through a random curve, so "
        "that the network does not depend on one scanner's contrast (default 0.75; 0 "
        "for a cube in HU)",
    )
    add(
        "--spine-share",
        type=float,
        metavar="SHARE",
        help="share of the patches that are drawn on the spine; the others lie "
        "anywhere in the scan (default 0.4)",
    )
    add(
        "--small-patches",
        type=float,
        metavar="SHARE",
        help="share of the training, at its beginning, on patches whose second and "
        "third side are half as long, which learns faster (default 0.5)",
    )
    add(
        "--keep",
        choices=("all", "spine", "largest"),
        help="what is kept of predictions (default: spine where that raises the mean "
        "Dice of the validation cases, else all)",
    )
    add("--seed", type=int, metavar="N", help="seed of all random numbers (default 0)")


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
    # A run of an earlier version may have recorded a flag that is gone.
    known = {name: recorded[name] for name in given if name in recorded}
    defaults = DEFAULTS
    if recorded:
        from models.earlier import EARLIER

        defaults = {**DEFAULTS, **EARLIER}
    merged = {**given, **defaults, **known, **present}
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
    """Exit with code 2 and a message that names the flag if a flag is wrong."""
    if args.cube is None:
        parser.error("CUBE must be given, except with --resume")
    if args.scans is not None and not args.scans.is_dir():
        parser.error(f"--scans must be a folder. Received: {args.scans}")
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
    if args.model == "both" and args.patch_size:
        parser.error("--patch-size needs --model unet2d or --model unet3d")


def check_numbers(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """Exit with code 2 if a number is out of range."""
    for name in POSITIVE:
        value = getattr(args, name)
        if value is not None and not 0 < value < math.inf:  # false for NaN too
            flag = name.replace("_", "-")
            parser.error(f"--{flag} must be positive and finite. Received: {value}")
    if args.depth is not None and args.depth > MAX_DEPTH:
        parser.error(f"--depth must be at most {MAX_DEPTH}. Received: {args.depth}")
    if args.epochs is not None and args.epochs < 0:
        parser.error(f"--epochs must be 0 or more. Received: {args.epochs}")
    for name in SHARES:
        value = getattr(args, name)
        if value is not None and not 0 <= value <= 1:
            flag = name.replace("_", "-")
            parser.error(f"--{flag} must be in [0, 1]. Received: {value}")
    if args.dropout is not None and not 0 <= args.dropout < 1:
        parser.error(f"--dropout must be in [0, 1). Received: {args.dropout}")
    if not 0 <= args.seed <= MAX_SEED:
        parser.error(f"--seed must be 0 to {MAX_SEED}. Received: {args.seed}")


def check_weights(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """Exit with code 2 if --weights is missing, or would be removed by --force."""
    if args.weights is None:
        if args.epochs == 0:
            parser.error("--epochs 0 needs --weights to test")
    elif args.force:
        output = args.output.resolve()
        if any(output in (p, *p.parents) for p in map(Path.resolve, args.weights)):
            parser.error(
                "--weights must not lie in --output, whose run --force removes"
            )


def check_inputs(args: argparse.Namespace) -> dict[str, tuple[Path | str, str]]:
    """Open the cube and find the weights; return the path and checksum of each."""
    from cube.reader import Cube
    from volumes.formats.files import checksum

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
        **{field.name: arguments[field.name] for field in fields(TrainingOptions)}
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
    print(compare_runs([args.output / model for model in NETWORKS], args.output))


def arguments_of(args: argparse.Namespace, model: str) -> argparse.Namespace:
    """Return the arguments of one of both networks, which has a folder of its own."""
    run = args.output / model
    resume = args.resume and (run / RUN_CONFIG_NAME).is_file()
    changed = {"model": model, "output": run, "resume": resume, "force": False}
    return argparse.Namespace(**{**vars(args), **changed})


def train_in_subfolder(args: argparse.Namespace) -> int:
    """Train one of both networks; its folder may hold its recorded arguments."""
    with open_run_folder(args.output, force=False, resume=True):
        train_one(args)
    return 0


@script
def main(argv: Sequence[str] | None = None) -> int:
    """Train, predict the test cases, score, and compare."""
    args = parse_args(argv)
    settle_weights(args)
    inputs = check_inputs(args)
    if args.weights is not None:
        args.weights_checksum = inputs["weights"][1]  # recorded with the flags
    train_both_networks = args.model == "both"
    with open_run_folder(args.output, force=args.force, resume=args.resume):
        if args.resume and args.epochs == 0:
            check_same_inputs(args.output, inputs)
        if not args.resume:  # before anything else, so that it can be resumed
            first = arguments_of(args, NETWORKS[0]) if train_both_networks else args
            write_json(first.output / RUN_CONFIG_NAME, {"arguments": vars(first)})
        if train_both_networks:
            train_both(args)
        else:
            train_one(args)
    return 0


if __name__ == "__main__":
    sys.exit(main())
