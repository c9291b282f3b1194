"""Reading and writing NIfTI files; their world is RAS+ in mm already."""

from __future__ import annotations

import gzip
import hashlib
import logging
import math
import zlib
from contextlib import AbstractContextManager, nullcontext
from io import BufferedIOBase
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.spatialimages import HeaderDataError
from nibabel.volumeutils import apply_read_scaling

from system.atomic import atomic_write
from system.errors import DataError
from system.limits import MAX_VOXELS
from volumes.formats.bounded_read import (
    SURPLUS_BYTES,
    TruncatedStreamError,
    open_hashed,
    read_up_to,
)
from volumes.formats.nrrd_header import check_is_file
from volumes.geometry import Grid
from volumes.volume import Volume

_COMPRESSION_LEVEL = 6
_SCANNER = 1  # the code of an affine in scanner coordinates
_HEADERS = {348: nib.Nifti1Header, 540: nib.Nifti2Header}
_HEADER_BYTES = max(_HEADERS)
# Largest offset of the voxels; real header extensions take some kB.
_MAX_OFFSET = 2**24
_READ_ERRORS = (
    HeaderDataError,
    OSError,
    EOFError,
    zlib.error,
    ValueError,
    OverflowError,
)
_SILENT = logging.Logger("what nibabel repairs in a header")
_SILENT.addHandler(logging.NullHandler())


def read_nifti(path: Path, max_voxels: int = MAX_VOXELS) -> Volume:
    """Read a scalar 3-D NIfTI file, with its intensity scaling applied.

    Axes of one voxel after the third are dropped.

    Raises:
        DataError: If it is not one, its data are shorter or longer than the header
            says, or the header says more than `max_voxels`.
    """
    header = _read_header(path, max_voxels)
    grid, notes = _grid(header, path)
    digest = hashlib.sha256()
    array = _read_voxels(header, path, digest).reshape(grid.shape, order="F")
    try:
        slope, intercept = header.get_slope_inter()
    except HeaderDataError as error:
        raise DataError(
            f"{path}: fields 'scl_slope' and 'scl_inter' must be finite: {error}"
        ) from error
    # An overflow shows in the voxels, which are checked for being finite.
    with np.errstate(over="ignore", invalid="ignore"):
        array = apply_read_scaling(array, slope, intercept)
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    return Volume(
        array, grid, path, notes=notes, nifti=header, checksum=digest.hexdigest()
    )


def _is_compressed(path: Path) -> bool:
    return path.name.lower().endswith(".gz")


def _decompressed(
    file: BufferedIOBase, path: Path
) -> AbstractContextManager[BufferedIOBase]:
    return gzip.open(file) if _is_compressed(path) else nullcontext(file)


def _read_header(path: Path, max_voxels: int) -> nib.Nifti1Header:
    """Read the header and check that it describes one scalar 3-D volume.

    nibabel's own loader would follow extensions of any length.
    """
    check_is_file(path)
    try:
        with path.open("rb") as file, _decompressed(file, path) as stream:
            block = stream.read(_HEADER_BYTES)
        sizes = [int.from_bytes(block[:4], order) for order in ("little", "big")]
        kind = next((_HEADERS[size] for size in sizes if size in _HEADERS), None)
        if kind is None or len(block) < kind.template_dtype.itemsize:
            raise ValueError(f"it has no header, and begins with {block[:4]!r}")
        header = kind(block[: kind.template_dtype.itemsize], check=False)
        _check_spacing(header, path)
        header.check_fix(logger=_SILENT)
        _check_scalar_volume(header, path, max_voxels)
    except _READ_ERRORS as error:
        raise DataError(f"{path}: could not be read as NIfTI: {error}") from error
    return header


def _check_spacing(header: nib.Nifti1Header, path: Path) -> None:
    """Raise if the grid depends on a spacing that nibabel would make positive."""
    spacing = header["pixdim"][1:4]
    if int(header["sform_code"]) <= 0 and not all(
        side > 0 for side in spacing.tolist()
    ):
        raise DataError(
            f"{path}: field 'pixdim' must hold three positive spacings where there is "
            f"no sform. Received: {', '.join(f'{side:g}' for side in spacing)}"
        )


