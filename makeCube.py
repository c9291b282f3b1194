"""Gather scans, their label maps and augmented copies in one HDF5 cube.

Example:
    python makeCube.py pairs.txt --output cube.h5 --spacing 2 --copies 4
"""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from system.errors import UsageError
from system.limits import MAX_VOXELS
from system.shell import script

if TYPE_CHECKING:
    from augment.compose import Compose

TRANSFORMS = (
    *("flip", "rescaling", "rotation", "shift", "elastic"),
    *("blur", "low_resolution", "gamma", "brightness", "contrast", "bias_field"),
    *("noise", "rician_noise"),
)
# The other flags decide how a cube is made, not what is in it.
DECIDE_CONTENT = (
    *("spacing", "side", "shape", "labels", "intensity", "copies"),
    *("validation", "test", "seed", *TRANSFORMS),
)


def amount(word: str) -> float | None:
    """Read a figure; `none` and 0 mean off."""
    value = 0.0 if word.lower() == "none" else float(word)
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"must be 0 or more, received {word}")
    return value or None


# fmt: off
def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", type=Path, help="text file with image,label[,subject[,split]] a line")
    parser.add_argument("--output", type=Path, required=True, help="cube to write (.h5)")
    add_grid_flags(parser.add_argument_group("grid and classes"))
    add_augmentation_flags(parser.add_argument_group("augmentation of training cases (0 or none: off)"))
    add = parser.add_argument_group("splits, by subject, unless the list has its own").add_argument
    add("--validation", type=float, default=0.2, metavar="SHARE", help="share of the subjects, 0 for none (default 0.2)")
    add("--test", type=float, default=0.2, metavar="SHARE", help="share of the subjects, 0 for none (default 0.2)")
    add("--allow-duplicates", action="store_true", help="accept the same scan under two names")
    add = parser.add_argument_group("running").add_argument
    add("--seed", type=int, default=0, help="of splits and augmentation (default 0)")
    add("--workers", type=int, default=os.cpu_count(), metavar="N", help="processes (default: one a core)")
    add("--max-voxels", type=int, default=MAX_VOXELS, metavar="N", help="refuse a scan whose header promises more (default 2147483648)")
    add("--force", action="store_true", help="replace an existing cube")
    add("--resume", action="store_true", help="go on with a build that was cut short")
    add("--on-error", choices=("stop", "skip"), default="stop", help="what a scan that cannot be used means: no cube (stop, default), or a cube without it (skip)")
    args = parser.parse_args(argv)
    check_args(parser, args)
    return args


def add_grid_flags(group: argparse._ArgumentGroup) -> None:
    """Name the flags that decide the cube's voxels."""
    add = group.add_argument
    add("--spacing", type=float, nargs="+", metavar="MM", help="voxel spacing in mm: one figure, or right anterior superior (default: the scans' median, finest two axes equal)")
    add("--side", type=int, metavar="VOXELS", help="instead of --spacing: isotropic, the longest scan gets this many voxels")
    add("--shape", type=int, nargs=3, metavar="VOXELS", help="voxels right, anterior, superior (default: what the largest scan needs, rounded up to what the networks halve)")
    add("--labels", nargs="+", default=["binary"], metavar="WORD", help="binary (default), keep, values (20 21), or names with values (L1=20 vertebra=20,21)")
    add("--intensity", nargs="+", default=["auto"], metavar="WORD", help="auto (default: window for CT, z-score for MR), zscore, or window LOW HIGH in HU")


