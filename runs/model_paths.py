"""The models that the paths of flags stand for."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from zipfile import is_zipfile

from runs.folder import ENSEMBLE, MODEL_NAME, TITLES
from system.errors import DataError, UsageError


def find_models(paths: Sequence[Path], *, first: str = "") -> list[Path]:
    """List the models that paths stand for.

    Args:
        paths: Model files, or run folders: a network's for its model, both networks'
            for both.
        first: What must come before the paths on the command line, for the message.

    Raises:
        DataError: If a path is neither.
    """
    models = []
    for path in paths:
        if path.is_file() and path.suffix != ".keras" and not is_zipfile(path):
            order = f"; {first} must come before the models" if first else ""
            raise DataError(
                f"{path} must be a {MODEL_NAME} or a run folder of train.py. Received: "
                f"another file{order}"
            )
        found = [path] if path.is_file() else []
        if path.is_dir():
            folders = [path, *(path / network for network in TITLES)]
            inner = [folder / MODEL_NAME for folder in folders]
            found = [model for model in inner if model.is_file()]
        if not found:
            raise DataError(
                f"{path}: no such model. It must be a {MODEL_NAME} or a run folder of "
                "train.py that holds one."
            )
        models += found
    return models


def settle_weights(args: argparse.Namespace) -> None:
    """Replace run folders in --weights by their models; several are an ensemble.

    Raises:
        DataError: If there is no such model.
        UsageError: If the other flags do not suit them.
    """
    if args.weights is None:
        return
    args.weights = find_models(args.weights, first="the cube")
    if len(args.weights) == 1:
        if args.model not in TITLES:
            raise UsageError("--weights needs --model unet2d or --model unet3d")
        return
    if args.epochs != 0:
        raise UsageError(
            "Several --weights are only tested together; --epochs 0 does so. "
            f"Received: {', '.join(map(str, args.weights))}"
        )
    if args.patch_size or args.model not in ("both", ENSEMBLE):
        raise UsageError(
            "--model and --patch-size must not be given with several --weights, which "
            "have their own. Received: "
            f"{', '.join(map(str, args.weights))}"
        )
    args.model = ENSEMBLE
