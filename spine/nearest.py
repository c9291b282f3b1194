"""The nearest voxel outside a mask, in little memory.

`scipy.ndimage.distance_transform_edt` needs some 80 bytes a voxel for distances, but 12
for the indices of the nearest voxels, from which distances follow plane by plane.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from scipy import ndimage


def find_nearest(
    mask: npt.NDArray[np.bool_],
) -> Iterator[tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]]:
    """Yield, for each plane of the first axis, the nearest voxels outside a mask.

    Args:
        mask: Shape (I, J, K); at least one voxel is outside.

    Yields:
        Indices of the nearest voxels, shape (3, J, K), and the distances to them
        between centres, in voxels, shape (J, K); 0 outside the mask.
    """
    found = ndimage.distance_transform_edt(
        mask, return_distances=False, return_indices=True
    )
    nearest = np.asarray(found)
    rows, columns = np.ogrid[: mask.shape[1], : mask.shape[2]]
    for plane in range(mask.shape[0]):
        first, second, third = nearest[:, plane]
        squares = (first - plane) ** 2 + (second - rows) ** 2 + (third - columns) ** 2
        yield nearest[:, plane], np.sqrt(squares, dtype=np.float32)
