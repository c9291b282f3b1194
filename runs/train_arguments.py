"""The command line of train.py: completed from a resumed run, and checked."""

from __future__ import annotations

import argparse
import math

from runs.resuming import is_begun, read_arguments
from system.errors import DataError

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
NEGATABLE = ("mixed_precision",)  # --no-mixed-precision
SHARES = ("contrast_curves", "spine_share", "small_patches")
# What a training that has begun keeps; others depend on the network or the device.
FIXED = (
    "fold",
    "folds",
    "filters",
    "depth",
    "norm",
    "dropout",
    "loss",
    "steps",
    "batch_size",
    "patch_size",
    "learning_rate",
    "seed",
    "augment",
    *SHARES,
)
POSITIVE = (
    "filters",
    "depth",
    "steps",
    "batch_size",
    "minutes",
    "learning_rate",
    "patience",
    "gpus",
)


def complete_arguments(
    parser: argparse.ArgumentParser, args: argparse.Namespace
) -> argparse.Namespace:
    """Complete a command line from the run folder if that is resumed; check it."""
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


def merge_arguments(given: dict, recorded: dict) -> dict:
    """Complete the command line: defaults < recorded by the run < given.

    Args:
        given: The parsed command line; an absent flag is None, an absent switch False,
            but None if it is one of `NEGATABLE`.
        recorded: The arguments of the run to resume; empty for a new run.

    Returns:
        A value for every flag; None where the network's default applies.
    """
    present = {
        name: value
        for name, value in given.items()
        if value is not None and (value is not False or name in NEGATABLE)
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
    for name in FIXED if is_begun(args.output) else ():
        was, now = recorded.get(name), getattr(args, name)
        if was is not None and now != was:
            flag = name.replace("_", "-")
            parser.error(
                f"--{flag} must be {_format(was)}, as in {args.output}, to resume that "
                f"run. Received: {_format(now)}"
            )


def _format(value: object) -> str:
    """Format the value of a flag as it is given."""
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def check_args(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """Exit with code 2 and a message that names the flag if a flag is wrong."""
    if args.cube is None:
        parser.error(
            "CUBE must be given, before flags that take several names, such as "
            "--weights, or the run be resumed with --resume"
        )
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
        weights = [path.resolve() for path in args.weights]
        if any(output in (path, *path.parents) for path in weights):
            parser.error(
                "--weights must not lie in --output, whose run --force removes"
            )
