"""Where things lie in a run folder, and that two runs are not mixed in one."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from volumes.atomic import replacing
from volumes.errors import DataError, UsageError

TITLES = {"unet2d": "UNet-2D", "unet3d": "UNet-3D"}


# All that a run leaves in its folder; --force removes these and nothing else.
FILES = (
    *("config.json", "splits.json", "history.csv", "model.keras", "scores.csv"),
    *("summary.json", "curves.png", "architecture.png", "cases.png"),
    *("comparison.json", "comparison.md"),
)
FOLDERS = ("checkpoint", "predictions", "overlays", "tensorboard")
# All that compareRuns.py leaves.
PAGE = (
    *("comparison.json", "comparison.md", "summary.json", "summary.md"),
    *("scores.csv", "cases.png", "curves.png"),
)


def prepare_run(run: Path, *, force: bool, resume: bool) -> None:
    """Make the run folder, unless it would mix two runs.

    Args:
        run: The folder.
        force: Whether to remove what an earlier run left in it.
        resume: Whether to go on with what is in it.

    Raises:
        UsageError: If it is not empty and neither is asked for, or it cannot be
            made.
    """
    if run.is_dir() and any(run.iterdir()) and not (force or resume):
        raise UsageError(
            f"{run} must be empty. --resume goes on with what is in it, --force "
            "writes over it."
        )
    _empty(run, FILES if force and not resume else ())
    for name in FOLDERS if force and not resume else ():
        shutil.rmtree(run / name, ignore_errors=True)


def prepare_page(folder: Path, *, force: bool) -> None:
    """Make the folder of a comparison, unless something would be lost.

    Args:
        folder: The folder.
        force: Whether to remove what an earlier comparison left in it.

    Raises:
        UsageError: If it is a network's run folder, is not empty and `force` is
            off, or cannot be made.
    """
    if (folder / "config.json").exists():
        raise UsageError(f"{folder} must not be a run folder. Name another --output.")
    if folder.is_dir() and any(folder.iterdir()) and not force:
        raise UsageError(f"{folder} must be empty. --force writes over it.")
    _empty(folder, PAGE)


def _empty(folder: Path, names: Sequence[str]) -> None:
    """Make a folder, without the named files."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in names:
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise UsageError(f"{folder} cannot be made a folder: {error}") from error


def write_json(path: Path, content: dict) -> None:
    """Write a dict as readable JSON, renamed into place when complete."""
    with replacing(path) as partial:
        partial.write_text(json.dumps(content, indent=1, default=str) + "\n")


def read_json(path: Path) -> dict:
    """Read what `write_json` wrote.

    Raises:
        DataError: If the file is missing or damaged.
    """
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
