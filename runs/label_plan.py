"""Which scans are labelled, and the names of the files written for each."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from runs.vertebra_plan import VertebraFiles
from system.atomic import require_folder
from system.errors import DataError, UsageError
from system.text import file_names
from volumes.formats.dicom import is_dicom_folder
from volumes.formats.files import (
    SUFFIXES,
    in_each_format,
    is_series_folder,
    suffix_of,
)
from volumes.scan_names import name_of

TABLE_NAME = "labels.csv"
MAX_SHOWN = 5
SEGMENTATIONS = (".seg.nrrd", ".seg.nhdr")


@dataclass(frozen=True)
class Outputs:
    """The files that are written for one scan.

    Args:
        folder: In which they lie.
        name: With which their names begin.
        suffix: Of the label map.
        force: Whether what goes with an earlier label map is removed.
    """

    folder: Path
    name: str
    suffix: str
    force: bool = False

    @property
    def label_map(self) -> Path:
        """The label map."""
        return self.folder / f"{self.name}_label{self.suffix}"

    @property
    def label_maps(self) -> list[Path]:
        """The label map in each format: an earlier call may have had another one."""
        return in_each_format(self.label_map)

    @property
    def replaced(self) -> list[Path]:
        """The label maps that this one replaces with force, itself among them."""
        return self.label_maps if self.force else []

    @property
    def picture(self) -> Path:
        """The prediction drawn over the scan."""
        return self.folder / f"{self.name}_overlay.png"

    @property
    def vertebrae(self) -> VertebraFiles:
        """The files of --vertebrae."""
        return VertebraFiles.named(self.name, self.folder, self.suffix)

    def probabilities(self, class_names: Sequence[str]) -> list[Path]:
        """List the probability maps, one per foreground class."""
        words = file_names(class_names[1:]).values()
        return [self.folder / f"{self.name}_probability_{word}.nrrd" for word in words]

    def existing(self) -> list[Path]:
        """List those of the files that exist, without those of --vertebrae."""
        found = [path for path in (*self.label_maps, self.picture) if path.exists()]
        if self.folder.is_dir():
            found += [path for path in self.folder.iterdir() if self._is_map(path)]
        return found

    def _is_map(self, path: Path) -> bool:
        """Return whether a file is a probability map, not of another scan's labels."""
        begin, name = f"{self.name}_probability_", path.name
        ends = ("_label.nrrd", "_vertebrae.nrrd")
        is_label_map = name.removeprefix(begin).endswith(ends)
        is_nrrd = suffix_of(path) == ".nrrd"  # and not .seg.nrrd
        return name.startswith(begin) and is_nrrd and not is_label_map


def find_scans(paths: Sequence[Path], output: Path) -> list[Path]:
    """List the scans that paths stand for.

    A folder with a DICOM file in it is one scan. Any other folder stands for the
    scans in it, sorted by name: its files whose suffix names a format, without
    segmentations of 3D Slicer, and its subfolders with DICOM files. Hidden files and
    deeper folders are passed over.

    Args:
        paths: Files and folders; a file need not exist.
        output: The folder for label maps, which holds no scans.

    Raises:
        DataError: If a folder holds no scan or cannot be listed.
        UsageError: If the label maps would be written among a folder's scans.
    """
    scans = []
    for path in paths:
        if not is_series_folder(path) or is_dicom_folder(path):
            scans.append(path)
            continue
        if os.path.realpath(path) == os.path.realpath(output):
            raise UsageError(
                "--output must be another folder than that of the scans. Received as "
                f"both: {path}"
            )
        found = _scans_in(path)
        if not found:
            raise DataError(
                f"{path}: must hold scans, files that end in {', '.join(SUFFIXES)}, or "
                "the DICOM files of one. Received: a folder without"
            )
        scans += found
    return scans


def check_present(scans: Sequence[Path]) -> None:
    """Raise a DataError if none of the scans exists; one that does is labelled."""
    if not any(map(os.path.exists, scans)):
        shown = ", ".join(map(str, scans[:MAX_SHOWN]))
        more = f" and {len(scans) - MAX_SHOWN} more" if len(scans) > MAX_SHOWN else ""
        raise DataError(f"{shown}{more}: no such scan.")


def _scans_in(folder: Path) -> list[Path]:
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise DataError(f"{folder}: could not be listed: {error.strerror}") from error
    return [
        path
        for path in entries
        if not path.name.startswith(".")
        and (
            suffix_of(path) not in ("", *SEGMENTATIONS)
            if not path.is_dir()
            else is_dicom_folder(path)
        )
    ]


def plan_outputs(
    scans: Sequence[Path], folder: Path, kind: str, *, force: bool
) -> dict[Path, Outputs]:
    """Choose the files that are written for each scan, before any is predicted.

    Args:
        scans: Files, or folders of DICOM series, to label.
        folder: For the label maps.
        kind: "seg.nrrd", or "input" for each scan's own format; of a DICOM series,
            "seg.nrrd" all the same.
        force: Whether existing files may be replaced.

    Raises:
        UsageError: If two label maps would have the same name, a file exists already
            or would replace a scan, or the folder is not writable.
    """
    require_folder(folder)
    plan: dict[Path, Outputs] = {}
    for scan in scans:
        suffix = ".seg.nrrd"
        if kind == "input" and not is_series_folder(scan):
            suffix = suffix_of(scan).replace(".nhdr", ".nrrd").replace(".mhd", ".mha")
        plan[scan] = Outputs(folder, name_of(scan), suffix, force)
    names = [each.name for each in plan.values()]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated or len(plan) < len(scans):
        raise UsageError(
            "Scans must be given once each and differ in their names or their "
            "folders' names, or be labelled into several --output folders. Received "
            f"twice: {', '.join(repeated) or 'a scan'}"
        )
    _check_existing(plan, force=force)
    return plan


def _check_existing(plan: Mapping[Path, Outputs], *, force: bool) -> None:
    """Raise a UsageError if a scan, or without --force a file, would be replaced."""
    existing = [path for each in plan.values() for path in each.existing()]
    written = [each.label_map for each in plan.values()]
    if force:  # all files of an earlier call are removed
        written += existing
        written += [path for each in plan.values() for path in each.vertebrae.paths()]
    sources = {scan.resolve() for scan in plan}
    replaced = [str(path) for path in written if path.resolve() in sources]
    if replaced:
        raise UsageError(
            "A label map must not replace a scan. Received as both: "
            f"{', '.join(dict.fromkeys(replaced))}"
        )
    if existing and not force:
        raise UsageError(
            "Label maps must not exist yet; --force replaces them. Received: "
            f"{', '.join(map(str, existing))}"
        )
