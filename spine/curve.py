"""The curve of a spine: a smooth line through the centres of its vertebrae."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.interpolate import splev, splprep
from scipy.spatial import KDTree

STEP_MM = 1.0  # between the points of a curve
SMOOTHING_MM = 1.0  # root mean square distance that the centres may have from it


@dataclass(frozen=True, eq=False)
class Curve:
    """Points on a line that runs upwards.

    Args:
        points: World mm, about `STEP_MM` apart, shape (N, 3).
        tangents: Unit vectors, upwards, shape (N, 3).
        beyond: How far each point lies beyond the first or the last centre, in mm,
            shape (N,); 0 between them.
    """

    points: npt.NDArray[np.float64]
    tangents: npt.NDArray[np.float64]
    beyond: npt.NDArray[np.float64]

    @cached_property
    def frames(self) -> npt.NDArray[np.float64]:
        """Unit vectors to the right, anterior and upwards as rows, shape (N, 3, 3)."""
        up = self.tangents
        anterior = np.array([0.0, 1.0, 0.0]) - up * up[:, 1:2]
        anterior /= np.linalg.norm(anterior, axis=1, keepdims=True)
        right = np.cross(anterior, up).astype(np.float64)
        return np.stack([right, anterior, up], axis=1)

    def nearest(
        self, positions: npt.NDArray[np.float64], within_mm: float
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        """Return the index of the nearest point, and whether one is within reach.

        Args:
            positions: World mm, shape (M, 3).
            within_mm: Distance up to which is searched.
        """
        distances, nearest = KDTree(self.points).query(
            positions, distance_upper_bound=within_mm
        )
        is_near = np.isfinite(distances)
        return np.where(is_near, nearest, 0), is_near

    def offsets(
        self, positions: npt.NDArray[np.float64], within_mm: float
    ) -> npt.NDArray[np.float64]:
        """Return the offset of positions from the nearest points of the curve.

        Args:
            positions: World mm, shape (M, 3).
            within_mm: Distance up to which is searched.

        Returns:
            Offset to the right and to the anterior, at right angles to the curve,
            and along it, in mm, shape (M, 3); infinite where no point is near.
        """
        nearest, is_near = self.nearest(positions, within_mm)
        steps = positions - self.points[nearest]
        offsets = np.einsum("nab,nb->na", self.frames[nearest], steps)
        offsets[~is_near] = np.inf
        return offsets


def fit_curve(centers: npt.NDArray[np.float64], extension_mm: float) -> Curve:
    """Fit a smoothing spline through centres, extended by straight lines.

    Args:
        centers: World mm, from below, shape (N, 3), two at least.
        extension_mm: Length of the line beyond either end.
    """
    chords = np.linalg.norm(np.diff(centers, axis=0), axis=1)
    places = np.concatenate([[0.0], np.cumsum(chords)])
    degree = min(3, len(centers) - 1)
    spline, _ = splprep(centers.T, u=places, k=degree, s=len(centers) * SMOOTHING_MM**2)
    inner = np.linspace(0, places[-1], max(2, round(places[-1] / STEP_MM)))
    points = np.stack(splev(inner, spline), axis=1)
    tangents = np.stack(splev(inner, spline, der=1), axis=1)
    tangents /= np.linalg.norm(tangents, axis=1, keepdims=True)
    beyond = np.arange(STEP_MM, extension_mm, STEP_MM)
    below = points[0] - beyond[::-1, None] * tangents[0]
    above = points[-1] + beyond[:, None] * tangents[-1]
    count = len(beyond)
    return Curve(
        np.concatenate([below, points, above]),
        np.repeat(tangents, [count + 1, *[1] * (len(points) - 2), count + 1], axis=0),
        np.concatenate([beyond[::-1], np.zeros(len(points)), beyond]),
    )
