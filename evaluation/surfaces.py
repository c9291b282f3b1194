"""Distances between the surfaces of two masks, on grids with slanted axes as well."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import surface_distance
from scipy import ndimage
from scipy.spatial import KDTree
from surface_distance import lookup_tables

_NUM_CODES = 256  # of a corner's eight voxels, each in the mask or not


def compute_surface_distances(
    reference: npt.NDArray[np.bool_],
    prediction: npt.NDArray[np.bool_],
    steps: npt.NDArray[np.float64],
) -> dict[str, npt.NDArray[np.float64]]:
    """Compute the distances between two surfaces, neither of them empty.

    The surface points of a mask are the corners of its voxels at which other voxels
    are not in it. The distance of each to the nearest point of the other surface, and
    the area around it, are computed by the package surface-distance, which knows
    only axes at right angles. For others, the same points are mapped to mm here, and
    their areas likewise.

    Args:
        reference: Mask, shape (I, J, K).
        prediction: Mask, shape (I, J, K).
        steps: As of `volumes.geometry.Grid.steps`.

    Returns:
        "distances_gt_to_pred" and "distances_pred_to_gt" in mm, and
        "surfel_areas_gt" and "surfel_areas_pred" in mm2, as that package returns
        them: an entry for each point, distances in ascending order.
    """
    spacing = np.diag(steps)
    if np.array_equal(steps, np.diag(spacing)):
        return surface_distance.compute_surface_distances(
            reference, prediction, spacing
        )
    areas = _areas_of_codes(steps)
    points_gt, areas_gt = _surface_points(reference, steps, areas)
    points_pred, areas_pred = _surface_points(prediction, steps, areas)
    distances_gt, _ = KDTree(points_pred).query(points_gt)
    distances_pred, _ = KDTree(points_gt).query(points_pred)
    order_gt, order_pred = np.argsort(distances_gt), np.argsort(distances_pred)
    return {
        "distances_gt_to_pred": distances_gt[order_gt],
        "distances_pred_to_gt": distances_pred[order_pred],
        "surfel_areas_gt": areas_gt[order_gt],
        "surfel_areas_pred": areas_pred[order_pred],
    }


def _areas_of_codes(steps: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the area in mm2 of the surface at a corner, by its code, shape (256,).

    The table's vectors are normals of triangles in units of voxels, as long as the
    triangles' areas. The matrix of cofactors maps such a vector.
    """
    cofactors = np.linalg.det(steps) * np.linalg.inv(steps).T
    return np.array(
        [
            np.linalg.norm(np.array(normals) @ cofactors.T, axis=1).sum()
            for normals in lookup_tables._NEIGHBOUR_CODE_TO_NORMALS
        ]
    )


def _surface_points(
    mask: npt.NDArray[np.bool_],
    steps: npt.NDArray[np.float64],
    areas: npt.NDArray[np.float64],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return a mask's surface points in mm, shape (n, 3), and their areas, (n,)."""
    padded = np.pad(mask, ((0, 1),) * 3).astype(np.uint8)
    kernel = lookup_tables.ENCODE_NEIGHBOURHOOD_3D_KERNEL
    codes = np.empty(padded.shape, np.uint8)
    ndimage.correlate(padded, kernel, output=codes, mode="constant", cval=0)
    is_surface = (codes > 0) & (codes < _NUM_CODES - 1)
    return np.argwhere(is_surface) @ steps.T, areas[codes[is_surface]]
