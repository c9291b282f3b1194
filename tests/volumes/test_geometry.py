from itertools import product

import numpy as np
import pytest

from volumes.geometry import (
    Grid,
    affine_from,
    canonical_axes,
    canonical_grid,
    canonical_spacing,
    largest_corner_distance,
    share_a_grid,
)

SPACING = (0.5, 1.0, 2.0)
PERMUTED = [[0, 0, 1], [1, 0, 0], [0, 1, 0]]  # I -> y, J -> z, K -> x


def test_affine_scales_columns_when_axes_are_permuted():
    world = affine_from(SPACING, direction=PERMUTED) @ (1, 1, 1, 1)

    np.testing.assert_array_equal(world[:3], (2.0, 0.5, 1.0))


@pytest.mark.parametrize("spacing", [(1, 0, 1), (1, -2, 1), (1, 1, float("nan"))])
def test_affine_refuses_a_spacing_that_is_not_positive(spacing):
    with pytest.raises(ValueError, match="positive along every axis"):
        affine_from(spacing)


def test_grid_gives_back_spacing_origin_and_direction_of_permuted_axes():
    grid = Grid((2, 3, 4), affine_from(SPACING, (10, 20, 30), PERMUTED))

    assert grid.spacing == SPACING
    assert grid.origin == (10, 20, 30)
    np.testing.assert_array_equal(grid.direction, PERMUTED)
    assert grid.orientation == "ASR"


def test_center_lies_between_voxels_when_a_side_is_even():
    grid = Grid((2, 3, 4), affine_from(SPACING, (10, 20, 30), PERMUTED))

    # Index (0.5, 1, 1.5): y + 0.5 * 0.5, z + 1 * 1, x + 1.5 * 2.
    np.testing.assert_array_equal(grid.center, (13.0, 20.25, 31.0))


def test_world_and_index_are_inverse_on_an_oblique_grid(oblique_grid):
    indices = np.array([[0, 0, 0], [2, 3, 4], [0.5, 1.5, -2]])

    back = oblique_grid.to_index(oblique_grid.to_world(indices))

    np.testing.assert_allclose(back, indices, atol=1e-9)


def test_corners_are_the_centres_of_the_outermost_voxels():
    corners = Grid((2, 3, 4), affine_from(SPACING)).corners()

    assert corners.shape == (8, 3)
    np.testing.assert_array_equal(corners.min(axis=0), (0, 0, 0))
    np.testing.assert_array_equal(corners.max(axis=0), (0.5, 2, 6))


@pytest.mark.parametrize(
    ("shape", "affine", "message"),
    [
        ((2, 0, 4), np.eye(4), "at least one voxel"),
        ((2, 3), np.eye(4), "three sides"),
        ((2, 3, 4), np.diag([1, 0, 1, 1]), "columns of 1e-06 to 1e"),
        ((2, 3, 4), np.diag([1, 1e-7, 1, 1]), "columns of 1e-06 to 1e"),
        ((2, 3, 4), np.diag([1, 2e6, 1, 1]), "columns of 1e-06 to 1e"),
        ((2, 3, 4), np.diag([1, np.nan, 1, 1]), "must be finite"),
        ((2, 3, 4), np.diag([1, 1e200, 1, 1]), "must be finite, below 1e"),
        ((2, 3001, 4), np.diag([1, 1e6, 1, 1]), r"sides must be at most 1e\+09 mm"),
        ((2, 3, 4), np.eye(4)[[0, 0, 2, 3]] + np.eye(4), "one plane"),
    ],
)
def test_grid_refuses_what_is_no_grid(shape, affine, message):
    if message == "one plane":
        affine[:3, 1] = affine[:3, 0] * 2

    with pytest.raises(ValueError, match=message):
        Grid(shape, affine)


def test_grid_is_described_with_its_orientation_and_units():
    text = str(Grid((2, 3, 4), affine_from(SPACING, (10, 20, 30.125), PERMUTED)))

    assert text == (
        "shape (2, 3, 4), spacing (0.5, 1, 2) mm, origin (10, 20, 30.125) mm, "
        "orientation ASR, axes (0, 1, 0) (0, 0, 1) (1, 0, 0)"
    )


@pytest.mark.parametrize(
    ("shift", "expected"),
    [
        # 2 % of 0.5 mm is 0.01 mm along the first axis, of 2 mm 0.04 along the last.
        ((0.009, 0, 0), True),
        ((0.011, 0, 0), False),
        ((0, 0, 0.039), True),
        ((0, 0, 0.041), False),
    ],
)
def test_grids_are_shared_within_two_percent_of_a_voxel(shift, expected):
    first = Grid((2, 3, 4), affine_from(SPACING))
    second = Grid((2, 3, 4), affine_from(SPACING, shift))

    assert share_a_grid(first, second) is expected
    assert share_a_grid(second, first) is expected


