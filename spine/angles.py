"""Angles between vertebrae, in the patient's sagittal and coronal planes.

Angles are in degrees: sagittal ones positive for a curve convex to the front, a
lordosis, and coronal ones for a curve convex to the patient's right. None is above
180, a half turn; severe curves have more than 90.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from spine.body import Body
from spine.shape import Points

SAGITTAL, CORONAL = 1, 0  # the world axis along which a vertebra tilts in the plane


@dataclass(frozen=True)
class CobbAngle:
    """An angle between end plates.

    Args:
        degrees: Between the upper end plate of the upper vertebra and the lower one
            of the lower vertebra.
        upper: Position of the upper vertebra, from below.
        lower: Position of the lower vertebra, from below.
    """

    degrees: float
    upper: int
    lower: int


def tilt(normal: Points, plane: int) -> float:
    """Compute the tilt of a normal from the patient's superior.

    Args:
        normal: Not zero, shape (3,).
        plane: `SAGITTAL`, positive forwards, or `CORONAL`, positive to the right.
    """
    return float(np.degrees(np.arctan2(normal[plane], normal[2])))


def _turn(lower: Points, upper: Points, plane: int) -> float:
    """Compute the turn from one normal to another, from -180 to 180 degrees."""
    return math.remainder(tilt(lower, plane) - tilt(upper, plane), 360)


def angle_between(lower: Body, upper: Body, plane: int) -> float:
    """Compute the angle between two bodies, which is that of their axes."""
    return _turn(lower.frame.axes[:, 2], upper.frame.axes[:, 2], plane)


def distance_between(lower: Body, upper: Body) -> float:
    """Compute the distance between the middles of two bodies in mm."""
    return float(np.linalg.norm(upper.frame.origin - lower.frame.origin))


def cobb_angle(lower: Body, upper: Body, plane: int) -> float:
    """Compute the angle of Cobb between two bodies.

    It is the angle between the upper end plate of the upper and the lower end plate
    of the lower one, in a plane of the patient (Cobb, 1948, "Outline for the study of
    scoliosis", AAOS Instructional Course Lectures 5).
    """
    return _turn(lower.lower.normal, upper.upper.normal, plane)


def largest_cobb_angle(bodies: Sequence[Body | None], plane: int) -> CobbAngle | None:
    """Find the largest angle of Cobb between any two bodies.

    Args:
        bodies: From below; None where one is not measured.
        plane: `SAGITTAL` or `CORONAL`.

    Returns:
        The one of the largest magnitude, with its sign; None for fewer than two.
    """
    measured = [(place, body) for place, body in enumerate(bodies) if body]
    angles = [
        CobbAngle(cobb_angle(lower, upper, plane), upper_place, lower_place)
        for (lower_place, lower), (upper_place, upper) in combinations(measured, 2)
    ]
    return max(angles, key=lambda angle: abs(angle.degrees), default=None)
