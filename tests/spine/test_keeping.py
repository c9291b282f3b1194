import time

import numpy as np
import pytest
from support.rows_of_balls import grid_around, mark_balls, spine_of

from spine.keeping import keep_spine
from volumes.geometry import Grid, affine_from

CENTERS = spine_of(6)
# To the side, in front, and one that the tube cuts.
BLOBS = CENTERS[[1, 3, 4]] + [(85, 0, 0), (0, 70, 0), (-58, 0, 0)]


def mark(blobs=BLOBS):
    grid = grid_around([*CENTERS, *BLOBS])
    spine = mark_balls(grid, CENTERS, 12.0)
    others = mark_balls(grid, blobs, 15.0) if len(blobs) else np.zeros_like(spine)
    return spine, others, grid


def test_blobs_off_the_spine_are_dropped_and_their_volume_is_told():
    spine, blobs, grid = mark()
    classes = (spine | blobs).astype(np.uint8)
    before = classes.copy()

    kept = keep_spine(classes, grid)

    np.testing.assert_array_equal(kept.classes, spine)
    volume = np.count_nonzero(blobs) * 1.5 * 2 * 3 / 1000
    assert kept.dropped_ml == pytest.approx(volume)
    assert kept.warning == ""
    np.testing.assert_array_equal(classes, before)


def test_spine_alone_loses_nothing():
    spine, _, grid = mark(())

    kept = keep_spine(spine.astype(np.uint8), grid)

    np.testing.assert_array_equal(kept.classes, spine)
    assert (kept.dropped_ml, kept.warning) == (0.0, "")


@pytest.mark.parametrize("levels", [(1, 2, 3, 4, 5, 6), ()])
def test_every_class_is_kept_along_the_chain_of_all_levels(levels):
    spine, blobs, grid = mark()
    classes = np.zeros(grid.shape, np.uint8)
    for number, center in enumerate(CENTERS, start=1):
        classes[mark_balls(grid, [center], 12.0)] = number
    classes[blobs] = 4
    canal = mark_balls(grid, CENTERS + np.array([0, -22, 0]), 5.0)
    classes[canal & ~spine] = 7

    kept = keep_spine(classes, grid, levels)

    np.testing.assert_array_equal(kept.classes, np.where(blobs, 0, classes))


def test_class_of_discs_does_not_hide_the_vertebrae():
    spine, blobs, grid = mark()
    between = np.linspace(CENTERS[0], CENTERS[-1], 60)
    column = mark_balls(grid, between, 11.0)  # discs fuse all into one tube
    classes = np.where(spine, 1, np.where(column, 2, 0)).astype(np.uint8)
    classes[blobs] = 2

    kept = keep_spine(classes, grid)

    np.testing.assert_array_equal(kept.classes, np.where(blobs, 0, classes))


def test_beside_spinous_processes_a_piece_must_lie_in_the_tube_by_nine_tenths():
    spine, _, grid = mark(())
    behind = [center - (0, mm, 0) for center in CENTERS for mm in range(12, 50, 4)]
    spine |= mark_balls(grid, behind, 5.0)
    tip = mark_balls(grid, [CENTERS[2] + (28, -45, 0)], 6.0)
    aside = mark_balls(grid, [CENTERS[3] + (47, -15, 0)], 8.0)  # half of it is outside
    classes = (spine | tip | aside).astype(np.uint8)

    kept = keep_spine(classes, grid)

    np.testing.assert_array_equal(kept.classes, spine | tip)


def test_all_is_kept_of_fewer_than_three_vertebrae():
    grid = grid_around([*CENTERS[:2], BLOBS[0]])
    classes = mark_balls(grid, [*CENTERS[:2], BLOBS[0]], 12.0).astype(np.uint8)

    kept = keep_spine(classes, grid)

    np.testing.assert_array_equal(kept.classes, classes)
    assert kept.dropped_ml == 0
    assert "at least 3 vertebrae must be found. Received: 2" in kept.warning


def test_all_is_kept_where_a_short_chain_would_drop_much():
    centers = [*CENTERS[:3], *BLOBS[:2]]
    grid = grid_around(centers)
    # Three balls of 12 mm and two of 15 mm: 3.9 of 9.1 parts lie elsewhere.
    classes = mark_balls(grid, centers, (12, 12, 12, 15, 15)).astype(np.uint8)

    kept = keep_spine(classes, grid)

    np.testing.assert_array_equal(kept.classes, classes)
    assert "chain of 3 vertebrae" in kept.warning


def test_all_is_kept_where_much_lies_in_line_with_the_chain():
    grid = grid_around([*CENTERS, CENTERS[-1] + (20, 0, 150)])
    spine = mark_balls(grid, CENTERS, 12.0)
    # Too far and too large for the chain: 8.2 of 10.4 parts, above 0.04 * 6.
    beyond = mark_balls(grid, [CENTERS[-1] + (12, 0, 100)], 20.0)
    classes = (spine | beyond).astype(np.uint8)

    kept = keep_spine(classes, grid)

    np.testing.assert_array_equal(kept.classes, classes)
    assert "leaves out too much" in kept.warning


def blobs_at_random(grid):
    rng = np.random.default_rng(3)
    places = grid.to_world(rng.uniform(0, np.array(grid.shape) - 1, (500, 3)))
    return mark_balls(grid, places, rng.uniform(2, 9, 500))


def one_voxel(grid):
    mask = np.zeros(grid.shape, bool)
    mask[1, 2, 3] = True
    return mask


@pytest.mark.parametrize(
    "make",
    [
        lambda grid: np.zeros(grid.shape, bool),
        lambda grid: np.ones(grid.shape, bool),
        lambda grid: np.indices(grid.shape).sum(axis=0) % 2 == 0,
        one_voxel,
        blobs_at_random,
    ],
    ids=["empty", "full", "checkerboard", "one voxel", "500 blobs"],
)
def test_hostile_prediction_is_answered_in_bounded_time(make):
    grid = Grid((60, 70, 80), affine_from((2.0, 3.0, 2.5)))
    classes = make(grid).astype(np.uint8)
    start = time.perf_counter()

    kept = keep_spine(classes, grid)

    assert time.perf_counter() - start < 30
    assert np.count_nonzero(kept.classes) <= np.count_nonzero(classes)
    assert not kept.warning or np.array_equal(kept.classes, classes)
