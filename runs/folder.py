"""The files of a run folder, and the rules that keep two runs from being mixed."""

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
    made_if_used,
    remove_temporary,
    require_folder,
)
from system.errors import DataError, OutputError, UsageError
from system.text import is_utf8

TITLES = {"unet2d": "UNet-2D", "unet3d": "UNet-3D"}
ENSEMBLE = "ensemble"
# Of the runs that may lie in a folder: one network, or several tested together.
RUN_TITLES = {**TITLES, ENSEMBLE: "Ensemble"}
RUN_CONFIG_NAME = "config.json"
MODEL_NAME = "model.keras"
REPORT_NAME = "report.html"
SUMMARY_NAME = "summary.md"
EARLIER_INSTANCES_NAME = "instances.csv"  # now columns of scores.csv
# Of the report, beside it: copies of pictures that lie outside its folder.
REPORT_PICTURES = "report_pictures"

# What `compare_runs` writes for two networks, into the folder above their runs.
COMPARISON_FILES = (
    "comparison.json",
    "comparison.md",
    REPORT_NAME,
    "cases.png",
    "examples.png",
    "curves.png",
)
# What compareRuns.py writes, for one network or two.
PAGE_FILES = (
    *COMPARISON_FILES,
    "summary.json",
    SUMMARY_NAME,
    "scores.csv",
    EARLIER_INSTANCES_NAME,
)
# Everything that a run writes into its folder; --force removes these, nothing else.
RUN_FILES = (
    RUN_CONFIG_NAME,
    "splits.json",
    "history.csv",
    MODEL_NAME,
    "scores.csv",
    EARLIER_INSTANCES_NAME,
    "summary.json",
    SUMMARY_NAME,
    "architecture.png",
    "progress.png",
    *COMPARISON_FILES,
)
RUN_FOLDERS = ("checkpoint", "predictions", "overlays", "progress", "tensorboard")
BACKUP_SUFFIX = "earlier"  # of the hidden folder that keeps the run to be replaced


@contextmanager
def open_run_folder(run: Path, *, force: bool, resume: bool) -> Iterator[None]:
    """Create and lock the run folder, so that two runs are not mixed in it.

    A run that is refused before it has started leaves the folder as it was.

    Args:
        run: The folder, of one network's run or of both networks' runs.
        force: Whether to remove the run in it.
        resume: Whether to resume the run in it.

    Raises:
        UsageError: If the folder is not empty and neither flag is set, if `force`
            is set and it holds other files but no run, if another process uses
            it, if it cannot be created, or if its path is not UTF-8.
        OutputError: If something in it cannot be removed.
    """
    if not is_utf8(str(run)):
        raise UsageError(
            f"{run} must be a path in UTF-8, for TensorBoard. Use another --output."
        )
    with (
        made_if_used(run),
        lock_folder(run, f"{run} is in use by another train.py."),
    ):
        previous = _list_run_files(run) if force else []
        if not (resume or previous or _is_empty(run)):
            raise UsageError(
                f"{run} must be empty or hold a run for --force to remove. Received: "
                f"other files, and no {RUN_CONFIG_NAME} of a run."
                if force
                else f"{run} must be empty. Use --resume to resume the run in it, or "
                "--force to remove it."
            )
        _remove_leftovers(run)
        with nullcontext() if resume else _replace_run(run, previous):
            yield


def _read_run_config(folder: Path) -> dict:
    """Read the config of a network's run; empty if the folder holds no run."""
    try:
        config = read_json(folder / RUN_CONFIG_NAME)
        return config if config["arguments"]["model"] in RUN_TITLES else {}
    except (DataError, LookupError, TypeError):
        return {}


def describe_unfinished(path: Path, folder: Path) -> str:
    """Return what may be done with a network's run that has no results yet.

    Args:
        path: Its folder.
        folder: The run folder that was asked for, which may hold both networks' runs.
    """
    # Of both networks, the second waits in the folder that the first has locked.
    for locked in (path, path.parent):
        try:
            with lock_folder(locked, f"{path} is still being trained by train.py."):
                pass
        except UsageError as error:
            return str(error)
    return f"{path} is unfinished: python train.py --resume --output {folder}"


def network_folders(run: Path) -> list[Path]:
    """List the folders in which both networks' runs lie."""
    return [run / model for model in TITLES]


