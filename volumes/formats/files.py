"""Reading and writing volumes in the format that a file name's suffix names.

A folder is read as a DICOM series.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from system.errors import DataError
from system.limits import MAX_INTENSITY, MAX_LABEL, MAX_VOXELS
from volumes.formats.dicom import read_dicom_series
from volumes.formats.metaimage import read_metaimage, write_metaimage
from volumes.formats.nifti import read_nifti, write_nifti
from volumes.formats.nrrd import kept_fields, read_nrrd, write_nrrd
from volumes.formats.nrrd_grid import geometry_fields
from volumes.formats.nrrd_header import DEFAULT_SPACE
from volumes.formats.segments import format_segments
from volumes.geometry import Grid
from volumes.volume import Segment, Volume

# Longest first, so that `stem_of` removes the whole suffix.
SUFFIXES = (
    ".seg.nrrd",
    ".seg.nhdr",
    ".nii.gz",
    ".nrrd",
    ".nhdr",
    ".nii",
    ".mha",
    ".mhd",
)
WRITTEN_SUFFIXES = (".seg.nrrd", ".nrrd", ".nii.gz", ".nii", ".mha")
NIFTI_SUFFIXES = (".nii", ".nii.gz")
METAIMAGE_SUFFIXES = (".mha", ".mhd")
_SHOWN_VALUES = 5
# Label values that came through floating-point arithmetic are this near to integers.
LABEL_TOLERANCE = 1e-3


def suffix_of(path: str | Path) -> str:
    """Return the suffix that names a file's format, "" if it is not one of ours."""
    name = Path(path).name.lower()
    return next((suffix for suffix in SUFFIXES if name.endswith(suffix)), "")


def in_each_format(path: Path) -> list[Path]:
    """List a label map under its name in each format that is written, its own first."""
    begin = path.name.removesuffix(suffix_of(path))
    others = [path.with_name(begin + other) for other in WRITTEN_SUFFIXES]
    return list(dict.fromkeys([path, *others]))


def is_series_folder(path: str | Path) -> bool:
    """Return whether a path is a folder, which is read as a DICOM series."""
    return not suffix_of(path) and os.path.isdir(path)


def stem_of(path: str | Path) -> str:
    """Return a file's name without the suffix that names its format.

    A folder of a DICOM series has no suffix; "." has the name of the folder it means.
    """
    name = Path(path).name or Path(os.path.abspath(path)).name
    return name[: len(name) - len(suffix_of(path))]


def read_volume(path: str | Path, max_voxels: int = MAX_VOXELS) -> Volume:
    """Read a file, or the DICOM series of a folder, as a volume in RAS+ mm.

    Args:
        path: A file with one of `SUFFIXES`, or a folder.
        max_voxels: Largest number of voxels accepted.

    Raises:
        DataError: If the file is missing, of another format, not a scalar 3-D
            volume, shorter or longer than its header says, too large for the
            memory, or its header does not describe a grid; of a folder see
            `volumes.formats.dicom.read_dicom_series`.
    """
    path = Path(path)
    suffix = suffix_of(path)
    read = read_nrrd
    if is_series_folder(path):
        read = read_dicom_series
    elif suffix in NIFTI_SUFFIXES:
        read = read_nifti
    elif suffix in METAIMAGE_SUFFIXES:
        read = read_metaimage
    elif not suffix:
        raise DataError(
            f"{path}: a volume's name must end in {', '.join(SUFFIXES)}, or be that of "
            f"a folder with one DICOM series. Received: {path.name!r}"
        )
    try:
        return read(path, max_voxels)
    except MemoryError as error:
        raise DataError(f"{path}: out of memory while reading.") from error


def read_label_map(path: str | Path, max_voxels: int = MAX_VOXELS) -> Volume:
    """Read a volume whose values are labels.

    A floating-point type is accepted if all values are within 0.001 of integers, to
    which they are rounded, with a note.

    Args:
        path: As of `read_volume`.
        max_voxels: As of `read_volume`.

    Returns:
        The volume with an array of uint16.

    Raises:
        DataError: As `read_volume`, and if a value is not an integer from 0 to
            65535; names up to five such values.
    """
    volume = read_volume(path, max_voxels)
    nearest, farthest = volume.array, 0.0
    is_label = True
    if nearest.dtype.kind == "f":
        nearest = np.rint(volume.array)
        with np.errstate(invalid="ignore"):  # infinity minus itself
            off = np.abs(volume.array - nearest)
        is_label, farthest = off < LABEL_TOLERANCE, float(off.max())
    is_label &= (nearest >= 0) & (nearest <= MAX_LABEL)  # False where not a number
    if not is_label.all():
        wrong = np.unique(volume.array[~is_label])
        shown = ", ".join(f"{value:.15g}" for value in wrong[:_SHOWN_VALUES].tolist())
        if wrong.size > _SHOWN_VALUES:
            more = wrong.size - _SHOWN_VALUES
            shown += f" and {more} others; it may be a scan in place of its label map"
        raise DataError(
            f"{path}: the values of a label map must be integers from 0 to "
            f"{MAX_LABEL}. Received: {shown}"
        )
    notes = volume.notes
    if farthest:
        notes += (f"Label values up to {farthest:.2g} off an integer: rounded.",)
    return replace(volume, array=nearest.astype(np.uint16), notes=notes)


