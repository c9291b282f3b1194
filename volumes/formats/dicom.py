"""Reading a folder that holds one DICOM series as a volume.

Nothing that may identify the patient leaves these readers: neither volumes nor
messages hold a name, date, UID or free text of a file, nor the name of a file.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections import Counter
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from system.errors import DataError
from system.limits import MAX_VOXELS
from volumes.formats.dicom_file import require_pydicom
from volumes.formats.dicom_image import DicomImage, Slice, read_image
from volumes.formats.dicom_pixels import read_voxels
from volumes.formats.dicom_slices import arrange_slices
from volumes.geometry import Grid
from volumes.volume import Volume

MAX_FILES = 2**15
_SHOWN_SERIES = 5
_CHUNK_BYTES = 2**20


def is_dicom_folder(path: str | Path) -> bool:
    """Return whether a path is a folder with a DICOM file in it.

    Subfolders and links are not followed.
    """
    try:
        with os.scandir(path) as entries:
            return any(
                entry.is_file(follow_symlinks=False) and _is_dicom(Path(entry.path))
                for entry in islice(entries, MAX_FILES)
            )
    except OSError:
        return False


def read_dicom_series(folder: str | Path, max_voxels: int = MAX_VOXELS) -> Volume:
    """Read the DICOM series of a folder as a volume in RAS+ mm.

    Axis I runs along the rows of the images, J along their columns, K along their
    normal. Voxels are rescaled as the files say (HU in a CT), to int16 where that
    loses nothing and else to float32; the memory needed is that and a slice.

    Args:
        folder: Holds the files of one series; its subfolders are not searched.
        max_voxels: How many voxels the series may hold.

    Raises:
        DataError: If pydicom is missing, the folder holds no series or several, or
            the series is not one volume of grey values on a regular grid.
    """
    folder = Path(folder)
    images, notes = _find_series(folder)
    slices, grid, more_notes = arrange_slices(_slices(images), folder, max_voxels)
    if images[0].modality == "CT" and any(slice_.slope is None for slice_ in slices):
        more_notes.append(
            "The CT gives no RescaleSlope: its stored values are taken as HU."
        )
    if any(image.is_lossy for image in images):
        more_notes.append("The images went through a lossy compression.")
    return Volume(
        read_voxels(slices),
        grid,
        folder,
        notes=(*notes, *more_notes),
        checksum=_checksum(images),
    )


def read_dicom_grid(folder: str | Path) -> Grid:
    """Read the grid of a folder's series from the headers, without the voxels."""
    folder = Path(folder)
    return arrange_slices(_slices(_find_series(folder)[0]), folder, MAX_VOXELS)[1]


def series_checksum(folder: str | Path) -> str:
    """Return the SHA-256 of a folder's series, in hexadecimal.

    It depends on the bytes of the files that belong to the series, and on neither
    their names nor their order.

    Raises:
        DataError: If the folder does not hold one series, or cannot be read.
    """
    return _checksum(_find_series(Path(folder))[0])


def _checksum(images: Sequence[DicomImage]) -> str:
    digests = []
    for image in images:
        digest = hashlib.sha256()
        try:
            with image.path.open("rb") as stream:
                while chunk := stream.read(_CHUNK_BYTES):
                    digest.update(chunk)
        except OSError as error:
            raise DataError(
                f"{image.label}: could not be read: {error.strerror}"
            ) from None
        digests.append(digest.digest())
    return hashlib.sha256(b"".join(sorted(digests))).hexdigest()


def _slices(images: Sequence[DicomImage]) -> list[Slice]:
    return [slice_ for image in images for slice_ in image.slices]


def _list_files(folder: Path) -> tuple[list[tuple[Path, str]], int]:
    """List the files of a folder, sorted by name, and count its subfolders.

    Hidden files are passed over.

    Returns:
        The path of each file with what messages call it, and the count.

    Raises:
        DataError: If there are too many, or one is a device or leads elsewhere.
    """
    if not os.path.isdir(folder):
        raise DataError(f"{folder}: must be a folder that exists. Received: none")
    paths, num_subfolders = [], 0
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.is_dir():
                    num_subfolders += 1
                    continue
                paths.append(Path(entry.path))
                if len(paths) > MAX_FILES:
                    raise DataError(
                        f"{folder}: must hold at most {MAX_FILES} files. Received: more"
                    )
    except OSError as error:
        raise DataError(f"{folder}: could not be listed: {error.strerror}") from error
    root = Path(os.path.realpath(folder))
    files = []
    for number, path in enumerate(sorted(paths), start=1):
        label = f"{folder} (file {number} of {len(paths)}, sorted by name)"
        target = Path(os.path.realpath(path))
        if not target.is_relative_to(root):
            raise DataError(
                f"{label}: must lie in the folder itself. Received: a link that leaves "
                "it. Copy the file"
            )
        if not os.path.exists(target) or not stat.S_ISREG(target.stat().st_mode):
            raise DataError(f"{label}: must be a regular file. Received: none")
        files.append((path, label))
    return files, num_subfolders


def _is_dicom(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            return stream.read(132)[128:] == b"DICM"
    except OSError:
        return False


def _find_series(folder: Path) -> tuple[list[DicomImage], list[str]]:
    """Read the headers of a folder's files and pick the images of its only series.

    Returns:
        The images, and a note on the files that were passed over.

    Raises:
        DataError: If there is no series that has positions, or several.
    """
    require_pydicom()
    files, num_subfolders = _list_files(folder)
    series: dict[str, list[DicomImage]] = {}
    ignored: Counter[str] = Counter()
    for path, label in files:
        image = read_image(path, label)
        if isinstance(image, str):
            ignored[image] += 1
        else:
            series.setdefault(image.uids[0], []).append(image)
    placed = {
        uid: images
        for uid, images in series.items()
        if any(slice_.position for image in images for slice_ in image.slices)
    }
    if placed:  # a screen shot beside a series is no part of a volume
        count = sum(map(len, series.values())) - sum(map(len, placed.values()))
        ignored["image without position"] += count
        series = placed
    ignored["subfolder"] += num_subfolders
    found = ", ".join(f"{what} ({count})" for what, count in ignored.items() if count)
    if not series:
        raise DataError(
            f"{folder}: must hold the images of one DICOM series, not in subfolders. "
            f"Received: no image; {found or 'no file at all'}"
        )
    if len(series) > 1:
        raise _several_series(folder, list(series.values()))
    (images,) = series.values()
    return images, [f"Ignored in the folder: {found}."] if found else []


def _several_series(folder: Path, series: list[list[DicomImage]]) -> DataError:
    """Build the error that names series by what identifies nobody."""
    names = []
    for images in sorted(series, key=lambda images: images[0].series_number or 0):
        names.append(
            f"number {images[0].series_number} ({images[0].modality}, "
            f"{len(_slices(images))} slices of {images[0].rows} x {images[0].columns})"
        )
    shown = ", ".join(names[:_SHOWN_SERIES])
    if len(names) > _SHOWN_SERIES:
        shown += f" and {len(names) - _SHOWN_SERIES} others"
    return DataError(
        f"{folder}: must hold one DICOM series. Received: {len(names)} series: "
        f"{shown}. Copy the files of one series to a folder of their own"
    )
