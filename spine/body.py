"""The body of one vertebra: its walls, heights and wedge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spine.end_plates import LONGEST_HOLE_MM, Plate, find_plates
from spine.frame import Frame, ShapeError, axes_from, cast_rays, find_frame
from spine.shape import Points, Shape

# Distance between the columns through a body in each round: the frame follows the end
# plates, and the end plates are measured along the frame.
ROUNDS_MM = (2.0, 2.0, 1.0)
STRIP_MM = 4.0  # half the width of the strip in the middle
BAND_MM = 3.0  # half the height of the band at mid-height
WINDOW_MM = 2.0  # half the depth of the windows in which heights are measured
HEIGHT_SHARES = (0.85, 0.5, 0.15)  # of the depth from the back: anterior first
# Below these sides, along u, v and w, or thinner than this in voxels, it is no body.
MIN_SIDES_MM = (6.0, 6.0, 3.0)
MIN_VOXELS = 1.5


@dataclass(frozen=True, eq=False)
class Body:
    """The measures of a vertebral body, in mm and degrees.

    Args:
        frame: Its w is the mean normal of the end plates.
        has_arch: Whether the label includes the posterior parts.
        width: Left to right at mid-height.
        depth: Back to front at mid-height.
        heights: Anterior, middle and posterior, in the mid-sagittal strip.
        wedge_sagittal: Angle between the end plates in the plane of v and w, positive
            if the body is higher in front.
        wedge_coronal: The same in the plane of u and w, positive if it is higher on
            the right.
        upper: The upper end plate.
        lower: The lower end plate.
    """

    frame: Frame
    has_arch: bool
    width: float
    depth: float
    heights: tuple[float, float, float]
    wedge_sagittal: float
    wedge_coronal: float
    upper: Plate
    lower: Plate

    def contains(self, points: Points, margin: float) -> npt.NDArray[np.bool_]:
        """Return which world mm, shape (N, 3), lie within `margin` mm of its box."""
        half = np.array([self.width, self.depth, max(self.heights)]) / 2 + margin
        return np.all(np.abs(self.frame.to_frame(points)) <= half, axis=1)


def measure_body(shape: Shape, tangent: Points) -> Body:
    """Measure a vertebral body.

    Args:
        shape: Of the body alone or of the whole vertebra.
        tangent: Of the spine's curve near it, upwards, shape (3,).

    Raises:
        ShapeError: If it has not the shape of a vertebra.
    """
    frame, has_arch = find_frame(shape, tangent)
    for lattice in ROUNDS_MM:
        frame, width, depth = _centre(shape, frame)
        upper, lower = find_plates(
            shape, frame, width, depth, has_arch=has_arch, lattice_mm=lattice
        )
        axes = axes_from(upper.normal + lower.normal, frame.axes[:, 1])
        frame = Frame((upper.point + lower.point) / 2, axes)
    heights = _measure_heights(shape, frame, depth)
    _check_sides(shape, frame, (width, depth, heights[1]))
    normals = np.stack([upper.normal, lower.normal]) @ frame.axes
    slopes = np.degrees(np.arctan2(-normals[:, :2], normals[:, 2:]))
    coronal, sagittal = (slopes[0] - slopes[1]).tolist()
    return Body(frame, has_arch, width, depth, heights, sagittal, coronal, upper, lower)


def _centre(shape: Shape, frame: Frame) -> tuple[Frame, float, float]:
    """Move a frame to the middle between the walls; return width and depth too.

    Walls are medians over the middle strip at mid-height. The posterior wall is the
    first gap: behind it lies the canal.
    """
    strip = np.arange(-STRIP_MM, STRIP_MM + 0.5)
    band = np.arange(-BAND_MM, BAND_MM + 0.5)
    middle, sides = np.zeros(3), []
    for axis, starts in ((0, _box([0.0], strip, band)), (1, _box(strip, [0.0], band))):
        backwards, forwards = cast_rays(shape, frame, starts, axis)
        if np.isnan(forwards).all():
            raise ShapeError("its middle is hollow")
        first, last = -np.nanmedian(backwards), np.nanmedian(forwards)
        middle[axis] = (first + last) / 2
        sides.append(float(last - first))
    return Frame(frame.to_world(middle), frame.axes), sides[0], sides[1]


def _measure_heights(
    shape: Shape, frame: Frame, depth: float
) -> tuple[float, float, float]:
    """Return the anterior, middle and posterior height.

    Each is the median in a window of the mid-sagittal strip, at 85, 50 and 15 % of
    the depth, as in [Genant et al., 1993](https://doi.org/10.1002/jbmr.5650080915).
    """
    strip = np.arange(-STRIP_MM, STRIP_MM + 0.5)
    window = np.arange(-WINDOW_MM, WINDOW_MM + 0.5)
    heights = []
    for share in HEIGHT_SHARES:
        starts = _box(strip, (share - 0.5) * depth + window, [0.0])
        below, above = cast_rays(shape, frame, starts, 2, hole_mm=LONGEST_HOLE_MM)
        if np.isnan(above).all():
            raise ShapeError("it has no height at its front or back")
        heights.append(float(np.nanmedian(below + above)))
    anterior, middle, posterior = heights
    return anterior, middle, posterior


def _check_sides(shape: Shape, frame: Frame, sides: Sequence[float]) -> None:
    """Raise if a body is smaller than any vertebra's, or about one voxel thin."""
    for side, least, direction in zip(sides, MIN_SIDES_MM, frame.axes.T, strict=True):
        if side < least or shape.count_voxels(direction, side) < MIN_VOXELS:
            raise ShapeError("it is too thin")


def _box(u: npt.ArrayLike, v: npt.ArrayLike, w: npt.ArrayLike) -> Points:
    """Return all points with these coordinates, shape (N, 3)."""
    return np.stack(np.meshgrid(u, v, w, indexing="ij"), axis=-1).reshape(-1, 3)
