"""Where things lie in a run folder, and that two runs are not mixed in one."""

from __future__ import annotations

import json
from pathlib import Path

from volumes.atomic import replacing
from volumes.errors import DataError, UsageError

TITLES = {"unet2d": "UNet-2D", "unet3d": "UNet-3D"}


def prepare_run(run: Path, *, may_hold_files: bool) -> None:
    """Make the run folder, unless it would mix two runs.

    Raises:
        UsageError: If it is not empty and may not hold files, or cannot be made.
    """
    if run.is_dir() and any(run.iterdir()) and not may_hold_files:
        raise UsageError(
            f"{run} must be empty. --resume goes on with what is in it, --force "
            "writes over it."
        )
    try:
        run.mkdir(parents=True, exist_ok=True)
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
