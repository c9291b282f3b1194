"""The voxels of a DICOM series, read and rescaled one slice at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from system.errors import DataError
from system.limits import MAX_INTENSITY
from volumes.formats.dicom_format import PixelFormat, check_pixel_format
from volumes.formats.dicom_frames import read_frames
from volumes.formats.dicom_image import DicomImage, Slice

_INT16 = np.iinfo(np.int16)


def read_voxels(slices: Sequence[Slice]) -> np.ndarray:
    """Decode and rescale slices that share a size.

    Args:
        slices: As they follow each other along axis K.

    Returns:
        Voxels, shape (I, J, K): int16 if every slope and intercept is an integer and
        all values fit, else float32.

    Raises:
        DataError: If a file's fields or pixel data are not what can be read.
    """
    formats = {slice_.image: check_pixel_format(slice_.image) for slice_ in slices}
    if len({(slice_.slope is None, slice_.intercept is None) for slice_ in slices}) > 1:
        raise DataError(
            f"{slices[0].image.label}: fields 'RescaleSlope' and 'RescaleIntercept' "
            "must be given by all slices or by none. Received: by some"
        )
    rows, columns = formats[slices[0].image].shape
    dtype = _result_type(slices, formats)
    array = np.empty((columns, rows, len(slices)), dtype, order="F")
    for index, plane in _planes(slices, formats):
        array[:, :, index] = _rescaled(plane, slices[index], dtype).T
    return array


def _rescaled(plane: npt.NDArray, slice_: Slice, dtype: np.dtype) -> npt.NDArray:
    """Compute the values of a slice in 64 bits, in which no step can overflow."""
    wide = np.int64 if dtype == np.int16 else np.float64
    slope, intercept = _rescaling(slice_)
    values = plane.astype(wide)
    values *= wide(slope)
    values += wide(intercept)
    return values


def _rescaling(slice_: Slice) -> tuple[float, float]:
    """Return slope and intercept; 1 and 0 where the file gives none."""
    slope = 1.0 if slice_.slope is None else slice_.slope
    intercept = 0.0 if slice_.intercept is None else slice_.intercept
    if slope == 0 or max(abs(slope), abs(intercept)) > MAX_INTENSITY:
        raise DataError(
            f"{slice_.image.label}: fields 'RescaleSlope' and 'RescaleIntercept' must "
            f"be at most {MAX_INTENSITY:g}, and the slope not 0. "
            f"Received: {slope:g} and {intercept:g}"
        )
    return slope, intercept


def _result_type(
    slices: Sequence[Slice], formats: dict[DicomImage, PixelFormat]
) -> np.dtype:
    """Find the type that holds all rescaled values.

    Where the number of bits leaves it open, the voxels are read to see.
    """

    def fits(slice_: Slice, stored: tuple[int, int]) -> bool:
        slope, intercept = map(int, _rescaling(slice_))
        ends = [value * slope + intercept for value in stored]
        return _INT16.min <= min(ends) and max(ends) <= _INT16.max

    rescalings = [_rescaling(slice_) for slice_ in slices]
    if not all(number.is_integer() for pair in rescalings for number in pair):
        return np.dtype(np.float32)
    if all(fits(slice_, formats[slice_.image].value_range) for slice_ in slices):
        return np.dtype(np.int16)
    for index, plane in _planes(slices, formats):
        if not fits(slices[index], (int(plane.min()), int(plane.max()))):
            return np.dtype(np.float32)
    return np.dtype(np.int16)


def _planes(
    slices: Sequence[Slice], formats: dict[DicomImage, PixelFormat]
) -> Iterator[tuple[int, npt.NDArray]]:
    """Yield each slice's index and stored values, file by file."""
    places: dict[DicomImage, dict[int, int]] = {}
    for index, slice_ in enumerate(slices):
        places.setdefault(slice_.image, {})[slice_.frame] = index
    for image, indices in places.items():
        for frame, plane in enumerate(read_frames(image, formats[image])):
            yield indices[frame], plane
