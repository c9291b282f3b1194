import numpy as np

from spine.nearest import find_nearest


def test_the_nearest_voxel_and_its_distance_are_those_by_hand():
    mask = np.ones((2, 3, 5), bool)
    mask[0, 0, 0] = mask[1, 2, 4] = False

    (first, first_mm), (second, second_mm) = find_nearest(mask)

    # From (0, 1, 1) it is 1 along J and K to (0, 0, 0); from (1, 2, 2), 2 along K.
    np.testing.assert_array_equal(first[:, 1, 1], (0, 0, 0))
    np.testing.assert_allclose(first_mm[1, 1], np.sqrt(2), rtol=1e-6)
    np.testing.assert_array_equal(second[:, 2, 2], (1, 2, 4))
    assert second_mm[2, 2] == 2
    assert first_mm[0, 0] == second_mm[2, 4] == 0
