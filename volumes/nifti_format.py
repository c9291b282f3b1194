"""Reading and writing NIfTI files; their world is RAS+ in mm already."""

from __future__ import annotations

import math
import zlib
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError

from volumes.atomic import replacing
from volumes.errors import DataError
from volumes.geometry import Grid
from volumes.nrrd_header import MAX_VOXELS, check_is_file
from volumes.volume import Volume

_COMPRESSION_LEVEL = 6
_SCANNER = 1  # the code of an affine in scanner coordinates
_UNREADABLE = (
    *(ImageFileError, HeaderDataError, OSError, EOFError, zlib.error),
    *(ValueError, OverflowError),
)


def read_nifti(path: Path) -> Volume:
    """Read a scalar 3-D NIfTI file, scaled as its header says.

    Axes of one voxel after the third are dropped.

    Raises:
        DataError: If it is not one, or is cut off.
    """
    image = _load(path)
    grid, notes = _grid(image, path)
    try:
        array = np.asanyarray(image.dataobj).reshape(grid.shape, order="F")
    except _UNREADABLE as error:
        raise DataError(f"{path}: the voxels could not be read: {error}") from error
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    return Volume(array, grid, path, notes=notes, nifti=image.header.copy())


def read_nifti_grid(path: Path) -> Grid:
    """Read the grid alone, from the header."""
    return _grid(_load(path), path)[0]


def _load(path: Path) -> nib.Nifti1Image:
    """Open a file and check that it holds one scalar 3-D volume."""
    check_is_file(path)
    try:
        image = nib.load(path, mmap=False)
        kind = image.get_data_dtype().kind
        shape = image.shape
    except _UNREADABLE as error:
        raise DataError(f"{path}: could not be read as NIfTI: {error}") from error
    if not isinstance(image, nib.Nifti1Image):
        raise DataError(f"{path}: must be NIfTI. Received: {type(image).__name__}")
    if len(shape) < 3 or math.prod(shape[3:]) != 1 or kind not in "iuf":
        raise DataError(
            f"{path}: must be a scalar 3-D volume. Received: {len(shape)}-D data of "
            f"sizes {' x '.join(map(str, shape))} and type {image.get_data_dtype()}"
        )
    if min(shape) < 1 or math.prod(shape) > MAX_VOXELS:
        raise DataError(
            f"{path}: field 'dim' must be positive and at most {MAX_VOXELS} voxels "
            f"together. Received: {shape}"
        )
    return image


def _grid(image: nib.Nifti1Image, path: Path) -> tuple[Grid, tuple[str, ...]]:
    """Give the grid, and say in sentences what had to be assumed."""
    header = image.header
    notes = []
    has_sform = header["sform_code"] > 0
    try:
        qform, has_qform = header.get_qform(coded=True)
        grid = Grid(image.shape[:3], image.affine)
    except (ValueError, HeaderDataError) as error:
        raise DataError(
            f"{path}: fields 'sform', 'qform' and 'pixdim' must describe a grid: "
            f"{error}"
        ) from error
    if not has_sform and not has_qform:
        notes.append(
            "The header gives neither sform nor qform: the first axis is taken to run "
            "to the left, the centre to be the origin."
        )
    if has_sform and has_qform:
        gap = np.abs(Grid(grid.shape, qform).corners() - grid.corners()).max()
        if gap > 0.5 * min(grid.spacing):
            notes.append(
                f"The sform and the qform lie {gap:.1f} mm apart: the sform is used."
            )
    unit = _length_unit(header)
    if unit not in ("mm", "unknown"):
        notes.append(
            f"The header gives lengths in {unit}: taken as mm, number for number."
        )
    return grid, tuple(notes)


def _length_unit(header: nib.Nifti1Header) -> str:
    try:
        return header.get_xyzt_units()[0]
    except KeyError:  # a number that stands for no unit
        return "unknown"


def write_nifti(path: str | Path, array: np.ndarray, like: Volume) -> None:
    """Write a label map as NIfTI on the grid of another volume.

    If that volume was NIfTI, its sform, qform and their codes are kept.

    Args:
        path: The file, replaced if it is there; packed if it ends in `.gz`.
        array: Label map, shape (I, J, K), uint8 or uint16.
        like: The volume whose grid it takes.

    Raises:
        DataError: If the file cannot be written.
    """
    if like.nifti is None:
        image = nib.Nifti1Image(array, like.grid.affine)
        image.set_sform(like.grid.affine, code=_SCANNER)
        image.set_qform(like.grid.affine, code=_SCANNER)
        image.header.set_xyzt_units("mm")
    else:
        header = like.nifti.copy()
        header.extensions.clear()
        header.set_data_dtype(array.dtype)
        header["cal_min"] = header["cal_max"] = 0
        is_second = isinstance(header, nib.Nifti2Header)
        kind = nib.Nifti2Image if is_second else nib.Nifti1Image
        image = kind(array, None, header)
    content = image.to_bytes()
    if Path(path).name.lower().endswith(".gz"):
        packer = zlib.compressobj(
            _COMPRESSION_LEVEL, zlib.DEFLATED, zlib.MAX_WBITS | 16
        )
        content = packer.compress(content) + packer.flush()
    with replacing(path) as temporary:
        temporary.write_bytes(content)
