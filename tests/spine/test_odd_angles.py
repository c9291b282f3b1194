from dataclasses import replace

import pytest
from support.vertebra_bodies import leaning

from spine.odd_angles import find_odd_angles

RARE = ", which is rare: an end plate may be wrong"


@pytest.mark.parametrize(
    ("wedge", "odd"),
    [
        (-26, [(1, f"has a coronal wedge of -26 degrees{RARE}")]),
        (24, []),
    ],
)
def test_a_coronal_wedge_above_25_degrees_is_odd(wedge, odd):
    bodies = [leaning(0), replace(leaning(0), wedge_coronal=wedge), None]

    assert find_odd_angles(bodies, ["L5", "L4", "L3"]) == odd


def test_a_step_above_45_degrees_is_odd_between_neighbours_alone():
    leans = [(20, 0), (-27, 0), (-27, 20), (-27, -24)]
    bodies = [leaning(*lean) for lean in leans]

    odd = find_odd_angles(
        [*bodies, None, leaning(30)], ["L5", "L4", "L3", "L2", "", "L1"]
    )

    assert odd == [(0, f"has a sagittal angle of 47 degrees to L4{RARE}")]


@pytest.mark.parametrize("lean", [59, 61])
def test_a_cobb_angle_above_120_degrees_is_odd_at_its_upper_end(lean):
    bodies = [leaning(0, side) for side in (lean, 20, -20, -lean)]

    odd = find_odd_angles(bodies, ["L2", "L1", "T12", "T11"])

    text = f"has a coronal Cobb angle of {2 * lean} degrees to L2{RARE}"
    assert odd == ([(3, text)] if lean > 60 else [])
