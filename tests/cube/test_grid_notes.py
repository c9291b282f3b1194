import numpy as np
import pytest
from support.scans import make_case

from augment.compose import Compose, compose_default
from cube.grid_notes import describe_grid, plan_extents
from cube.plan import choose_shape
from cube.rows import CubeSpec
from volumes.geometry import Grid, affine_from


def case_of(case_id, shape, spacing=(1, 1, 1)):
    return make_case(case_id, grid=Grid(shape, affine_from(spacing)))


def notes(cases, copies=None, compose=None):
    """Return the notes on cubes of 1 mm whose shape is chosen by the scans."""
    spec = CubeSpec(
        spacing=(1, 1, 1),
        shape=choose_shape([case.grid for case in cases], (1, 1, 1)),
        intensity=("zscore",),
        compose=compose or Compose([]),
        seed=0,
    )
    return describe_grid(cases, copies or [0] * len(cases), spec)


def small(number, shape=(30, 40, 60)):
    return [case_of(f"c{n}", shape) for n in range(number)]


def test_case_that_sets_the_grid_is_named_with_the_shape_of_the_others():
    (note,) = notes([*small(4), case_of("long", (16, 30, 200))])

    # 60 and 200 in multiples of 16; 32 x 48 x 208 and 32 x 48 x 64 voxels.
    assert note.startswith(
        "case 'long' sets the grid: 208 voxels inferior-superior, where the median "
        "case needs 64, and 0.319 million in all instead of 0.0983. --shape 32 48 64 "
        "fits all but 'long', whose middle it keeps: "
    )
    # 4 rows of 30 slices and one of 16, each 48 x 64 voxels of 2 bytes: 0.8 MB.
    assert note.endswith(": 1 MB")


def test_all_huge_cases_are_left_out_of_the_suggestion():
    huge = [case_of("wide", (300, 40, 60)), case_of("tall", (30, 40, 500))]

    (note,) = notes([*small(3), *huge])

    assert "case 'wide' sets the grid: 304 voxels right-left" in note
    assert "--shape 32 48 64 fits all but 'wide', 'tall', " in note


def test_one_of_two_cases_may_be_huge():
    (note,) = notes([case_of("huge", (100, 100, 200)), *small(1)])

    assert "case 'huge' sets the grid" in note


def test_case_that_is_large_in_all_but_not_along_any_axis_is_named():
    # 64 x 80 x 96: at most twice along each axis, but five times the voxels.
    (note,) = notes([*small(3), case_of("large", (64, 80, 96))])

    assert "case 'large' sets the grid: 64 voxels right-left" in note


@pytest.mark.parametrize(
    "cases",
    [
        small(1),
        [*small(3), case_of("larger", (30, 40, 120))],  # 128: not more than twice 64
        [*small(3), case_of("fine", (120, 160, 240), (0.25,) * 3)],  # the same size
    ],
)
def test_grid_that_most_cases_need_has_no_note(cases):
    assert notes(cases) == []


def test_many_huge_cases_are_counted():
    huge = [case_of(f"huge{number}", (30, 40, 500)) for number in range(7)]

    (note,) = notes([*small(9), *huge])

    assert "'huge0', 'huge1', 'huge2', 'huge3', 'huge4' and 2 more, whose" in note


def test_extents_of_all_rows_are_foreseen():
    spec = CubeSpec(
        spacing=(1, 1, 1),
        shape=(32, 48, 64),
        intensity=("zscore",),
        compose=compose_default(elastic=None),
        seed=0,
    )

    extents = plan_extents(small(2), [0, 2], spec)

    # (32 - 30) / 2 = 1, (48 - 40) / 2 = 4, (64 - 60) / 2 = 2 on each side.
    scan = [[1, 31], [4, 44], [2, 62]]
    assert extents.shape == (4, 3, 2)
    np.testing.assert_array_equal(extents[[0, 1]], [scan, scan])
    assert (extents[2:] != scan).any()
