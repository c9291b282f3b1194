"""The surface of one label between the voxels, for measures finer than a voxel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from volumes.geometry import Grid

Points = npt.NDArray[np.float64]
Box = tuple[slice, slice, slice]

MARGIN_MM = 3.0  # around the label, and at least a voxel
FINE_MM = 0.7  # smaller voxels, as of CT, are thinned to this: they only cost time
CORE_SHARE = 0.7  # of the radius of the inscribed sphere


@dataclass(frozen=True, eq=False)
class Shape:
    """The signed distance to the surface of one label.

    Distances are interpolated instead of the mask, so that the surface of an oblique
    body does not follow the steps of thick slices: shape-based interpolation
    ([Raya and Udupa, 1990](https://doi.org/10.1109/42.52980)).

    Args:
        distances: mm from voxel centres to the surface, negative inside, shape
            (I, J, K), float32, of a box around the label.
        to_index: World mm to fractional indices of `distances`, shape (4, 4).
        voxels: World mm of the label's voxels, thinned as `distances`, shape (N, 3).
    """

    distances: npt.NDArray[np.float32]
    to_index: npt.NDArray[np.float64]
    voxels: Points

    def sample(self, points: Points) -> npt.NDArray[np.float32]:
        """Return the signed distances in mm at world mm of shape (..., 3)."""
        index = points @ self.to_index[:3, :3].T + self.to_index[:3, 3]
        index = np.moveaxis(index, -1, 0)
        values = ndimage.map_coordinates(
            self.distances, index, np.float32, order=1, mode="nearest"
        )
        return np.asarray(values, np.float32)

    def count_voxels(self, direction: Points, length: float) -> float:
        """Return the number of voxels in `length` mm along a unit vector."""
        return length * float(np.linalg.norm(self.to_index[:3, :3] @ direction))

    def inscribed_sphere(self) -> tuple[Points, float]:
        """Return the centre in world mm and the radius in mm of the largest sphere.

        The centre is the mean of the voxels deeper than `CORE_SHARE` of the radius,
        which lies in the middle of a body that is wider than high.
        """
        radius = -float(self.distances.min())
        core = np.argwhere(self.distances <= -CORE_SHARE * radius).mean(axis=0)
        to_world = np.linalg.inv(self.to_index)
        return to_world[:3, :3] @ core + to_world[:3, 3], radius


def sides_of(box: Box, grid: Grid) -> list[float]:
    """Return the sides of a box of voxels in mm."""
    return [(s.stop - s.start) * mm for s, mm in zip(box, grid.spacing, strict=True)]


def shape_of(
    label_map: npt.NDArray[np.integer], grid: Grid, value: int, box: Box
) -> Shape:
    """Measure the signed distance to the surface of one label.

    Args:
        label_map: Shape of `grid`.
        grid: If its axes are slanted, distances are approximate, but the surface
            still lies midway between voxels inside and outside.
        value: A label that at least one voxel has.
        box: Its bounding box, as `scipy.ndimage.find_objects` returns it.
    """
    thin = [max(1, int(FINE_MM / side)) for side in grid.spacing]
    mask = label_map[box][tuple(slice(None, None, step) for step in thin)] == value
    spacing = np.array(grid.spacing) * thin
    margin = np.maximum(np.ceil(MARGIN_MM / spacing), 1).astype(int)
    mask = np.pad(mask, [(int(side), int(side)) for side in margin])
    affine = grid.affine.copy()
    affine[:3, :3] *= thin
    affine[:3, 3] = grid.to_world([side.start for side in box])
    affine[:3, 3] -= affine[:3, :3] @ margin
    outside, inside = (
        np.asarray(
            ndimage.distance_transform_edt(part, sampling=spacing.tolist()), np.float32
        )
        for part in (~mask, mask)
    )
    voxels = np.argwhere(mask) @ affine[:3, :3].T + affine[:3, 3]
    return Shape(outside - inside, np.linalg.inv(affine), voxels)
