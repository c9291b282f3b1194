"""Where things lie in a run folder, and that two runs are not mixed in one."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from volumes.atomic import (
    holding,
    is_temporary,
    remove_temporary,
    replacing,
    require_folder,
)
from volumes.errors import DataError, OutputError, UsageError

TITLES = {"unet2d": "UNet-2D", "unet3d": "UNet-3D"}
CONFIG_NAME = "config.json"

# All that a run leaves in its folder; --force removes these and nothing else.
FILES = (
    *(CONFIG_NAME, "splits.json", "history.csv", "model.keras", "scores.csv"),
    *("summary.json", "curves.png", "architecture.png", "cases.png"),
    *("comparison.json", "comparison.md"),
)
FOLDERS = ("checkpoint", "predictions", "overlays", "tensorboard")
# All that compareRuns.py leaves.
PAGE = (
    *("comparison.json", "comparison.md", "summary.json", "summary.md"),
    *("scores.csv", "cases.png", "curves.png"),
)


@contextmanager
def prepared_run(run: Path, *, force: bool, resume: bool) -> Iterator[None]:
    """Make the run folder and hold it, so that two runs are not mixed in it.

    Args:
        run: The folder.
        force: Whether to remove what an earlier run left in it.
        resume: Whether to go on with what is in it.

    Raises:
        UsageError: If it is not empty and neither is asked for, if another
            process holds it, or if it cannot be made.
    """
    found = run.iterdir() if run.is_dir() else ()
    if not (force or resume or all(map(is_temporary, found))):
        raise UsageError(
            f"{run} must be empty. --resume goes on with what is in it, --force "
            "writes over it."
        )
    try:
        run.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{run} cannot be made a folder: {error}") from error
    with holding(run, f"{run} is in use by another train.py."):
        _clean(run, everything=force and not resume)
        yield


def _clean(run: Path, *, everything: bool) -> None:
    """Remove what killed writes left, and if asked for all of an earlier run."""
    try:
        for folder in (run, *(run / name for name in FOLDERS)):
            remove_temporary(folder)
        if everything:
            for name in FILES:
                (run / name).unlink(missing_ok=True)
            for name in FOLDERS:
                shutil.rmtree(run / name, ignore_errors=True)
    except OSError as error:
        raise UsageError(f"{run} cannot be written over: {error}") from error


def check_page(folder: Path, *, force: bool) -> None:
    """See that the page of a comparison can go to a folder, and nothing is lost.

    Args:
        folder: It need not exist, if it can be made.
        force: Whether an earlier comparison in it may be replaced.

    Raises:
        UsageError: If it is a network's run folder, is not empty and `force` is
            off, or takes no files.
    """
    if (folder / CONFIG_NAME).exists():
        raise UsageError(f"{folder} must not be a run folder. Name another --output.")
    require_folder(folder)
    if folder.is_dir() and any(folder.iterdir()) and not force:
        raise UsageError(f"{folder} must be empty. --force writes over it.")


def remove_page(folder: Path) -> None:
    """Remove what an earlier comparison left in a folder, if it did.

    Raises:
        OutputError: If a file cannot be removed.
    """
    for name in PAGE:
        with _removing(folder / name):
            (folder / name).unlink(missing_ok=True)


@contextmanager
def _removing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise OutputError(f"{path}: could not be removed: {reason}") from error


def begun_arguments(run: Path) -> dict:
    """Give the command line that a run was begun with, to go on by it.

    Args:
        run: The folder of one network's run, or of both networks'.

    Raises:
        DataError: If there is none.
    """
    first = run / next(iter(TITLES))  # of both networks, begun first
    if (run / CONFIG_NAME).is_file():
        found = read_json(run / CONFIG_NAME).get("arguments", {})
    elif (first / CONFIG_NAME).is_file():
        found = {**read_json(first / CONFIG_NAME).get("arguments", {}), "model": "both"}
    else:
        raise DataError(f"{run} holds no {CONFIG_NAME}, so no run to resume.")
    return {
        name: value
        for name, value in found.items()
        if name not in ("output", "force", "resume")
    }


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