def add_augmentation_flags(group: argparse._ArgumentGroup) -> None:
    """Name the flags that decide the copies; each gives the largest drawn value."""
    add = group.add_argument
    add("--copies", type=int, default=4, metavar="N", help="augmented copies of each training case (default 4)")
    add("--flip", type=amount, default=0.5, metavar="PROBABILITY", help="of mirroring left and right (default 0.5)")
    add("--rescaling", type=amount, nargs="+", default=[0.9, 1.1], metavar="FACTOR", help="smallest and largest factor (default 0.9 1.1)")
    add("--rotation", type=amount, default=10.0, metavar="DEGREES", help="largest angle about each axis (default 10)")
    add("--shift", type=amount, metavar="MM", help="largest distance along each axis (default none)")
    add("--elastic", type=amount, default=6.0, metavar="MM", help="largest displacement of a control point (default 6)")
    add("--blur", type=amount, default=1.0, metavar="MM", help="largest sigma of Gaussian blur (default 1)")
    add("--low-resolution", type=amount, metavar="FACTOR", help="most voxels that one axis joins, in a quarter of the copies (default none)")
    add("--gamma", type=amount, nargs="+", default=[0.7, 1.5], metavar="EXPONENT", help="smallest and largest exponent (default 0.7 1.5)")
    add("--brightness", type=amount, metavar="STD", help="largest change, in units of the normalised intensity (default none)")
    add("--contrast", type=amount, nargs="+", default=[None], metavar="FACTOR", help="smallest and largest factor (default none)")
    add("--bias-field", type=amount, metavar="STRENGTH", help="largest coefficient of an MR's shading, such as 0.3 (default none)")
    add("--noise", type=amount, default=0.15, metavar="STD", help="largest standard deviation of Gaussian noise, in units of the normalised intensity (default 0.15)")
    add("--rician-noise", type=amount, metavar="STD", help="the same for the noise of an MR's magnitude (default none)")


# fmt: on
def check_args(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """Refuse, by the flag's name, what no cube can be made of."""
    for flag in ("rescaling", "gamma", "contrast"):
        values = getattr(args, flag)
        if values == [None]:
            setattr(args, flag, None)
        elif len(values) != 2 or None in values or values[0] > values[1]:
            parser.error(f"--{flag} takes the smallest and the largest value, or none")
    if args.spacing and (
        args.side
        or len(args.spacing) not in (1, 3)
        or not all(0 < side < math.inf for side in args.spacing)
    ):
        parser.error(
            "--spacing takes one or three positive figures in mm, and no --side beside it"
        )
    if args.spacing and len(args.spacing) == 1:
        args.spacing *= 3
    if min(args.shape or [1]) < 1 or (args.side is not None and args.side < 1):
        parser.error("--shape and --side must be positive")
    if args.copies < 0 or args.seed < 0 or args.workers < 1:
        parser.error("--copies and --seed must be 0 or more, --workers 1 or more")
    if args.max_voxels < 1:
        parser.error("--max-voxels must be 1 or more")
    if (args.flip or 0) > 1 or not (0 <= args.validation <= 1 and 0 <= args.test <= 1):
        parser.error("--flip must be at most 1, --validation and --test in [0, 1]")
    args.intensity = parse_intensity(parser, args.intensity)


def parse_intensity(parser: argparse.ArgumentParser, words: list[str]) -> tuple:
    """Read --intensity into the mode that `measure_intensity` takes."""
    if words in (["auto"], ["zscore"]):
        return tuple(words)
    try:
        low, high = (float(word) for word in words[1:])
    except ValueError:
        low = high = 0.0
    if words[0] != "window" or not -math.inf < low < high < math.inf:
        parser.error(
            f"--intensity takes auto, zscore, or window LOW HIGH, received {' '.join(words)}"
        )
    return ("window", low, high)


def choose_augmentation(args: dict) -> Compose:
    """Build the chain of transforms; refuse values that no transform takes."""
    from augment.compose import compose_default

    try:
        return compose_default(**{name: args[name] for name in TRANSFORMS})
    except ValueError as error:
        raise UsageError(str(error)) from error


@script
def main(argv: Sequence[str] | None = None) -> int:
    """Survey every case, plan the cube, make it, and say what is in it."""
    args = vars(parse_args(argv))
    # Late, so that --help and a wrong flag answer at once.
    from cube.build import describe_cube, write_cube
    from cube.pairs import read_pairs
    from cube.plan import check_inputs, check_output, describe_plan, plan_cube
    from cube.survey import survey_cases

    output, skip = args["output"], args["on_error"] == "skip"
    way = {"force": args["force"], "resume": args["resume"]}
    check_output(output, **way)
    compose = choose_augmentation(args)
    pairs = read_pairs(args["pairs"], may_be_missing=skip)
    check_inputs(output, args["pairs"], pairs)
    facts, left_out = survey_cases(
        pairs, args["workers"], args["max_voxels"], skip=skip
    )
    for fault in left_out.values():
        print(f"left out  {fault}", file=sys.stderr)
    plan = plan_cube(facts, args, compose, output, left_out)
    print(describe_plan(plan, output))
    content = {name: args[name] for name in DECIDE_CONTENT}
    made = write_cube(output, plan, content, **way, skip=skip)
    print(describe_cube(plan, output, made))
    return 0


if __name__ == "__main__":
    sys.exit(main())
