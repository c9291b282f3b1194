import numpy as np
import pytest
from nibabel.affines import apply_affine
from scipy import ndimage

from phantom.anatomy import L5, Part, body_shape, rod, tilted_frame, with_origin


def centres(phantom):
    """World mm of the middle of each label, the lowest value first."""
    values = np.unique(phantom.label_map)[1:]
    index = ndimage.center_of_mass(phantom.label_map > 0, phantom.label_map, values)
    return apply_affine(phantom.grid.affine, np.array(index))


def test_vertebrae_follow_one_another_down_the_patient(phantom):
    steps = np.diff(centres(phantom)[:, 2])

    # A body and a disc, leaning by some 25 degrees at most: 23 to 42 mm apart.
    assert (steps < -20).all()
    assert (steps > -45).all()


def test_each_vertebra_is_one_piece_with_body_and_arch(phantom):
    touching = np.ones((3, 3, 3))
    for value in np.unique(phantom.label_map)[1:]:
        pieces, _ = ndimage.label(phantom.label_map == value, touching)
        sizes = np.bincount(pieces.ravel())[1:]
        points = apply_affine(phantom.grid.affine, np.argwhere(pieces))

        assert sizes.max() >= 0.99 * sizes.sum()
        # A body is at most 38 mm deep; with its spinous process over 55.
        assert 55 < np.ptp(points[:, 1]) < 100


def test_bodies_grow_from_top_to_bottom(phantom):
    values, counts = np.unique(phantom.label_map, return_counts=True)

    # T11 and L5 differ by a quarter in each direction, and by 3 % at random.
    assert counts[-1] > 1.2 * counts[1]
    assert values[-1] == L5


def test_lumbar_spine_is_bent_forwards(phantom):
    """Lordosis: L3 lies in front of the line from L1 to L5."""
    first, third, fifth = centres(phantom)[[-5, -3, -1]]

    share = (third[2] - fifth[2]) / (first[2] - fifth[2])

    assert third[1] > fifth[1] + share * (first[1] - fifth[1]) + 2


def test_leaning_forwards_moves_the_top_to_the_anterior():
    # sin(30 degrees) = 1/2.
    np.testing.assert_allclose(
        tilted_frame(30)[:3, 2], (0, 0.5, np.sqrt(0.75)), rtol=1e-12
    )


def test_rod_is_a_distance_where_it_is_round():
    # From (0, 0, 0) to (0, 4, 0), radius 1: 3 mm aside of it, and 2 mm beyond.
    u, v, w = (np.array(c, np.float32) for c in ([3, 0], [2, 6], [0, 0]))

    np.testing.assert_allclose(
        rod(u, v, w, (0, 0, 0), (0, 4, 0), 1.0), (2, 1), atol=1e-6
    )


def vertebra():
    """Return an upright vertebra of 44 x 32 x 26 mm at the world's origin."""
    return Part(24, with_origin(tilted_frame(0), np.array((5, 6, 7))), 44, 32, 26)


@pytest.mark.parametrize("share", [0.15, 0.5, 0.85])
def test_height_of_a_body_is_that_of_its_shape(share):
    part = vertebra()
    w = np.arange(0, 16, 0.01, dtype=np.float32)
    v = np.full_like(w, (share - 0.5) * 0.91 * 32)

    shape = body_shape(part, np.zeros_like(w), v, w)

    assert part.height_at(share) == pytest.approx(2 * w[shape < 0].max(), abs=0.03)


def test_end_plates_rest_on_the_rims():
    upper, normal = vertebra().end_plate(1)
    lower, _ = vertebra().end_plate(-1)

    np.testing.assert_array_equal(vertebra().centre, (5, 6, 7))
    np.testing.assert_array_equal(upper, (5, 6, 20))
    np.testing.assert_array_equal(lower, (5, 6, -6))
    np.testing.assert_array_equal(normal, (0, 0, 1))
    # 26 mm between the rims, and hollows of 2 mm.
    assert vertebra().height_at(0.5) == 22


def test_phantom_knows_where_its_vertebrae_lie(phantom):
    values = np.unique(phantom.label_map)[1:]
    by_value = {part.value: part for part in phantom.spine.vertebrae}
    index = phantom.grid.to_index([by_value[value].centre for value in values])

    inside = phantom.label_map[tuple(index.round().astype(int).T)]

    np.testing.assert_array_equal(inside, values)
