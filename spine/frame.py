"""The frame of a vertebral body, and the lengths of rays inside it.

A frame has its origin in the middle of the body, u to the patient's right, v to the
anterior and w upwards. All lengths are mm.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from spine.shape import Points, Shape

ANTERIOR = np.array([0.0, 1.0, 0.0])
# A vertebra has an arch if it reaches further backwards than forwards by this factor.
ARCH_RATIO = 2.0
TAIL = 0.02  # share of the voxels at either end that does not count for that
FAR_RADII = 2.0  # of the inscribed sphere: tissue beyond it is mostly the arch
REACH_MM = (36.0, 30.0, 26.0)  # longest ray along u, v and w
RAY_STEP_MM = 1.0


class ShapeError(Exception):
    """A label without the shape of a vertebra; the message says in what respect."""


@dataclass(frozen=True, eq=False)
class Frame:
    """A frame of a body.

    Args:
        origin: World mm, shape (3,).
        axes: Unit vectors u, v and w as columns, shape (3, 3).
    """

    origin: Points
    axes: Points

    def to_world(self, points: npt.ArrayLike) -> Points:
        """Map mm of the frame, shape (..., 3), to world mm."""
        return np.asarray(points) @ self.axes.T + self.origin

    def to_frame(self, points: npt.ArrayLike) -> Points:
        """Map world mm, shape (..., 3), to mm of the frame."""
        return (np.asarray(points) - self.origin) @ self.axes


def axes_from(up: Points, forwards: Points) -> Points:
    """Return the axes of a frame with w along `up` and v nearest to `forwards`.

    Args:
        up: Not zero, shape (3,).
        forwards: Shape (3,). If it runs along `up`, any direction across it is v.
    """
    w = up / np.linalg.norm(up)
    v = forwards - (forwards @ w) * w
    if np.linalg.norm(v) < 1e-6 * max(1.0, float(np.linalg.norm(forwards))):
        v = np.cross(w, np.roll(w, 1) + ANTERIOR)
    v = v / np.linalg.norm(v)
    return np.stack([np.cross(v, w), v, w], axis=1)


def find_frame(shape: Shape, tangent: Points) -> tuple[Frame, bool]:
    """Find a first frame of a vertebral body, and whether it has an arch.

    The origin is the centre of the inscribed sphere and w the curve's tangent. v
    points away from the arch, which shows how the vertebra is rotated about its axis;
    a body alone does not show that, so its v is the patient's anterior.

    Args:
        shape: Of the body alone or of the whole vertebra.
        tangent: Of the spine's curve near it, upwards, shape (3,).
    """
    centre, radius = shape.inscribed_sphere()
    frame = Frame(centre, axes_from(tangent, ANTERIOR))
    across = frame.to_frame(shape.voxels)[:, :2]
    back, front = np.quantile(across[:, 1], (TAIL, 1 - TAIL))
    has_arch = bool(-back > ARCH_RATIO * max(front, 0))
    is_far = np.hypot(*across.T) > FAR_RADII * radius
    if has_arch and is_far.any():
        arch = frame.axes[:, :2] @ across[is_far].mean(axis=0)
        frame = Frame(centre, axes_from(tangent, -arch))
    return frame, has_arch


def cast_rays(
    shape: Shape, frame: Frame, starts: Points, axis: int, *, hole_mm: float = 0.0
) -> tuple[Points, Points]:
    """Measure from points inside a shape to its surface, along an axis of a frame.

    Args:
        shape: The shape.
        frame: The frame.
        starts: mm of the frame, shape (N, 3).
        axis: 0 for rays along u, 1 for v, 2 for w.
        hole_mm: Holes up to this length do not end a ray.

    Returns:
        mm backwards and forwards along the axis, each of shape (N,), at most
        `REACH_MM`; NaN for starts outside.
    """
    count = round(REACH_MM[axis] / RAY_STEP_MM)
    along = RAY_STEP_MM * np.arange(-count, count + 1)
    points = frame.to_world(starts)[:, None] + along[:, None] * frame.axes[:, axis]
    depths = -shape.sample(points)  # positive inside
    is_inside = depths > 0
    if hole_mm:
        line = np.ones((1, round(hole_mm / RAY_STEP_MM)), bool)
        is_inside |= np.asarray(ndimage.binary_closing(is_inside, line), bool)
    backwards = _first_crossing(depths[:, count::-1], is_inside[:, count::-1])
    return backwards, _first_crossing(depths[:, count:], is_inside[:, count:])


def _first_crossing(depths: npt.NDArray, is_inside: npt.NDArray[np.bool_]) -> Points:
    """Return mm to the first sample outside, interpolated; NaN if it is the first."""
    is_outside = ~is_inside
    is_outside[:, -1] = True
    last = np.maximum(is_outside.argmax(axis=1) - 1, 0)
    rows = np.arange(len(depths))
    before, after = depths[rows, last], depths[rows, last + 1]
    share = np.clip(before / np.maximum(before - after, 1e-6), 0, 1)
    return np.where(is_inside[:, 0], RAY_STEP_MM * (last + share), np.nan)
