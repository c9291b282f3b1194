"""Voxels without loss and without score, for scans of which only a part is labelled."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import ndimage

IGNORED = 255  # in place of a class; no class has this number where it is used
MARGIN = 5.0  # mm


def split_ignored(
    classes: npt.NDArray[np.uint8],
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
    """Return classes with background where they are ignored, and the mask of these.

    Args:
        classes: Classes with `IGNORED`, any shape, which both results have.
    """
    ignored = classes == IGNORED
    return np.where(ignored, np.uint8(0), classes), ignored


def find_void(
    classes: npt.NDArray[np.uint8], spacing: Sequence[float]
) -> npt.NDArray[np.bool_]:
    """Return the voxels of a reference on which predictions are not scored.

    They are the ignored voxels and the background around them, up to 5 mm away and
    nearer to them than to a labelled structure. A prediction of an ignored vertebra
    whose outline is half a voxel larger would otherwise leave a shell around it, all of
    it false positive and, in mm, a vertebra away from the reference.

    Args:
        classes: Shape (I, J, K), `IGNORED` included.
        spacing: In mm along I, J, K.

    Returns:
        Mask of shape (I, J, K); empty if no voxel is ignored.
    """
    void = classes == IGNORED
    places = ndimage.find_objects(void.view(np.uint8), 1)[0]
    if places is None:
        return void
    # What is nearer than an ignored voxel lies within twice the margin of one.
    reach = np.ceil(2 * MARGIN / np.asarray(spacing)).astype(int)
    box = tuple(
        slice(max(side.start - voxels, 0), side.stop + voxels)
        for side, voxels in zip(places, reach.tolist(), strict=True)
    )
    part, ignored = classes[box], void[box]
    distance = _distance_to(ignored, spacing)
    near = (part == 0) & (distance <= MARGIN)
    is_structure = (part > 0) & ~ignored
    if is_structure.any():
        near &= distance < _distance_to(is_structure, spacing)
    ignored |= near  # a view
    return void


def _distance_to(
    mask: npt.NDArray[np.bool_], spacing: Sequence[float]
) -> npt.NDArray[np.float64]:
    """Return the distance of each voxel to the nearest of a mask, in mm."""
    return np.asarray(ndimage.distance_transform_edt(~mask, sampling=spacing))
