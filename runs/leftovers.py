"""Removing what an earlier call found in a scan, where --force replaces it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from runs.label_plan import TABLE_NAME, Outputs
from runs.label_table import LabelTable
from runs.vertebra_files import VertebraTables
from runs.vertebra_plan import VertebraFiles
from system.errors import OutputError, UsageError


def remove_leftovers(outputs: Outputs) -> None:
    """Remove all that goes with a scan's earlier label map, if that was replaced.

    This is the label map in another format, the picture, the probabilities, and the
    vertebrae with their rows: what this call does not write again would be of another
    prediction. A label map that labels.csv does not list, such as a corrected copy,
    stays.

    Raises:
        DataError: If something cannot be removed.
    """
    if not outputs.force:
        return
    table = LabelTable(outputs.folder / TABLE_NAME)
    listed = table.find(outputs.label_maps)
    kept = {path for path in outputs.label_maps if path not in listed}
    for path in outputs.existing():
        if path != outputs.label_map and path not in kept:
            _remove(path)
    remove_vertebrae(outputs.vertebrae)


def remove_vertebrae(files: VertebraFiles) -> None:
    """Remove the vertebrae of a scan: their files, and their rows in both tables.

    Raises:
        DataError: If something cannot be removed.
    """
    for path in files.paths():
        _remove(path)
    with suppress(UsageError):  # tables of another program, which have no such rows
        VertebraTables(files.label_map.parent).drop(files.name)


def remove_other_formats(files: VertebraFiles) -> None:
    """Remove the vertebrae that an earlier call wrote in another format.

    Raises:
        DataError: If a file cannot be removed.
    """
    for path in files.paths():
        if path not in (files.label_map, files.picture):
            _remove(path)


def _remove(path: Path) -> None:
    """Remove a file, if there is one."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"{path}: could not be removed: {error.strerror}") from error
