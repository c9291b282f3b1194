from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.scans import make_case

import makeCube
from augment.compose import Compose
from cube.plan import (
    check_spacing,
    choose_shape,
    choose_spacing,
    describe_plan,
    list_inputs,
    plan_cube,
    spacing_for_side,
)
from system.errors import DataError, UsageError
from volumes.geometry import Grid, affine_from, canonical_grid

# I -> posterior, J -> superior, K -> left.
PERMUTED = [[0, 0, -1], [-1, 0, 0], [0, 1, 0]]


def grid_of(spacing, shape=(10, 20, 30)):
    """A grid whose spacing and shape are given along right, anterior, superior."""
    return Grid(shape, affine_from(spacing))


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


@pytest.fixture
def plan_of(tmp_path):
    """Plan cases with makeCube.py's default flags, but for some."""

    def plan(cases, **changes):
        flags = ["pairs.txt", "--output", str(tmp_path / "cube.h5"), "--side", "8"]
        args = {**vars(makeCube.parse_args(flags)), **changes}
        return plan_cube(cases, args, Compose([]), tmp_path / "cube.h5")

    return plan


def test_only_training_cases_get_copies(plan_of):
    cases = [make_case(name) for name in "abcde"]

    plan = plan_of(cases, copies=3, validation=0.2, test=0.4)

    # 5 * 0.2 = 1 and 5 * 0.4 = 2 of five subjects.
    assert sorted(zip(plan.splits, plan.copies, strict=True)) == [
        ("test", 0),
        ("test", 0),
        ("train", 3),
        ("train", 3),
        ("validation", 0),
    ]
    assert plan.num_rows == 5 + 2 * 3


def test_duplicate_is_planned_only_if_allowed(plan_of):
    cases = [make_case(name, content_checksum="x") for name in ("ann", "ben")]

    with pytest.raises(DataError, match="the same: ann and ben"):
        plan_of(cases, validation=0, test=0)
    assert len(plan_of(cases, validation=0, test=0, allow_duplicates=True).cases) == 2


def test_inputs_list_the_flags_and_what_each_case_is_built_from(plan_of):
    plan = plan_of([make_case("ann", subject="anna")], validation=0, test=0)

    inputs = list_inputs(plan, {"bias_field": 0.3}, Path.cwd().parent)

    assert inputs["--bias-field"] == 0.3
    assert inputs["number of cases"] == 1
    assert inputs["case 1 of the list"] == "ann"
    # 6 slices of 3 mm are the longest side: 18 / 8.
    assert inputs["spacing in mm"] == (2.25, 2.25, 2.25)
    assert inputs["subject of case 'ann'"] == "anna"
    assert inputs["split of case 'ann'"] == "train"
    image = f"{Path.cwd().name}/ann.nrrd"  # from the cube's folder
    assert inputs["image of case 'ann'"] == f"{image}, SHA-256 "
    assert inputs["version of numpy"] == np.__version__


def test_description_lists_each_note_once_with_its_cases(plan_of, tmp_path):
    cases = [replace(make_case(name), notes=("no unit",)) for name in ("ann", "ben")]

    lines = describe_plan(
        plan_of(cases, validation=0, test=0, copies=2), tmp_path / "cube.h5"
    ).splitlines()

    assert lines[0].startswith("grid      16 x 16 x 16 voxels of 2.25 x 2.25 x 2.25 mm")
    assert lines[2] == "rows      2 scans and 4 copies"
    assert lines[-1] == "note      no unit (2 cases, first ann)"
