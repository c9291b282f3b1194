"""The flags of makeCube.py: what they are, and which values no cube can be built from.

This module imports nothing heavy, so that `makeCube.py --help` stays fast.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from augment.flags import FLAGS
from system.command_line import CommandLine
from system.errors import UsageError
from system.job import available_cpus
from system.limits import MAX_VOXELS
from volumes.intensity_flag import add_intensity_flag, parse_intensity

GRID_FLAGS = ("spacing", "side", "shape", "labels", "intensity")
# The flags that decide the content of the cube, which stores their values.
CONTENT_FLAGS = (*GRID_FLAGS, "copies", "validation", "test", "seed", *FLAGS)
# Those without which it may be refused, and the model that names its classes.
ORIGIN_FLAGS = (
    "labels_from",
    "allow_duplicates",
    "allow_same_person",
    "allow_unlikely",
)
MINIMUM = {"side": 1, "copies": 0, "seed": 0, "workers": 1, "max_voxels": 1}


def build_parser(description: str | None) -> CommandLine:
    """Build the parser; `check_args` checks what it accepts."""
    parser = CommandLine(description)
    parser.add_argument(
        "pairs", type=Path, help="text file, image,label[,subject[,split]] per line"
    )
    parser.add_argument(
        "--output", type=Path, required=True, help="cube to write (.h5)"
    )
    add_grid_flags(parser.add_argument_group("grid, classes and intensity"))
    add_augmentation_flags(
        parser.add_argument_group("augmentation (0 or none turns a transform off)")
    )
    add_split_flags(parser.add_argument_group("splits by subject"))
    add_execution_flags(parser.add_argument_group("execution"))
    return parser


def amount(word: str) -> float | None:
    """Convert a word to a number of 0 or more; return None for `none` and 0.

    Raises:
        ArgumentTypeError: If it is neither.
    """
    try:
        value = 0.0 if word.lower() == "none" else float(word)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(
            f"must be 0 or more, or none. Received: {word}"
        )
    return value or None


def add_grid_flags(group: argparse._ArgumentGroup) -> None:
    """Add the flags that set the voxels and the classes."""
    group.add_argument(
        "--spacing",
        type=float,
        nargs="+",
        metavar="MM",
        help="voxel spacing: one value, or right anterior superior (default: median "
        "of the scans, with the finest two axes equal)",
    )
    group.add_argument(
        "--side",
        type=int,
        metavar="VOXELS",
        help="instead of --spacing: isotropic, the longest scan spans so many voxels",
    )
    group.add_argument(
        "--shape",
        type=int,
        nargs=3,
        metavar="VOXELS",
        help="voxels right, anterior, superior (default: the largest scan, rounded up "
        "to what the networks can downsample)",
    )
    add_class_flags(group)
    add_intensity_flag(group, "a window if most scans are CT, else the z-score")


def add_class_flags(group: argparse._ArgumentGroup) -> None:
    """Add the two ways to state the classes."""
    group.add_argument(
        "--labels",
        nargs="+",
        metavar="WORD",
        help="binary (default), keep, names (L1 L2, lumbar, vertebra=L1,L2), or values "
        "(20 21, L1=20, vertebra=20,21); beside them ignore=255 or ignore=254,T12 for "
        "voxels without loss and score",
    )
    group.add_argument(
        "--labels-from",
        type=Path,
        metavar="MODEL",
        help="the classes of this model.keras or run folder, to test it on the cube",
    )


def add_count(
    group: argparse._ArgumentGroup, flag: str, default: int | None, description: str
) -> None:
    """Add a flag that takes a whole number."""
    text = f"{description} (default: {default})"
    group.add_argument(flag, type=int, default=default, metavar="N", help=text)


def add_augmentation_flags(group: argparse._ArgumentGroup) -> None:
    """Add --copies and one flag for each transform."""
    add_count(group, "--copies", 4, "augmented copies of each training case")
    for name, flag in FLAGS.items():
        # Where mirroring is not asked for, the classes decide: `cube.mirroring`.
        default = argparse.SUPPRESS if name == "flip" else flag.default
        group.add_argument(
            f"--{name.replace('_', '-')}",
            type=amount,
            nargs="+" if flag.is_range else None,
            default=default,
            metavar=flag.metavar,
            help=f"{flag.description} (default: {flag.default_text})",
        )


def add_split_flags(group: argparse._ArgumentGroup) -> None:
    """Add the flags that assign subjects to splits."""
    for split in ("validation", "test"):
        group.add_argument(
            f"--{split}",
            type=float,
            default=0.2,
            metavar="SHARE",
            help="share of the subjects, unless the list has splits (default: 0.2)",
        )
    group.add_argument(
        "--allow-duplicates", action="store_true", help="accept a scan listed twice"
    )
    group.add_argument(
        "--allow-same-person",
        action="store_true",
        help="accept cases that look like one person under two subjects",
    )


def add_execution_flags(group: argparse._ArgumentGroup) -> None:
    """Add the flags that set how the cube is built."""
    add_count(group, "--seed", 0, "random seed of splits and augmentation")
    add_count(group, "--workers", available_cpus(), "number of processes")
    group.add_argument(
        "--scheduler",
        metavar="ADDRESS|FILE",
        help="build on the workers of this Dask cluster instead; see docs/scaling.md",
    )
    add_count(group, "--max-voxels", MAX_VOXELS, "largest size of a scan to be read")
    add = group.add_argument
    add("--force", action="store_true", help="replace an existing cube")
    add("--resume", action="store_true", help="resume an interrupted build")
    add(
        "--allow-unlikely",
        action="store_true",
        help="accept label maps that look like none",
    )
    add(
        "--on-error",
        choices=("stop", "skip"),
        default="stop",
        help="if a scan is unusable: write no cube (stop, default), or leave it out",
    )


def list_origin(args: Mapping[str, Any]) -> dict[str, str | bool | float]:
    """Return what a cube is built from, and the flags without which it is refused.

    Without its --flip a cube would be mirrored or not as the classes decide.

    Args:
        args: Flags of makeCube.py by name.

    Returns:
        By name, JSON-safe: absolute paths, and the other flags if they are set.
    """
    names = [name for name in ("pairs", *ORIGIN_FLAGS) if args.get(name)]
    origin: dict[str, str | bool | float] = {
        name: str(args[name].resolve()) if isinstance(args[name], Path) else True
        for name in names
    }
    if args.get("on_error") == "skip":
        origin["on_error"] = "skip"
    if args.get("max_voxels", MAX_VOXELS) != MAX_VOXELS:
        origin["max_voxels"] = args["max_voxels"]
    if args.get("flip_given") and args["flip"]:
        origin["flip"] = args["flip"]
    return origin


def check_args(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """Check values that argparse accepts but no cube can be built from."""
    for name, minimum in MINIMUM.items():
        value = getattr(args, name)
        if value is not None and value < minimum:
            parser.error(
                f"--{name.replace('_', '-')} must be {minimum} or more. "
                f"Received: {value}"
            )
    for split in ("validation", "test"):
        share = getattr(args, split)
        if not 0 <= share <= 1:
            parser.error(f"--{split} must be in [0, 1]. Received: {share}")
    if args.shape and min(args.shape) < 1:
        parser.error(f"--shape must be positive. Received: {args.shape}")
    if args.spacing and args.side:
        parser.error("--spacing and --side must not be given together")
    if args.spacing:
        args.spacing = parse_spacing(parser, args.spacing)
    try:
        args.intensity = parse_intensity(args.intensity)
    except UsageError as error:
        parser.error(str(error))
    if args.labels is None and args.labels_from is None:
        args.labels = ["binary"]
    check_augmentation(parser, args)


def check_augmentation(
    parser: argparse.ArgumentParser, args: argparse.Namespace
) -> None:
    """Check the limits of the transforms; note whether --flip was given."""
    args.flip_given = hasattr(args, "flip")
    args.flip = getattr(args, "flip", FLAGS["flip"].default)
    for name, flag in FLAGS.items():
        if flag.is_range:
            setattr(args, name, parse_range(parser, name, getattr(args, name)))
        try:
            flag.check(f"--{name.replace('_', '-')}", getattr(args, name))
        except ValueError as error:
            parser.error(str(error))


def parse_spacing(parser: argparse.ArgumentParser, spacing: list[float]) -> list[float]:
    """Return three positive values, from one or three."""
    if len(spacing) not in (1, 3) or not all(0 < mm < math.inf for mm in spacing):
        parser.error(
            f"--spacing takes one or three positive values in mm. Received: {spacing}"
        )
    return spacing * 3 if len(spacing) == 1 else spacing


def parse_range(
    parser: argparse.ArgumentParser, name: str, values: Sequence[float | None] | None
) -> Sequence[float | None] | None:
    """Return two values, or None if the transform is off."""
    if values is None or list(values) == [None]:
        return None
    if len(values) != 2 or None in values:
        received = " ".join("none" if v is None else f"{v:g}" for v in values)
        parser.error(
            f"--{name} takes two positive values, or none. Received: {received}"
        )
    return values
