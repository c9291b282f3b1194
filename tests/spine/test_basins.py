import time

import numpy as np
import pytest
from support.rows_of_balls import grid_around, mark_balls, spine_of

from spine.basins import find_basins
from volumes.geometry import Grid, affine_from

UNIT = (1.0, 1.0, 1.0)


def find_boxes(shape, *boxes):
    mask = np.zeros(shape, bool)
    for box in boxes:
        mask[tuple(slice(*side) for side in box)] = True
    return find_basins(mask, Grid(shape, affine_from(UNIT)))


def test_balls_have_their_centre_radius_and_volume_on_an_oblique_grid():
    centers, radii = spine_of(2, step=40), (10.0, 14.0)
    grid = grid_around(centers)

    basins = find_basins(mark_balls(grid, centers, radii), grid)

    order = np.argsort(basins.radii)
    # The blur lowers the peak of a cone by sigma * sqrt(8 / pi) = 1.6, and some of the
    # many background voxels around a ball lie up to a voxel inside its surface.
    lowered = np.array(radii) - basins.radii[order]
    assert (lowered > 1).all()
    assert (lowered < 1.6 + 1.5).all()
    np.testing.assert_allclose(basins.centers[order], centers, atol=0.5)
    volumes = 4 / 3 * np.pi * np.array(radii) ** 3 / 1000
    np.testing.assert_allclose(basins.volumes_ml[order], volumes, rtol=0.06)


def test_boxes_that_touch_are_two_basins_where_the_neck_is_thin():
    # Two cubes of 20 mm, joined by a bar of 6 by 6 mm; then by one of 18 by 18 mm.
    cubes = [((2, 22), (2, 22), (2, 22)), ((28, 48), (2, 22), (2, 22))]

    thin = find_boxes((50, 24, 24), *cubes, ((22, 28), (9, 15), (9, 15)))
    thick = find_boxes((50, 24, 24), *cubes, ((22, 28), (3, 21), (3, 21)))

    assert len(thin.radii) == 2
    assert len(thick.radii) == 1


def test_labels_cover_the_mask_alone():
    basins = find_boxes((12, 14, 16), ((0, 12), (0, 14), (0, 16)))

    # A margin of two voxels on each side.
    assert basins.labels.shape == (16, 18, 20)
    assert np.count_nonzero(basins.labels) == 12 * 14 * 16
    assert basins.labels.max() == len(basins.radii) == 1


@pytest.mark.parametrize("value", [False, True])
def test_mask_of_one_value_is_no_basin_or_one(value):
    grid = Grid((7, 6, 5), affine_from((0.5, 1.0, 2.0)))

    basins = find_basins(np.full(grid.shape, value), grid)

    assert (basins is None) if not value else (len(basins.radii) == 1)


def test_one_voxel_is_answered():
    mask = np.zeros((7, 6, 5), bool)
    mask[3, 2, 1] = True

    fine = find_basins(mask, Grid(mask.shape, affine_from((0.2, 0.2, 0.2))))
    coarse = find_basins(mask, Grid(mask.shape, affine_from((3.0, 2.0, 4.0))))

    assert fine is None or len(fine.radii) == 1
    assert len(coarse.radii) == 1


@pytest.mark.slow
def test_large_mask_takes_bounded_time():
    grid = Grid((400, 400, 400), affine_from(UNIT))
    noise = np.random.default_rng(0).random(grid.shape) < 0.7
    start = time.perf_counter()

    for mask in (noise, np.ones(grid.shape, bool)):
        assert find_basins(mask, grid).labels.size < 6_500_000

    assert time.perf_counter() - start < 60
