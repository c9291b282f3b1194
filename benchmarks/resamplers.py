"""scipy and SimpleITK, which only resample."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.operations import DEGREES, FACTOR

Calls = dict[str, Callable[[], object]]


def sitk_threads(threads: int) -> None:
    """Limit the threads of SimpleITK, which TorchIO resamples with."""
    import SimpleITK as sitk  # noqa: N813

    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(threads)


def pull_in_voxels(shape, spacing) -> tuple[np.ndarray, np.ndarray]:
    """Return the map from output to input voxels: a matrix and an offset."""
    from scipy.spatial.transform import Rotation

    turn = Rotation.from_euler("xyz", DEGREES, degrees=True).as_matrix().T / FACTOR
    matrix = turn * np.array(spacing) / np.array(spacing)[:, None]
    center = (np.array(shape) - 1) / 2
    return matrix, center - matrix @ center


def scipy_calls(image, label, spacing, threads) -> Calls:
    """scipy: affine_transform, on its only thread."""
    from scipy import ndimage

    matrix, offset = pull_in_voxels(image.shape, spacing)
    low = float(image.min())
    return {
        "affine": lambda: (
            ndimage.affine_transform(image, matrix, offset, order=1, cval=low),
            ndimage.affine_transform(label, matrix, offset, order=0),
        )
    }


def simpleitk_calls(image, label, spacing, threads) -> Calls:
    """SimpleITK: Resample, with the conversion of the arrays in both directions."""
    import SimpleITK as sitk  # noqa: N813

    sitk_threads(threads)
    matrix, offset = pull_in_voxels(image.shape, spacing)
    # SimpleITK counts the axes from the last.
    transform = sitk.AffineTransform(3)
    transform.SetMatrix(matrix[::-1, ::-1].ravel().tolist())
    transform.SetTranslation(offset[::-1].tolist())
    low = float(image.min())

    def resample(array, interpolator, outside):
        volume = sitk.GetImageFromArray(array)
        moved = sitk.Resample(volume, volume, transform, interpolator, outside)
        return sitk.GetArrayFromImage(moved)

    return {
        "affine": lambda: (
            resample(image, sitk.sitkLinear, low),
            resample(label, sitk.sitkNearestNeighbor, 0),
        )
    }
