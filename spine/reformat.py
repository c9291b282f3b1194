"""The sagittal or coronal surface along the curve of a spine.

The surface bends with the spine to the side, or forwards and backwards, so that a
scoliosis is seen whole; seen from the side, or from the front, nothing is distorted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from spine.curve import Curve
from volumes.geometry import Grid

MARGIN_MM = 15.0  # around the label map
MAX_SIDE_MM = 1000.0  # of a picture
SAGITTAL, CORONAL = 1, 0  # the world axis that runs across the picture
DESCRIPTIONS = {SAGITTAL: ("sagittal", "x"), CORONAL: ("coronal", "y")}


@dataclass(frozen=True, eq=False)
class Surface:
    """A picture of a surface along a curve.

    Rows run downwards and columns to the patient's posterior, or to the left: as in
    `volumes.planes`, anterior is left in a sagittal picture and the right is left in
    a coronal one.

    Args:
        points: World mm of the pixels, shape (rows, columns, 3).
        plane: `SAGITTAL` or `CORONAL`.
        mm_per_pixel: Side of a pixel.
    """

    points: npt.NDArray[np.float64]
    plane: int
    mm_per_pixel: float

    def place(self, point: npt.ArrayLike) -> tuple[float, float]:
        """Return the column and the row of world mm, seen along the other axis."""
        corner, point = self.points[0, 0], np.asarray(point, np.float64)
        column = (corner[self.plane] - point[self.plane]) / self.mm_per_pixel
        return float(column), float((corner[2] - point[2]) / self.mm_per_pixel)

    def describe(self) -> str:
        """Describe where the surface lies, in world mm to the right or the anterior.

        >>> points = np.zeros((2, 1, 3))
        >>> points[1] = -7.4, 5, -1
        >>> Surface(points, SAGITTAL, 1.0).describe()
        'sagittal curve, x = -7 to 0 mm'
        >>> Surface(points, CORONAL, 1.0).describe()
        'coronal curve, y = 0 to 5 mm'
        """
        name, letter = DESCRIPTIONS[self.plane]
        depths = self.points[..., 1 - self.plane]
        low, high = round(depths.min()), round(depths.max())
        where = f"{letter} = {low}" if low == high else f"{letter} = {low} to {high}"
        return f"{name} curve, {where} mm"

    def sample(
        self, array: npt.NDArray, grid: Grid, *, order: int, outside: float = 0.0
    ) -> npt.NDArray:
        """Return the voxels of an array on the surface, shape (rows, columns).

        Args:
            array: Shape of `grid`.
            grid: Of the array.
            order: 0 for the nearest voxel, as of a label map; 1 for interpolation.
            outside: Value outside the grid.
        """
        index = np.moveaxis(grid.to_index(self.points), -1, 0)
        return np.asarray(
            ndimage.map_coordinates(
                array, index, order=order, mode="constant", cval=outside
            )
        )


def along_curve(
    curve: Curve, corners: npt.NDArray[np.float64], plane: int, mm_per_pixel: float
) -> Surface:
    """Return the surface through a curve, as high and wide as a box of world mm.

    Args:
        curve: Of the spine, upwards.
        corners: Points that the picture holds, with `MARGIN_MM`, shape (N, 3).
        plane: `SAGITTAL` or `CORONAL`.
        mm_per_pixel: Side of a pixel.
    """
    low, high = corners.min(axis=0) - MARGIN_MM, corners.max(axis=0) + MARGIN_MM
    low = np.maximum(low, high - MAX_SIDE_MM)
    across = np.arange(high[plane], low[plane], -mm_per_pixel)
    down = np.arange(high[2], low[2], -mm_per_pixel)
    other = 1 - plane
    depth = depths_at(curve, down, other)
    points = np.empty((len(down), len(across), 3))
    points[..., plane] = across
    points[..., 2] = down[:, None]
    points[..., other] = depth[:, None]
    return Surface(points, plane, mm_per_pixel)


def depths_at(
    curve: Curve, heights: npt.NDArray[np.float64], axis: int
) -> npt.NDArray[np.float64]:
    """Return where a curve is along a world axis at some heights, in mm.

    Args:
        curve: Of the spine, upwards.
        heights: World mm along the superior axis; beyond its ends, the end counts.
        axis: World axis: 0 to the right, 1 to the anterior.
    """
    order = np.argsort(curve.points[:, 2], kind="stable")
    return np.interp(heights, curve.points[order, 2], curve.points[order, axis])