def _check_scalar_volume(header: nib.Nifti1Header, path: Path, max_voxels: int) -> None:
    shape, dtype = header.get_data_shape(), header.get_data_dtype()
    if len(shape) < 3 or math.prod(shape[3:]) != 1 or dtype.kind not in "iuf":
        raise DataError(
            f"{path}: must be a scalar 3-D volume. Received: {len(shape)}-D data of "
            f"sizes {' x '.join(map(str, shape))} and type {dtype}"
        )
    if min(shape) < 1 or math.prod(shape) > max_voxels:
        raise DataError(
            f"{path}: field 'dim' must hold positive sizes and at most {max_voxels} "
            f"voxels in total (--max-voxels). Received: {shape}"
        )
    if header["magic"] != header.single_magic or header.get_data_offset() > _MAX_OFFSET:
        raise DataError(
            f"{path}: fields 'magic' and 'vox_offset' must be those of a single file "
            f"with its voxels within {_MAX_OFFSET} bytes. Received: "
            f"{header['magic'].item()!r} and {header.get_data_offset()}"
        )


def _read_voxels(
    header: nib.Nifti1Header, path: Path, digest: hashlib._Hash
) -> np.ndarray:
    """Read all voxels as they are stored, first axis fastest; hash the whole file."""
    dtype = header.get_data_dtype()
    expected = math.prod(header.get_data_shape()) * dtype.itemsize
    limit = expected + SURPLUS_BYTES
    try:
        with open_hashed(path, digest) as file, _decompressed(file, path) as stream:
            stream.seek(header.get_data_offset() or header.single_vox_offset)
            content = read_up_to(stream, limit)
    except TruncatedStreamError as error:
        raise DataError(
            f"{path}: the voxels could not be read: the gzip stream is truncated after "
            f"{error.received} bytes"
        ) from error
    except _READ_ERRORS as error:
        raise DataError(f"{path}: the voxels could not be read: {error}") from error
    if len(content) != expected:
        at_least = "at least " if len(content) == limit else ""
        raise DataError(
            f"{path}: the data must have the length given by fields 'dim' and "
            f"'datatype', {expected} bytes. Received: {at_least}{len(content)} bytes"
        )
    return np.frombuffer(content, dtype)


def _grid(header: nib.Nifti1Header, path: Path) -> tuple[Grid, tuple[str, ...]]:
    """Return the grid and a note for each assumption; cubes store the notes."""
    notes = []
    has_sform = int(header["sform_code"]) > 0
    try:
        qform = _read_qform(header, is_needed=not has_sform)
        i, j, k = map(int, header.get_data_shape()[:3])
        grid = Grid((i, j, k), np.asarray(header.get_best_affine()))
    except (ValueError, HeaderDataError) as error:
        raise DataError(
            f"{path}: fields 'sform', 'qform' and 'pixdim' must describe a grid: "
            f"{error}"
        ) from error
    if not has_sform and qform is None:
        notes.append(
            "The header gives neither sform nor qform: the first axis is taken to run "
            "to the left, the centre to be the origin."
        )
    if has_sform and qform is not None:
        notes += _compare_forms(grid, qform)
    unit = _length_unit(header)
    if unit not in ("mm", "unknown"):
        notes.append(
            f"The header gives lengths in {unit}: taken as mm, number for number."
        )
    return grid, tuple(notes)


def _read_qform(header: nib.Nifti1Header, *, is_needed: bool) -> np.ndarray | None:
    """Return the qform if it is coded; zeros for one that is invalid and not needed."""
    try:
        has_code = int(header["qform_code"]) > 0
        return np.asarray(header.get_qform()) if has_code else None
    except (ValueError, HeaderDataError):  # such as a quaternion longer than 1
        if is_needed:
            raise
        return np.zeros((4, 4))


def _compare_forms(grid: Grid, qform: np.ndarray) -> list[str]:
    """Return a note if the qform disagrees with the sform by over half a voxel."""
    try:
        other = Grid(grid.shape, qform)
    except ValueError:
        return ["The qform describes no grid: the sform is used."]
    gap = np.abs(other.corners() - grid.corners()).max()
    if gap <= 0.5 * min(grid.spacing):
        return []
    return [f"The sform and the qform lie {gap:.1f} mm apart: the sform is used."]


def _length_unit(header: nib.Nifti1Header) -> str:
    try:
        return str(header.get_xyzt_units()[0])
    except KeyError:  # a code that stands for no unit
        return "unknown"


def write_nifti(path: str | Path, array: np.ndarray, like: Volume) -> None:
    """Write a label map as NIfTI on the grid of another volume.

    If that volume was NIfTI, its sform, qform and their codes are kept.

    Args:
        path: The file, replaced if it exists; compressed if it ends in `.gz`.
        array: Label map, shape (I, J, K), uint8 or uint16.
        like: The volume that defines the grid.

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
    if _is_compressed(Path(path)):
        compressor = zlib.compressobj(
            _COMPRESSION_LEVEL, zlib.DEFLATED, zlib.MAX_WBITS | 16
        )
        content = compressor.compress(content) + compressor.flush()
    with atomic_write(path) as temporary:
        temporary.write_bytes(content)
