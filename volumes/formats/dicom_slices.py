"""The grid of a DICOM series: slices sorted along their normal, evenly spaced.

The affine goes from the first slice's position to the last one's, so that slices
that are shifted along their own plane (a tilted gantry) give a sheared grid, exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter
from pathlib import Path

import numpy as np
import numpy.typing as npt

from system.errors import DataError
from system.limits import MAX_LENGTH, SPACING_RANGE
from volumes.formats.dicom_image import Slice
from volumes.geometry import Grid

# How far a slice may lie from its place in the grid, as a share of the gap.
POSITION_TOLERANCE = 0.01
# Directions are written with six decimals or so.
_DIRECTION_TOLERANCE = 1e-3
# Of a cosine, and of a spacing as a share: within these two slices agree.
_AGREEMENT = 1e-4
_NOTED_TILT_DEGREES = 0.1
_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0])


def arrange_slices(
    slices: Sequence[Slice], folder: Path, max_voxels: int
) -> tuple[list[Slice], Grid, list[str]]:
    """Sort the slices of a series and compute their grid.

    Args:
        slices: At least one, in any order.
        folder: What messages call the series.
        max_voxels: How many voxels they may hold together.

    Returns:
        The slices as they follow each other along axis K, the grid, and one
        sentence for each thing that a user should know.

    Raises:
        DataError: If the slices do not fill one grid: a field is missing or differs
            between them, or their positions are not evenly spaced.
    """
    for slice_ in slices:
        _check_fields(slice_)
    slices = sorted(slices, key=lambda slice_: slice_.position)  # not by file names
    _check_agreement(slices, folder)
    rows, columns = _sides(slices[0])
    if rows * columns * len(slices) > max_voxels:
        raise DataError(
            f"{folder}: the series must hold at most {max_voxels} voxels, which "
            f"--max-voxels raises. Received: {len(slices)} slices of {rows} x {columns}"
        )
    row, column, normal = _directions(slices[0])
    positions = np.array([slice_.position for slice_ in slices])
    order = np.argsort(positions @ normal, kind="stable")
    slices, positions = [slices[index] for index in order], positions[order]
    if len(slices) == 1:
        step = normal * _thickness(slices[0])
        notes = [
            "The series holds a single slice: its thickness, "
            f"{slices[0].thickness:g} mm, is taken as the spacing between slices."
        ]
    else:
        _check_one_per_position(slices, positions, folder)
        step = (positions[-1] - positions[0]) / (len(slices) - 1)
        _check_even(positions, step, normal, folder)
        notes = _tilt_notes(step, normal)
    return slices, _build_grid(slices, row, column, step, folder), notes


def _build_grid(
    slices: Sequence[Slice],
    row: npt.NDArray[np.float64],
    column: npt.NDArray[np.float64],
    step: npt.NDArray[np.float64],
    folder: Path,
) -> Grid:
    """Build the grid in RAS from vectors in LPS."""
    between_rows, between_columns = slices[0].spacing
    affine = np.eye(4)
    block = np.stack([row * between_columns, column * between_rows, step], axis=1)
    affine[:3, :3] = _LPS_TO_RAS @ block
    affine[:3, 3] = _LPS_TO_RAS @ slices[0].position
    rows, columns = _sides(slices[0])
    try:
        return Grid((columns, rows, len(slices)), affine + 0.0)  # + 0: no minus zero
    except ValueError as error:
        raise DataError(
            f"{folder}: fields 'PixelSpacing', 'ImageOrientationPatient' and "
            "'ImagePositionPatient' must describe a grid. Received: slices "
            f"{np.linalg.norm(step):.6g} mm apart, pixels of {between_rows:.6g} x "
            f"{between_columns:.6g} mm"
        ) from error


def _sides(slice_: Slice) -> tuple[int, int]:
    return slice_.image.rows, slice_.image.columns


def _check_fields(slice_: Slice) -> None:
    """Refuse a slice that lacks a place in space, or has an impossible one."""
    image = slice_.image
    if len(image.slices) != image.num_frames:
        raise DataError(
            f"{image.label}: field 'PerFrameFunctionalGroupsSequence' must give a "
            f"position for each of {image.num_frames} frames. Received: none"
        )
    for keyword, value in (
        ("Rows", image.rows),
        ("Columns", image.columns),
        ("ImagePositionPatient", slice_.position),
        ("ImageOrientationPatient", slice_.orientation),
        ("PixelSpacing", slice_.spacing),
    ):
        if not value:
            raise DataError(
                f"{image.label}: field '{keyword}' must be given. Received: none"
            )
    low, high = SPACING_RANGE
    if not low <= min(slice_.spacing) <= max(slice_.spacing) <= high:
        raise DataError(
            f"{image.label}: field 'PixelSpacing' must be {low:g} to {high:g} mm. "
            f"Received: {_shown(slice_.spacing)}"
        )
    if max(map(abs, slice_.position)) >= MAX_LENGTH:
        raise DataError(
            f"{image.label}: field 'ImagePositionPatient' must be below "
            f"{MAX_LENGTH:g} mm. Received: {_shown(slice_.position)}"
        )


def _shown(numbers: Sequence[float]) -> str:
    return ", ".join(f"{number:.6g}" for number in numbers)


def _check_agreement(slices: Sequence[Slice], folder: Path) -> None:
    """Refuse slices of another size, spacing, direction or frame of reference."""
    first = slices[0]

    def check(field: str, of: Callable[[Slice], Sequence[float]], tolerance: float):
        for slice_ in slices:
            if np.abs(np.subtract(of(slice_), of(first))).max() > tolerance:
                raise DataError(
                    f"{folder}: all slices must agree in {field}. Received: "
                    f"{_shown(of(first))} and {_shown(of(slice_))}"
                )

    check("fields 'Rows' and 'Columns'", _sides, 0)
    agreement = _AGREEMENT * min(first.spacing)
    check("field 'PixelSpacing'", attrgetter("spacing"), agreement)
    check("field 'ImageOrientationPatient'", attrgetter("orientation"), _AGREEMENT)
    if len({slice_.image.uids[1] for slice_ in slices}) > 1:
        raise DataError(
            f"{folder}: all slices must agree in field 'FrameOfReferenceUID'. "
            "Received: several, so that their positions cannot be compared"
        )


def _directions(slice_: Slice) -> tuple[npt.NDArray[np.float64], ...]:
    """Return the unit vectors of a row, a column and their normal, in LPS."""
    row, column = np.reshape(slice_.orientation, (2, 3))
    lengths = np.linalg.norm([row, column], axis=1)
    slant = abs(row @ column)
    if np.abs(lengths - 1).max() > _DIRECTION_TOLERANCE or slant > _DIRECTION_TOLERANCE:
        raise DataError(
            f"{slice_.image.label}: field 'ImageOrientationPatient' must hold two unit "
            f"vectors at right angles. Received: {_shown(slice_.orientation)}"
        )
    row, column = row / lengths[0], column / lengths[1]
    normal = np.cross(row, column)
    return row, column, normal / np.linalg.norm(normal)


def _thickness(slice_: Slice) -> float:
    """Return the thickness of the only slice of a series."""
    low, high = SPACING_RANGE
    if slice_.thickness is None or not low <= slice_.thickness <= high:
        raise DataError(
            f"{slice_.image.label}: field 'SliceThickness' must be {low:g} to "
            f"{high:g} mm where a series holds a single slice. "
            f"Received: {slice_.thickness}"
        )
    return slice_.thickness


def _check_one_per_position(
    slices: Sequence[Slice], positions: npt.NDArray[np.float64], folder: Path
) -> None:
    """Refuse several images at one position, and name what tells them apart."""
    num_images = len({slice_.image.uids[2] for slice_ in slices})
    num_files = len({slice_.image.path for slice_ in slices})
    if num_images < num_files:
        raise DataError(
            f"{folder}: every image must stand in one file (field 'SOPInstanceUID'). "
            f"Received: {num_files} files with {num_images} images. Remove the copies"
        )
    apart = np.linalg.norm(np.diff(positions, axis=0), axis=1)
    repeated = np.flatnonzero(apart < POSITION_TOLERANCE * min(slices[0].spacing))
    if not repeated.size:
        return
    keywords = {keyword for slice_ in slices for keyword in slice_.distinctions}
    differing = []
    for keyword in sorted(keywords):
        values = [slice_.distinctions.get(keyword) for slice_ in slices]
        if any(values[index] != values[index + 1] for index in repeated.tolist()):
            differing.append(f"{keyword} ({len(set(values))} values)")
    raise DataError(
        f"{folder}: a series must hold one image for each position. Received: "
        f"{len(slices)} images at {len(slices) - len(repeated)} positions, which "
        f"differ in {', '.join(differing) or 'no field known to tell them apart'}. "
        "Copy the images of one volume to a folder of their own"
    )


def _check_even(
    positions: npt.NDArray[np.float64],
    step: npt.NDArray[np.float64],
    normal: npt.NDArray[np.float64],
    folder: Path,
) -> None:
    """Refuse positions that lie beside an evenly spaced row, and say where."""
    count = len(positions)
    gaps = np.diff(positions @ normal)
    usual = np.median(gaps)
    worst = int(np.argmax(np.abs(gaps - usual)))
    limit = POSITION_TOLERANCE * usual
    if abs(gaps[worst] - usual) > limit:
        raise DataError(
            f"{folder}: the gaps between slices must be equal to within "
            f"{POSITION_TOLERANCE:.0%}. Received: {gaps[worst]:.4g} mm between slices "
            f"{worst + 1} and {worst + 2} of {count}, sorted by position, and "
            f"{usual:.4g} mm elsewhere. A slice may be missing, or be of another series"
        )
    places = positions[0] + np.arange(count)[:, None] * step
    distances = np.linalg.norm(positions - places, axis=1)
    if distances.max() > limit:
        raise DataError(
            f"{folder}: the positions of the slices must lie evenly on a straight "
            f"line, to within {POSITION_TOLERANCE:.0%} of the gap. Received: slice "
            f"{int(distances.argmax()) + 1} of {count}, sorted by position, lies "
            f"{distances.max():.4g} mm away from it, with gaps of {usual:.4g} mm"
        )


def _tilt_notes(
    step: npt.NDArray[np.float64], normal: npt.NDArray[np.float64]
) -> list[str]:
    """Return a note where slices are shifted along their own plane."""
    along = step @ normal
    tilt = np.degrees(np.arctan2(np.linalg.norm(step - along * normal), along))
    if tilt < _NOTED_TILT_DEGREES:
        return []
    return [
        f"The slices are shifted along their plane by a tilt of {tilt:.1f} degrees (of "
        "the gantry): the grid is sheared as they are, and nothing is resampled."
    ]
