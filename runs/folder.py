"""Where things lie in a run folder, and that two runs are not mixed in one."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

from system.atomic import (
    atomic_write,
    is_temporary,
    lock_folder,
    remove_temporary,
    require_folder,
)
from system.errors import DataError, OutputError, UsageError

TITLES = {"unet2d": "UNet-2D", "unet3d": "UNet-3D"}
CONFIG_NAME = "config.json"

# All that a run leaves in its folder; --force removes these and nothing else. The
# first of them tells that there is a run, so it goes last.
FILES = (
    *(CONFIG_NAME, "splits.json", "history.csv", "model.keras", "scores.csv"),
    *("summary.json", "curves.png", "architecture.png", "cases.png"),
    *("comparison.json", "comparison.md"),
)
FOLDERS = ("checkpoint", "predictions", "overlays", "tensorboard")
# All that both networks' runs leave above their own folders.
OF_BOTH = ("comparison.json", "comparison.md", "cases.png", "curves.png")
ASIDE = "earlier"  # of the hidden folder in which a run waits for its end
# All that compareRuns.py leaves.
PAGE = (
    *("comparison.json", "comparison.md", "summary.json", "summary.md"),
    *("scores.csv", "cases.png", "curves.png"),
)


@contextmanager
def open_run_folder(run: Path, *, force: bool, resume: bool) -> Iterator[None]:
    """Make the run folder and hold it, so that two runs are not mixed in it.

    A run that is refused before it has begun leaves the folder as it was.

    Args:
        run: The folder, of one network's run or of both networks'.
        force: Whether to remove the run that is there.
        resume: Whether to go on with what is in it.

    Raises:
        UsageError: If it is not empty and neither is asked for, if `force` finds
            no run in what it holds, if another process holds it, or if it
            cannot be made.
        OutputError: If something in it cannot be removed.
    """
    try:
        run.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{run} cannot be made a folder: {error}") from error
    with lock_folder(run, f"{run} is in use by another train.py."):
        earlier = _list_earlier(run) if force else []
        if not (resume or earlier or _is_empty(run)):
            raise UsageError(
                f"{run} must be empty, or hold a run for --force to remove. Received: "
                f"other files, and no {CONFIG_NAME} of a run."
                if force
                else f"{run} must be empty. --resume goes on with the run that is in "
                "it, --force removes it."
            )
        _clean(run)
        with nullcontext() if resume else _setting_aside(run, earlier):
            yield


def _config_of(folder: Path) -> dict:
    """Read what a network's run noted; nothing where the folder holds no run."""
    try:
        found = read_json(folder / CONFIG_NAME)
        return found if found["arguments"]["model"] in TITLES else {}
    except (DataError, LookupError, TypeError):
        return {}


def _folders(run: Path) -> list[Path]:
    """List a folder and those in it that both networks' runs lie in."""
    return [run, *(run / model for model in TITLES)]


def _list_earlier(run: Path) -> list[Path]:
    """List what may be of the runs in a folder; nothing where it holds none."""
    held = [folder for folder in _folders(run) if _config_of(folder)]
    paths = [folder / name for folder in held for name in (*FOLDERS, *FILES)]
    if held and run not in held:
        paths += [run / name for name in OF_BOTH]
    # Until all else is gone, there is a run to remove.
    return sorted(paths, key=lambda path: path.name == CONFIG_NAME)


def _is_empty(run: Path) -> bool:
    """Tell whether a folder holds nothing but what killed writes left."""
    inner = [folder for folder in _folders(run)[1:] if folder.is_dir()]
    found = [path for folder in (run, *inner) for path in folder.iterdir()]
    return all(path in inner or is_temporary(path) for path in found)


def _clean(run: Path) -> None:
    """Remove what killed writes left, and a killed run of the one before it."""
    for folder in (run, *(run / name for name in FOLDERS)):
        with _removing(folder):
            remove_temporary(folder)
    for path in run.glob(f".*-{ASIDE}"):
        if is_temporary(path):
            _discard(path)


def _discard(folder: Path) -> None:
    with _removing(folder):
        if folder.is_dir():
            shutil.rmtree(folder)


@contextmanager
def _setting_aside(run: Path, earlier: Sequence[Path]) -> Iterator[None]:
    """Remove an earlier run, or bring it back if the new one is refused."""
    aside = run / f".{secrets.token_hex(4)}-{ASIDE}"
    names = [path.relative_to(run) for path in earlier]
    try:
        _move(names, run, aside)
    except OutputError:
        _move(names, aside, run)
        _discard(aside)
        raise
    try:
        yield
    except BaseException as error:
        noted = [folder for folder in _folders(run) if _config_of(folder)]
        has_begun = any("cube_checksum" in _config_of(folder) for folder in noted)
        if isinstance(error, (DataError, SystemExit)) and not has_begun:
            for folder in noted:
                (folder / CONFIG_NAME).unlink()
            _move(names, aside, run)
        _discard(aside)
        raise
    _discard(aside)


def _move(names: Sequence[Path], source: Path, target: Path) -> None:
    """Move what is there, and remove inner folders of a run that are empty then."""
    for name in names:
        if os.path.lexists(source / name):
            with _removing(source / name):
                (target / name).parent.mkdir(parents=True, exist_ok=True)
                (source / name).rename(target / name)
    for folder in (*_folders(source)[1:], *_folders(target)[1:]):
        if folder.is_dir() and not any(folder.iterdir()):
            with _removing(folder):
                folder.rmdir()


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


def recorded_arguments(run: Path) -> dict:
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
        if name not in ("output", "force", "resume", "weights_checksum")
    }


def check_same_inputs(run: Path, files: dict[str, tuple[Path, str]]) -> None:
    """Refuse to go on testing with other files than a run was begun with.

    Args:
        run: The folder of one network's run.
        files: Path and checksum of its "cube" and "weights".

    Raises:
        DataError: If one is another file; both are named.
    """
    config = read_json(run / CONFIG_NAME)
    begun = config.get("arguments", {})
    checksums = {**begun, **config}
    for name, (path, checksum) in files.items():
        was = checksums.get(f"{name}_checksum")
        if was not in (None, checksum):
            raise DataError(
                f"{run} can only be resumed with the same {name}. Received: {path} "
                f"({checksum[:12]}), but it was begun with {begun.get(name)} "
                f"({str(was)[:12]})"
            )


def write_json(path: Path, content: dict) -> None:
    """Write a dict as readable JSON, renamed into place when complete."""
    with atomic_write(path) as partial:
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
