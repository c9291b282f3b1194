from itertools import permutations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from support.itk import PERMUTED, make_scan

from augment.compose import coordinate_map, replay
from volumes.geometry import Grid, affine_from
from volumes.resample import CoordinateMap, resample

SHAPE, SPACING = (6, 9, 11), (4.0, 0.7, 1.3)
GRIDS = [
    Grid((18, 21, 14), affine_from((1.2, 0.9, 1.6), (-70, 12, 800), PERMUTED)),
    Grid((17, 12, 19), affine_from((0.8, 2.1, 1.0))),
]
ANGLES = ([9.0, -14.0, 4.0], [-3.0, 8.0, 17.0], [12.0, 5.0, -11.0])


def noisy_scan(grid):
    """An image with detail in every voxel, of which each interpolation takes some."""
    rng = np.random.default_rng(4)
    return rng.normal(0, 300, grid.shape).astype(np.float32), make_scan(grid)[1]


def sharpness(image):
    """Spread of the steps from voxel to voxel, in the middle of the volume."""
    middle = image[tuple(slice(side // 4, -(side // 4)) for side in image.shape)]
    return np.mean([np.diff(middle, axis=axis).std() for axis in range(3)])


def test_first_transform_of_a_chain_acts_first():
    drawn = {"rescaling": [2.0] * 3, "rotation": [90.0, 0.0, 0.0], "flip": True}

    output_to_input = coordinate_map(drawn, SHAPE, SPACING).output_to_input

    # (1, 2, 3) doubled is (2, 4, 6); turned about right (2, -6, 4); mirrored
    # (-2, -6, 4): that point reads (1, 2, 3).
    np.testing.assert_allclose(output_to_input @ (-2, -6, 4, 1), (1, 2, 3), atol=1e-12)


def test_shift_is_turned_by_what_follows_it_and_not_by_what_precedes_it():
    shift, turn = ("shift", [5.0, 0.0, 2.0]), ("rotation", [0.0, 0.0, 90.0])

    before = coordinate_map(dict([shift, turn]), SHAPE, SPACING).output_to_input
    after = coordinate_map(dict([turn, shift]), SHAPE, SPACING).output_to_input

    # About superior, right goes to anterior. (1, 2, 3) shifted is (6, 2, 5), turned
    # (-2, 6, 5); turned first it is (-2, 1, 3), then shifted (3, 1, 5).
    np.testing.assert_allclose(before @ (-2, 6, 5, 1), (1, 2, 3), atol=1e-12)
    np.testing.assert_allclose(after @ (3, 1, 5, 1), (1, 2, 3), atol=1e-12)


def test_order_of_the_chain_matters_where_it_should():
    drawn = [("rotation", [0.0, 0.0, 90.0]), ("flip", True)]
    pulls = [
        coordinate_map(dict(order), SHAPE, SPACING).output_to_input
        for order in permutations(drawn)
    ]

    assert np.abs(pulls[0] - pulls[1]).max() > 1


@pytest.mark.parametrize("grid", GRIDS, ids=["permuted", "straight"])
def test_chain_equals_its_composed_matrix(grid):
    image, label = noisy_scan(grid)
    degrees, factors, by = [9.0, -14.0, 21.0], [1.2, 0.9, 1.1], [2.5, -1.5, 0.75]
    chain = {"rotation": degrees, "rescaling": factors, "shift": by}

    found = replay(chain, image, label, source=grid)

    # A point p goes to diag(factors) @ turn @ p + by, so q is read at the inverse.
    turn = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix()
    forward = np.eye(4)
    forward[:3] = np.column_stack([np.diag(factors) @ turn, by])
    expected = resample(
        image,
        label,
        grid,
        grid,
        background=image.min(),
        through=CoordinateMap(np.linalg.inv(forward)[:3]),
    )
    np.testing.assert_allclose(found[0], expected[0], atol=1e-2)  # of 2000
    np.testing.assert_array_equal(found[1], expected[1])


@pytest.mark.parametrize("grid", GRIDS, ids=["permuted", "straight"])
def test_three_rotations_in_a_row_lose_no_more_than_one(grid):
    image, label = noisy_scan(grid)
    chain = dict(zip(("rotation", "rotation_2", "rotation_3"), ANGLES, strict=True))
    turn = np.eye(3)
    for degrees in ANGLES:
        turn = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix() @ turn
    once = Rotation.from_matrix(turn).as_euler("xyz", degrees=True).tolist()

    in_a_chain = replay(chain, image, label, source=grid)
    by_one = replay({"rotation": once}, image, label, source=grid)
    one_by_one = image, label
    for degrees in ANGLES:
        one_by_one = replay({"rotation": degrees}, *one_by_one, source=grid)

    np.testing.assert_allclose(in_a_chain[0], by_one[0], atol=1e-2)  # of 2000
    np.testing.assert_array_equal(in_a_chain[1], by_one[1])
    # What three interpolations would have taken.
    assert sharpness(one_by_one[0]) < 0.8 * sharpness(in_a_chain[0])
    assert (one_by_one[1] != by_one[1]).mean() > 0.01


@pytest.mark.parametrize("grid", GRIDS, ids=["permuted", "straight"])
def test_rotation_there_and_back_in_one_chain_is_the_identity(grid):
    image, label = noisy_scan(grid)
    there_and_back = {
        "rotation": [7.0, 0.0, 0.0],
        "rotation_2": [0.0, -31.0, 0.0],
        "rotation_3": [0.0, 0.0, 52.0],
        "rotation_4": [0.0, 0.0, -52.0],
        "rotation_5": [0.0, 31.0, 0.0],
        "rotation_6": [-7.0, 0.0, 0.0],
    }

    output_to_input = coordinate_map(
        there_and_back, grid.shape, grid.spacing
    ).output_to_input
    out, seg = replay(there_and_back, image, label, source=grid)

    np.testing.assert_allclose(output_to_input, np.eye(3, 4), atol=1e-5)
    np.testing.assert_allclose(out, image, atol=1e-5 * np.ptp(image))
    np.testing.assert_array_equal(seg, label)


def test_two_flips_are_none_and_one_mirrors_right_and_left_alone():
    grid = GRIDS[1]
    image, label = noisy_scan(grid)

    once = replay({"flip": True}, image, label, source=grid)
    twice = replay({"flip": True, "flip_2": True}, image, label, source=grid)

    np.testing.assert_allclose(once[0], image[::-1], atol=1e-2)  # of 2000
    np.testing.assert_array_equal(once[1], label[::-1])
    np.testing.assert_allclose(twice[0], image, atol=1e-2)
    np.testing.assert_array_equal(twice[1], label)


def test_whole_voxels_of_shift_move_every_voxel_exactly():
    grid = Grid((5, 7, 6), affine_from((2.0, 0.5, 3.0)))
    image, label = noisy_scan(grid)

    out, seg = replay({"shift": [4.0, -1.0, 3.0]}, image, label, source=grid)

    # 2 voxels to the right, 2 to the posterior, 1 up; what comes in is background.
    np.testing.assert_allclose(out[2:, :-2, 1:], image[:-2, 2:, :-1], atol=1e-2)
    np.testing.assert_array_equal(seg[2:, :-2, 1:], label[:-2, 2:, :-1])
    out[2:, :-2, 1:], seg[2:, :-2, 1:] = image.min(), 0
    assert (out == image.min()).all()
    assert not seg.any()