def write_label_map(
    path: str | Path,
    array: np.ndarray,
    *,
    like: Volume,
    segments: Sequence[Segment] = (),
) -> None:
    """Write a label map on the grid of the scan it belongs to.

    If the scan and the file are both NRRD, NIfTI or MetaImage, the scan's own header
    fields are kept. Equal input gives equal bytes.

    Args:
        path: The file, replaced if it exists, with one of `WRITTEN_SUFFIXES`.
            A `.seg.nrrd` stores the segments.
        array: Label map, shape (I, J, K) as `like`, integers from 0 to 65535.
        like: The scan.
        segments: Names and colours. Other labels get defaults.

    Raises:
        DataError: If the suffix is another or the file cannot be written.
        ValueError: If the shape, type or values are wrong.
    """
    suffix = suffix_of(path)
    if suffix not in WRITTEN_SUFFIXES:
        raise DataError(
            f"{path}: a label map's name must end in {', '.join(WRITTEN_SUFFIXES)}. "
            f"Received: {Path(path).name!r}"
        )
    labels = _to_smallest_type(array, like.grid)
    if suffix in NIFTI_SUFFIXES:
        write_nifti(path, labels, like)
        return
    if suffix in METAIMAGE_SUFFIXES:
        write_metaimage(path, labels, like)
        return
    is_slicer = suffix == ".seg.nrrd"
    is_nrrd = bool(like.header)
    fields = (
        kept_fields(like, for_slicer=is_slicer)
        if is_nrrd
        else geometry_fields(like.grid)
    )
    pairs = format_segments(labels, segments) if is_slicer else {}
    write_nrrd(path, labels, fields, pairs)


def _to_smallest_type(array: np.ndarray, grid: Grid) -> np.ndarray:
    """Check a label map and convert it to uint8 if its values fit, else uint16."""
    if array.shape != grid.shape:
        raise ValueError(
            "A label map must have the shape of its grid. "
            f"Received: shape={array.shape} on a grid of {grid.shape}"
        )
    largest = array.max()
    if array.dtype.kind not in "iu" or array.min() < 0 or largest > MAX_LABEL:
        raise ValueError(
            f"A label map must hold integers from 0 to {MAX_LABEL}. Received: "
            f"dtype={array.dtype}, values {array.min()} to {largest}"
        )
    return array.astype(np.uint8 if largest <= 255 else np.uint16, copy=False)


def write_image(
    path: str | Path, array: np.ndarray, grid: Grid, *, space: str = DEFAULT_SPACE
) -> None:
    """Write a volume as plain NRRD; equal input gives equal bytes.

    Args:
        path: The file, ending in `.nrrd`, replaced if it exists.
        array: Voxels, shape (I, J, K), an integer type, float32 or float64.
        grid: Position of the voxels, RAS+ in mm.
        space: The space in the file's header: left-posterior-superior,
            right-anterior-superior or left-anterior-superior.

    Raises:
        DataError: If the suffix is another or the file cannot be written.
        ValueError: If the shape, type or space is wrong.
    """
    if suffix_of(path) not in (".nrrd", ".seg.nrrd"):
        raise DataError(
            f"{path}: the name must end in .nrrd. Received: {Path(path).name!r}"
        )
    if array.shape != grid.shape:
        raise ValueError(
            "An array must have the shape of its grid. "
            f"Received: shape={array.shape} on a grid of {grid.shape}"
        )
    write_nrrd(path, array, geometry_fields(grid, space))


def read_finite_volume(path: str | Path, max_voxels: int = MAX_VOXELS) -> Volume:
    """Read a scan and check that all its values are finite and of usable size.

    Args:
        path: As of `read_volume`.
        max_voxels: As of `read_volume`.

    Raises:
        DataError: As `read_volume`, and if a voxel is NaN, infinite, or beyond
            `MAX_INTENSITY`, where mean and deviation overflow.
    """
    volume = read_volume(path, max_voxels)
    array = volume.array
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        count = np.count_nonzero(~np.isfinite(array))
        raise DataError(
            f"{path} must hold finite values. Received: {count} NaN or infinite voxels"
        )
    low, high = array.min(), array.max()
    if low < -MAX_INTENSITY or high > MAX_INTENSITY:
        raise DataError(
            f"{path} must hold values from {-MAX_INTENSITY:g} to {MAX_INTENSITY:g}. "
            f"Received: {low:g} to {high:g}"
        )
    return volume