def test_a_wrong_spacing_shows_at_the_far_corner():
    first = Grid((2, 3, 101), affine_from((1, 1, 1)))
    second = Grid((2, 3, 101), affine_from((1, 1, 1.001)))

    # 100 steps of 0.001 mm.
    assert largest_corner_distance(first, second) == pytest.approx(0.1)
    assert not share_a_grid(first, second)


def test_grids_of_other_shape_are_infinitely_far_apart():
    first = Grid((2, 3, 4), np.eye(4))
    second = Grid((2, 3, 5), np.eye(4))

    assert largest_corner_distance(first, second) == float("inf")
    assert not share_a_grid(first, second)


def test_canonical_axes_of_permuted_and_flipped_axes(oblique_grid):
    axes, signs = canonical_axes(oblique_grid)

    # K runs to the right, J to the anterior, I to the inferior.
    np.testing.assert_array_equal(axes, (2, 1, 0))
    np.testing.assert_array_equal(signs, (1, 1, -1))
    np.testing.assert_allclose(canonical_spacing(oblique_grid), (3.0, 1.25, 0.5))


def test_canonical_grid_covers_the_scan_about_the_same_centre(oblique_grid):
    grid = canonical_grid(oblique_grid, (2.0, 1.0, 0.4))

    # Right 5 * 3 / 2 = 7.5, anterior 4 * 1.25 / 1, superior 3 * 0.5 / 0.4 = 3.75.
    assert grid.shape == (8, 5, 4)
    assert grid.orientation == "RAS"
    np.testing.assert_allclose(grid.spacing, (2, 1, 0.4))
    np.testing.assert_allclose(grid.center, oblique_grid.center)
    np.testing.assert_allclose(
        grid.direction, oblique_grid.direction[:, [2, 1, 0]] * (1, 1, -1), atol=1e-12
    )


def test_canonical_grid_takes_a_given_shape():
    grid = canonical_grid(Grid((2, 3, 4), affine_from(SPACING)), (1, 1, 1), (6, 7, 8))

    assert grid.shape == (6, 7, 8)
    # Scan centre (0.25, 1, 3) less half of (5, 6, 7) mm.
    np.testing.assert_allclose(grid.origin, (-2.25, -2.0, -0.5))


def test_canonical_grid_of_a_sheared_scan_has_right_angles():
    affine = affine_from(SPACING)
    affine[0, 1] = 0.3

    direction = canonical_grid(Grid((2, 3, 4), affine), (1, 1, 1)).direction

    np.testing.assert_allclose(direction.T @ direction, np.eye(3), atol=1e-12)


def test_voxel_volume_is_that_of_the_parallelepiped():
    affine = np.diag([3.0, 2, 4, 1])
    affine[1, 2] = 3  # the third axis leads along the second: 5 mm, 4 mm of them across

    assert Grid((2, 3, 4), affine).voxel_volume == pytest.approx(24, rel=1e-12)
    assert Grid((2, 3, 4), np.diag([3.0, 0.1, 0.7, 1])).voxel_volume == 3.0 * 0.1 * 0.7


@pytest.mark.parametrize(("degrees", "expected"), [(0.05, True), (0.2, False)])
def test_axes_within_a_tenth_of_a_degree_are_at_right_angles(degrees, expected):
    affine = np.diag([3.0, 2, 4, 1])
    affine[1, 2] = 4 * np.tan(np.deg2rad(degrees))

    grid = Grid((2, 3, 4), affine)

    assert grid.is_right_angled == expected
    steps = np.diag(grid.spacing) if expected else affine[:3, :3]
    np.testing.assert_array_equal(grid.steps, steps)


def test_steps_of_an_oblique_scan_are_its_spacing(oblique_grid):
    np.testing.assert_array_equal(oblique_grid.steps, np.diag(oblique_grid.spacing))


def test_canonical_grid_of_a_sheared_scan_holds_all_of_it():
    affine = np.diag([2.0, 2, 2, 1])
    affine[1:3, 2] = 2 * np.sin(np.deg2rad(20)), 2 * np.cos(np.deg2rad(20))
    scan = Grid((24, 32, 40), affine)

    covering = canonical_grid(scan, (1, 1, 1))

    outer = np.array(list(product((-0.5, 0.5), repeat=3))) * scan.shape
    outer += (np.array(scan.shape) - 1) / 2
    found = covering.to_index(scan.to_world(outer))
    assert found.min() > -0.51
    assert (found.max(axis=0) < np.array(covering.shape) - 0.49).all()
    assert covering.shape[0] == 48  # no larger than needed
