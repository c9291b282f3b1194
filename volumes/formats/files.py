"""Reading and writing volumes by the endings of their names."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from system.errors import DataError
from system.limits import MAX_INTENSITY, MAX_LABEL, MAX_VOXELS
from volumes.formats.nifti import read_nifti, read_nifti_grid, write_nifti
from volumes.formats.nrrd import kept_fields, read_nrrd, read_nrrd_grid, write_nrrd
from volumes.formats.nrrd_grid import geometry_fields
from volumes.formats.nrrd_header import DEFAULT_SPACE, check_is_file, read_header
from volumes.formats.segments import format_segments
from volumes.geometry import Grid, canonical_axes
from volumes.volume import Segment, Volume

# Longest first, so that a stem loses the whole ending.
SUFFIXES = (".seg.nrrd", ".seg.nhdr", ".nii.gz", ".nrrd", ".nhdr", ".nii")
WRITTEN_SUFFIXES = (".seg.nrrd", ".nrrd", ".nii.gz", ".nii")
_CHUNK_BYTES = 2**20
_SHOWN_VALUES = 5


def suffix_of(path: str | Path) -> str:
    """Give the ending that tells a file's format, "" if it tells none."""
    name = Path(path).name.lower()
    return next((suffix for suffix in SUFFIXES if name.endswith(suffix)), "")


def stem_of(path: str | Path) -> str:
    """Give a file's name without the ending that tells its format."""
    name = Path(path).name
    return name[: len(name) - len(suffix_of(path))]


def read_volume(path: str | Path, max_voxels: int = MAX_VOXELS) -> Volume:
    """Read an NRRD or NIfTI file as a volume in RAS+ mm.

    Args:
        path: A file that ends in one of `SUFFIXES`.
        max_voxels: How many voxels its header may promise.

    Raises:
        DataError: If the file is missing, of another format, not a scalar 3-D
            volume, shorter or longer than its header says, too large for the
            memory, or its header describes no grid.
    """
    path = Path(path)
    read = read_nifti if _is_nifti(path) else read_nrrd
    try:
        return read(path, max_voxels)
    except MemoryError as error:
        raise DataError(f"{path} needs more memory than there is.") from error


def read_grid(path: str | Path) -> Grid:
    """Read a file's grid from its header, without the voxels."""
    path = Path(path)
    return read_nifti_grid(path) if _is_nifti(path) else read_nrrd_grid(path)


def _is_nifti(path: Path) -> bool:
    """Tell NIfTI from NRRD by the ending; refuse any other."""
    suffix = suffix_of(path)
    if not suffix:
        raise DataError(
            f"{path}: a volume's name must end in {', '.join(SUFFIXES)}. "
            f"Received: {path.name!r}"
        )
    return suffix in (".nii", ".nii.gz")


def read_label_map(path: str | Path, max_voxels: int = MAX_VOXELS) -> Volume:
    """Read a volume whose values are labels.

    Floats are fine as long as they hold whole numbers.

    Args:
        path: As of `read_volume`.
        max_voxels: As of `read_volume`.

    Returns:
        The volume with an array of uint16.

    Raises:
        DataError: If a value is not an integer from 0 to 65535, with up to five
            of those values; and whatever `read_volume` raises.
    """
    volume = read_volume(path, max_voxels)
    array = volume.array
    is_label = (array >= 0) & (array <= MAX_LABEL)  # False where not a number
    if array.dtype.kind == "f":
        is_label &= array == np.trunc(array)
    if not is_label.all():
        wrong = np.unique(array[~is_label])
        shown = ", ".join(f"{value:.15g}" for value in wrong[:_SHOWN_VALUES].tolist())
        more = f" and {wrong.size - _SHOWN_VALUES} others" * (
            wrong.size > _SHOWN_VALUES
        )
        raise DataError(
            f"{path}: the values of a label map must be integers from 0 to "
            f"{MAX_LABEL}. Received: {shown}{more}"
        )
    return Volume(
        array=array.astype(np.uint16),
        grid=volume.grid,
        path=volume.path,
        header=volume.header,
        segments=volume.segments,
        notes=volume.notes,
        nifti=volume.nifti,
    )