def _list_run_files(run: Path) -> list[Path]:
    """List the paths that the runs in a folder may have; empty if it holds none."""
    candidates = [run, *network_folders(run)]
    runs = [folder for folder in candidates if _read_run_config(folder)]
    paths = [folder / name for folder in runs for name in RUN_FOLDERS + RUN_FILES]
    if runs and run not in runs:
        paths += [run / name for name in (*COMPARISON_FILES, REPORT_PICTURES)]
    # The config last: a removal that is interrupted still leaves a run to remove.
    return sorted(paths, key=lambda path: path.name == RUN_CONFIG_NAME)


def _is_empty(run: Path) -> bool:
    """Return whether a folder holds nothing but what killed writers left."""
    inner = [folder for folder in network_folders(run) if folder.is_dir()]
    paths = [path for folder in (run, *inner) for path in folder.iterdir()]
    return all(path in inner or is_temporary(path) for path in paths)


def _remove_leftovers(run: Path) -> None:
    """Remove temporary files and backups that killed processes left."""
    for folder in (run, *(run / name for name in RUN_FOLDERS)):
        with _report_failed_removal(folder):
            remove_temporary(folder)
    for path in run.glob(f".*-{BACKUP_SUFFIX}"):
        if is_temporary(path):
            _remove_folder(path)


def _remove_folder(folder: Path) -> None:
    """Remove a folder, if there is one."""
    with _report_failed_removal(folder):
        if folder.is_dir():
            shutil.rmtree(folder)


@contextmanager
def _replace_run(run: Path, previous: Sequence[Path]) -> Iterator[None]:
    """Move the previous run to a backup; restore it if the new one is refused."""
    backup = run / f".{secrets.token_hex(4)}-{BACKUP_SUFFIX}"
    names = [path.relative_to(run) for path in previous]
    try:
        _move(names, run, backup)
    except OutputError:
        _move(names, backup, run)
        _remove_folder(backup)
        raise
    try:
        yield
    except BaseException as error:
        if isinstance(error, (DataError, SystemExit)):
            _restore_unless_started(run, names, backup)
        _remove_folder(backup)
        raise
    _remove_folder(backup)


def _restore_unless_started(run: Path, names: Sequence[Path], backup: Path) -> None:
    """Restore the previous run if the new one has recorded no cube yet."""
    candidates = [run, *network_folders(run)]
    configs = {folder: _read_run_config(folder) for folder in candidates}
    if any("cube_checksum" in config for config in configs.values()):
        return
    for folder, config in configs.items():
        if config:
            (folder / RUN_CONFIG_NAME).unlink()
    _move(names, backup, run)


def _move(names: Sequence[Path], source: Path, target: Path) -> None:
    """Move the files that exist, then remove the networks' folders left empty."""
    for name in names:
        if os.path.lexists(source / name):
            with _report_failed_removal(source / name):
                (target / name).parent.mkdir(parents=True, exist_ok=True)
                (source / name).rename(target / name)
    for folder in network_folders(source) + network_folders(target):
        if folder.is_dir() and not any(folder.iterdir()):
            with _report_failed_removal(folder):
                folder.rmdir()


def check_page_folder(folder: Path, *, force: bool) -> None:
    """Check that a comparison can be written to a folder and nothing is lost.

    Args:
        folder: It need not exist, if it can be created.
        force: Whether an earlier comparison in it may be replaced.

    Raises:
        UsageError: If it is a network's run folder, is not empty and `force` is
            off, or is not writable.
    """
    if (folder / RUN_CONFIG_NAME).exists():
        raise UsageError(f"{folder} must not be a run folder. Use another --output.")
    require_folder(folder)
    if folder.is_dir() and any(folder.iterdir()) and not force:
        raise UsageError(f"{folder} must be empty. Use --force to write over it.")


def remove_page(folder: Path) -> None:
    """Remove the files of an earlier comparison from a folder, if there are any.

    Raises:
        OutputError: If a file cannot be removed.
    """
    for name in PAGE_FILES:
        with _report_failed_removal(folder / name):
            (folder / name).unlink(missing_ok=True)
    _remove_folder(folder / REPORT_PICTURES)


@contextmanager
def _report_failed_removal(path: Path) -> Iterator[None]:
    """Raise an OutputError that names `path` in place of an OSError."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise OutputError(f"{path}: could not be removed: {reason}") from error


def write_json(path: Path, content: dict) -> None:
    """Write a dict as indented JSON; paths become strings."""
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
