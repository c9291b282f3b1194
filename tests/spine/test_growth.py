import numpy as np
import pytest
from scipy import ndimage

from spine.basins import Basins
from spine.growth import grow, spread
from volumes.geometry import Grid, affine_from


def basins_of(depths, spacing=2.0):
    """Return a mask as one basin, with given depths in mm."""
    grid = Grid(depths.shape, affine_from((spacing,) * 3))
    labels = (depths > 0).astype(np.int32)
    return Basins(grid, labels, depths, np.ones(1), np.zeros((1, 3)), np.ones(1))


def line(*depths):
    array = np.zeros((3, 3, len(depths) + 2), np.float32)
    array[1, 1, 1:-1] = depths
    return array


def test_two_seeds_meet_where_the_mask_is_thin():
    # A step of 2 mm costs 2 / 2^3 = 1/4 in the deep, and half of that and of 2 / 0.5^3
    # = 16, 8 1/8, into the thin voxel: the left seed reaches it at 8 3/8, the right
    # one, a step further away, at 8 5/8.
    depths = line(2, 2, 0.5, 2, 2, 2)
    seeds = np.zeros(depths.shape, np.int32)
    seeds[1, 1, 1], seeds[1, 1, 6] = 4, 7

    labels = grow(basins_of(depths), seeds)

    np.testing.assert_array_equal(labels[1, 1], [0, 4, 4, 4, 7, 7, 7, 0])


def test_a_detour_through_the_deep_is_shorter_than_a_shallow_way():
    depths = np.zeros((3, 5, 5 + 2), np.float32)
    depths[1, 1, 1:6] = (2, 1.3, 1.3, 1.3, 2)
    depths[1, 2, [1, 5]] = 2
    depths[1, 3, 1:6] = 2
    seeds = np.zeros(depths.shape, np.int32)
    seeds[1, 1, 1], seeds[1, 1, 2] = 2, 1  # the shallow one begins a voxel ahead

    labels = grow(basins_of(depths), seeds)

    # To the far end it is 2 1/2 shallow steps and half a deep one, or 8 deep steps. At
    # the third power a shallow step costs (2 / 1.3)^3 = 3.6 deep ones, so 9.6 in all;
    # at the second one, 2.4 and 6.4.
    assert labels[1, 1].tolist() == [0, 2, 1, 1, 1, 2, 0]
    assert (labels[1, 3, 1:6] == 2).all()


def test_what_no_seed_reaches_has_no_label():
    depths = line(2, 2, 0, 2)
    seeds = np.zeros(depths.shape, np.int32)
    seeds[1, 1, 1] = 3

    labels = grow(basins_of(depths), seeds)

    np.testing.assert_array_equal(labels[1, 1], [0, 3, 3, 0, 0, 0])


@pytest.mark.parametrize(("spacing", "reach"), [(1.0, 4), (1.5, 3), (4.0, 1)])
def test_labels_spread_over_a_gap_of_three_mm(spacing, reach):
    labels = np.zeros((1, 2, 9), np.int32)
    labels[0, 1, 0] = 5
    grid = Grid(labels.shape, affine_from((spacing,) * 3))

    found = spread(labels, grid)

    # A voxel `n` away has n - 1 voxels between: 3 of 1 mm, 2 of 1.5 mm, none of 4 mm.
    assert found[0, 1].tolist() == [5] * (reach + 1) + [0] * (8 - reach)
    distances = ndimage.distance_transform_edt(labels == 0)
    np.testing.assert_array_equal(found > 0, distances <= 1 + 3 / spacing)
