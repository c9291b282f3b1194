import numpy as np
import pytest
from support.scans import make_case

from augment.compose import Compose, compose_default
from cube.grid import (
    check_copies,
    check_spacing,
    choose_shape,
    choose_spacing,
    describe_grid,
    plan_extents,
    spacing_for_side,
)
from cube.rows import CubeSpec
from system.errors import UsageError
from volumes.geometry import Grid, affine_from, canonical_grid

# I -> posterior, J -> superior, K -> left.
PERMUTED = [[0, 0, -1], [-1, 0, 0], [0, 1, 0]]


def grid_of(spacing, shape=(10, 20, 30)):
    """A grid whose spacing and shape are given along right, anterior, superior."""
    return Grid(shape, affine_from(spacing))


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


def test_spacing_is_the_median_along_each_direction_and_the_finest_two_equal():
    grids = [
        grid_of((4, 0.8, 0.7)),
        grid_of((3, 0.9, 0.75)),
        # Stored as posterior, superior, left: 0.5 anterior, 0.6 superior, 9 right.
        Grid((5, 6, 7), affine_from((0.5, 0.6, 9), direction=PERMUTED)),
    ]

    # Medians 4, 0.8 and 0.7; the finest two are both the smaller.
    assert choose_spacing(grids) == (4, 0.7, 0.7)


def test_spacing_of_thick_slices_along_any_direction_is_kept():
    assert choose_spacing([grid_of((0.7, 0.6, 5))]) == (0.6, 0.6, 5)
    assert choose_spacing([grid_of((0.6, 3, 0.7))]) == (0.6, 3, 0.6)


def test_spacing_has_four_figures():
    assert choose_spacing([grid_of((4.123456, 0.7031249, 0.71))]) == (
        4.123,
        0.7031,
        0.7031,
    )


def test_side_gives_the_longest_scan_that_many_voxels():
    grids = [
        grid_of((4, 0.5, 0.5), (15, 300, 400)),  # 60, 150 and 200 mm
        Grid((100, 560, 20), affine_from((1, 0.5, 4), direction=PERMUTED)),  # 280 mm
    ]

    spacing = spacing_for_side(grids, 64)

    assert spacing == (280 / 64,) * 3
    # Left, third, is 80 mm: 80 / 4.375 = 18.3; anterior 100 / 4.375 = 22.9.
    assert canonical_grid(grids[1], spacing).shape == (19, 23, 64)


@pytest.mark.parametrize(
    ("spacing", "expected"),
    [
        # 40, 50 and 90 mm; 16 along every axis.
        ((1, 1, 1), (48, 64, 96)),
        # 40 / 4 = 10 in fours; 50 / 0.7 = 71.4 and 90 / 0.7 = 128.6 in sixteens.
        ((4, 0.7, 0.7), (12, 80, 144)),
    ],
)
def test_shape_holds_the_largest_scan_in_multiples_of_the_poolings(spacing, expected):
    grids = [grid_of((4, 1, 1), (10, 30, 90)), grid_of((4, 1, 1), (5, 50, 10))]

    assert choose_shape(grids, spacing) == expected


def test_shape_that_fits_exactly_is_not_rounded_up():
    assert choose_shape([grid_of((2, 1, 1), (8, 32, 48))], (1, 1, 1)) == (16, 32, 48)


@pytest.mark.parametrize(
    ("spacing", "shape"),
    [
        ((1e-7, 1, 1), (8, 8, 8)),
        ((1, 1e7, 1), (8, 8, 8)),
        ((1, 1, 10), (8, 8, 10**9)),
    ],
)
def test_grid_that_is_too_fine_too_coarse_or_too_large_is_refused(spacing, shape):
    with pytest.raises(UsageError, match=r"must measure 1e-06 to 1e\+06 mm"):
        check_spacing(spacing, shape, [])


def test_grid_far_coarser_than_a_scan_is_refused_with_its_case():
    cases = [make_case("ann", grid=grid_of((3, 2, 1))), make_case("ben")]
    check_spacing((900, 1, 1), (8, 8, 8), cases)

    with pytest.raises(UsageError, match="1001 mm, and 1 mm of case 'ann'"):
        check_spacing((1001, 1, 1), (8, 8, 8), cases)


def test_cases_of_which_each_is_large_along_another_axis_have_no_note():
    assert (
        notes([case_of("axial", (80, 80, 8)), case_of("sagittal", (18, 80, 90))]) == []
    )
    rods = [(256, 16, 16), (16, 256, 16), (16, 16, 256)]
    assert notes([case_of(f"c{n}", shape) for n, shape in enumerate(rods)]) == []


def test_copy_that_is_moved_out_of_the_grid_is_refused_where_its_scan_is_shown():
    cases = [case_of("thin", (1, 1, 1)), case_of("ann", (30, 40, 60))]
    nothing, all_of_it = [[5, 5]] * 3, [[0, 9]] * 3
    extents = np.array([nothing, nothing, all_of_it, all_of_it, nothing])

    check_copies(cases, [1, 1], extents[:4])
    with pytest.raises(UsageError, match=r"^Copy 2 of case 'ann' .* smaller --shift"):
        check_copies(cases, [1, 2], extents)
