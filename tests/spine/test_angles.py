from dataclasses import replace

import numpy as np
import pytest
from support.vertebra_bodies import leaning

from spine.angles import (
    CORONAL,
    SAGITTAL,
    angle_between,
    cobb_angle,
    distance_between,
    largest_cobb_angle,
    tilt,
)
from spine.end_plates import Plate


def lying(degrees):
    """Return a body that leans forwards by degrees, by 90 and more as well."""
    body = leaning(0)
    normal = np.array([0, np.sin(np.radians(degrees)), np.cos(np.radians(degrees))])
    axes = np.stack([body.frame.axes[:, 0], body.frame.axes[:, 1], normal], axis=1)
    plate = Plate(body.frame.origin, normal)
    frame = replace(body.frame, axes=axes)
    return replace(body, frame=frame, upper=plate, lower=plate)


def test_tilt_is_positive_forwards_and_to_the_right():
    # Slopes of 1 and of 1 / sqrt(3).
    assert tilt(np.array([0, 1, 1]), SAGITTAL) == pytest.approx(45)
    assert tilt(np.array([-1, 9, np.sqrt(3)]), CORONAL) == pytest.approx(-30)


def test_lordosis_and_a_curve_convex_to_the_right_are_positive():
    below, above = leaning(20, 7), leaning(-10, -5)

    assert angle_between(below, above, SAGITTAL) == pytest.approx(30)
    assert angle_between(below, above, CORONAL) == pytest.approx(12)


def test_cobb_angle_includes_the_wedge_of_both_ends():
    # The lower plate of the lower leans 20 + 3, the upper one of the upper -10 - 2.
    below, above = leaning(20, wedge=6), leaning(-10, wedge=4)

    assert cobb_angle(below, above, SAGITTAL) == pytest.approx(35)


@pytest.mark.parametrize(
    ("below", "above", "degrees"),
    [(110, -40, 150), (110, -110, -140), (-123.44, 123.44, 113.12), (90, -90, 180)],
)
def test_no_angle_is_above_a_half_turn(below, above, degrees):
    # The other way round, 220 degrees are 140 and 246.88 are 113.12.
    lower, upper = lying(below), lying(above)

    assert angle_between(lower, upper, SAGITTAL) == pytest.approx(degrees)
    assert cobb_angle(lower, upper, SAGITTAL) == pytest.approx(degrees)


def test_distance_is_that_of_the_middles():
    below, above = leaning(0, origin=(1, 2, 3)), leaning(0, origin=(4, 6, 15))

    assert distance_between(below, above) == pytest.approx(13)


def test_largest_cobb_angle_skips_what_is_not_measured():
    bodies = [leaning(5, 2), None, leaning(-20, 12), leaning(10, -25)]

    sagittal = largest_cobb_angle(bodies, SAGITTAL)
    assert (sagittal.upper, sagittal.lower) == (3, 2)
    assert sagittal.degrees == pytest.approx(-30)
    coronal = largest_cobb_angle(bodies, CORONAL)
    assert (coronal.upper, coronal.lower) == (3, 2)
    assert coronal.degrees == pytest.approx(37)
    assert largest_cobb_angle(bodies[:2], CORONAL) is None
    assert largest_cobb_angle([], CORONAL) is None
