"""The intensities that pictures draw black and white."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from volumes.planes import find_box

AROUND_MM = 15.0


def find_window(image: npt.NDArray) -> tuple[float, float]:
    """Choose the intensities of a volume that are drawn black and white.

    They are the 1st and the 98.5th percentile of the finite voxels, at most 128
    along an axis; (0, 0) if none is finite. In MR, subcutaneous fat may saturate,
    so that vertebrae are not dark.

    Args:
        image: Intensities, shape (I, J, K), any unit.
    """
    steps = tuple(slice(None, None, -(-side // 128) or 1) for side in image.shape)
    values = image[steps].astype(np.float32)
    values = values[np.isfinite(values)]
    if not values.size:
        return 0.0, 0.0
    low, high = np.percentile(values, (1, 98.5))
    return float(low), float(high)


def find_window_around(
    image: npt.NDArray, labels: npt.NDArray, spacing: Sequence[float]
) -> tuple[float, float]:
    """Choose the window of the voxels around the labels; see `find_window`.

    The fat under the skin, next to the coil, may be ten times as bright as vertebrae.

    Args:
        image: Intensities, shape (I, J, K), any unit.
        labels: Of the same shape, 0 is background; without labels, all voxels count.
        spacing: Voxel spacing in mm along I, J, K.
    """
    return find_window(image[find_box(labels.shape, spacing, [labels], AROUND_MM)])
