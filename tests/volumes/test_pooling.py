from volumes.pooling import pooling_sizes


def test_pooling_skips_thick_slices_until_voxels_are_near_cubes():
    # 4 > 2 * 0.7; 4 > 2 * 1.4; 4 <= 2 * 2.8; then 8 <= 2 * 5.6.
    assert pooling_sizes((4, 0.7, 0.7), 4) == [
        (1, 2, 2),
        (1, 2, 2),
        (2, 2, 2),
        (2, 2, 2),
    ]


def test_pooling_halves_all_axes_when_they_differ_by_up_to_two():
    assert pooling_sizes((1, 2, 1.5), 2) == [(2, 2, 2), (2, 2, 2)]
    # 2.1 > 2 * 1, while (2, 2.1, 3) lies within two.
    assert pooling_sizes((1, 2.1, 1.5), 2) == [(2, 1, 2), (2, 2, 2)]


def test_pooling_of_a_slice_takes_two_axes():
    assert pooling_sizes((3, 1), 3) == [(1, 2), (2, 2), (2, 2)]
