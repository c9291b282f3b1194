"""The flags of train.py.

This module imports nothing heavy, so that `train.py --help` stays fast.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from runs.folder import TITLES
from system.command_line import CommandLine

NETWORKS = tuple(TITLES)


def build_parser(description: str | None) -> CommandLine:
    """Build the parser; `complete_arguments` supplies the defaults."""
    parser = CommandLine(description)
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
    add(
        "--mixed-precision",
        action=argparse.BooleanOptionalAction,
        help="compute in bfloat16 or float16 (default: on GPUs made for it)",
    )
    add("--require-gpu", action="store_true", help="stop if there is no GPU")
    add(
        "--gpus",
        type=int,
        metavar="N",
        help="GPUs of this computer that share each batch (default 1)",
    )
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
    add(
        "--filters",
        type=int,
        metavar="N",
        help="of the first level (default 8; 32 on a GPU)",
    )
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
    _add_patch_flags(group)
    add(
        "--keep",
        choices=("all", "spine", "largest"),
        help="what is kept of predictions (default: spine where that raises the mean "
        "Dice of the validation cases, else all)",
    )
    add("--seed", type=int, metavar="N", help="seed of all random numbers (default 0)")


def _add_patch_flags(group: argparse._ArgumentGroup) -> None:
    """Add the flags that decide which patches are drawn, and how they are changed."""
    add = group.add_argument
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
