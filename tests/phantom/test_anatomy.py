import numpy as np
from nibabel.affines import apply_affine
from scipy import ndimage

from phantom.anatomy import L5, rod, tilted_frame


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
