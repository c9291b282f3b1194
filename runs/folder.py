"""Where things lie in a run folder, and that two runs are not mixed in one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from volumes.atomic import replacing
from volumes.errors import DataError, UsageError

TITLES = {"unet2d": "UNet-2D", "unet3d": "UNet-3D"}


# All that a run leaves in its folder; --force removes these and nothing else.
FILES = (
    *("config.json", "history.csv", "model.keras", "scores.csv", "summary.json"),
    *("curves.png", "architecture.png", "comparison.json", "comparison.md"),
)
FOLDERS = ("checkpoint", "predictions", "overlays", "tensorboard")


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
    try:
        run.mkdir(parents=True, exist_ok=True)
        if force and not resume:
            for name in FILES:
                (run / name).unlink(missing_ok=True)
            for name in FOLDERS:
                shutil.rmtree(run / name, ignore_errors=True)
    except OSError as error:
        raise UsageError(f"{run} cannot be made a folder: {error}") from error


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