def write_label_map(
    path: str | Path,
    array: np.ndarray,
    *,
    like: Volume,
    segments: Sequence[Segment] = (),
) -> None:
    """Write a label map on the grid of the scan it belongs to.

    Where the scan and the file are both NRRD, or both NIfTI, the scan's own
    header fields are kept. Equal input gives equal bytes.

    Args:
        path: The file, replaced if it is there, ending in one of
            `WRITTEN_SUFFIXES`. A `.seg.nrrd` carries the segments.
        array: Label map, shape (I, J, K) as `like`, integers from 0 to 65535.
        like: The scan.
        segments: Names and colours. Labels beyond them get default ones.

    Raises:
        DataError: If the name ends otherwise or the file cannot be written.
        ValueError: If the shape, type or values are wrong.
    """
    suffix = suffix_of(path)
    if suffix not in WRITTEN_SUFFIXES:
        raise DataError(
            f"{path}: a label map's name must end in {', '.join(WRITTEN_SUFFIXES)}. "
            f"Received: {Path(path).name!r}"
        )
    labels = _narrow(array, like.grid)
    if suffix in (".nii", ".nii.gz"):
        write_nifti(path, labels, like)
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


def _narrow(array: np.ndarray, grid: Grid) -> np.ndarray:
    """Check a label map and store it in one byte a voxel if that is enough."""
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
        path: The file, ending in `.nrrd`, replaced if it is there.
        array: Voxels, shape (I, J, K), an integer type, float32 or float64.
        grid: Where they lie, RAS+ in mm.
        space: The space the file's header uses: left-posterior-superior,
            right-anterior-superior or left-anterior-superior.

    Raises:
        DataError: If the name ends otherwise or the file cannot be written.
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


def checksum(path: str | Path) -> str:
    """Give the SHA-256 of a file's bytes, in hexadecimal.

    Those of the data file follow where an NRRD header names one.

    Raises:
        DataError: If the file is none, or cannot be read.
    """
    check_is_file(Path(path))  # a device would never end
    parts = [Path(path)]
    if suffix_of(path).endswith(("nrrd", "nhdr")):
        data_path = read_header(Path(path), sys.maxsize).data_path
        parts += [data_path] * (data_path != Path(path))
    digest = hashlib.sha256()
    try:
        for part in parts:
            with open(part, "rb") as stream:
                while chunk := stream.read(_CHUNK_BYTES):
                    digest.update(chunk)
    except OSError as error:
        raise DataError(f"{path}: could not be read: {error}") from error
    return digest.hexdigest()


def content_checksum(volume: Volume) -> str:
    """Give the SHA-256 of what a scan shows, however it is stored.

    Type, byte order, packing, file format and the order and sense in which the
    axes are stored do not matter, nor where in the world the scan lies, which one
    format rounds otherwise than another; the voxels from the patient's left to
    right, posterior to anterior and inferior to superior do.
    """
    axes, signs = canonical_axes(volume.grid)
    array = volume.array.transpose(axes)
    array = array[tuple(slice(None, None, int(sign)) for sign in signs)]
    digest = hashlib.sha256(np.array(array.shape, dtype="<i8").tobytes())
    for plane in array:
        short = plane.astype("<f4")
        exact = np.array_equal(short, plane)  # so in any type that holds the values
        digest.update(((short if exact else plane.astype("<f8")) + 0.0).tobytes())
    return digest.hexdigest()


def read_finite_volume(path: str | Path, max_voxels: int = MAX_VOXELS) -> Volume:
    """Read a scan whose every voxel is a figure that can be reckoned with.

    Args:
        path: As of `read_volume`.
        max_voxels: As of `read_volume`.

    Raises:
        DataError: As `read_volume`, and if a voxel is NaN, infinite, or beyond
            `MAX_INTENSITY`, so that no mean and deviation could be measured.
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
