import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation
from support.itk import PERMUTED, TURN, make_scan

from volumes.geometry import Grid, affine_from, canonical_grid
from volumes.resample import (
    CoordinateMap,
    antialias,
    filled_extent,
    index_map,
    mapped_affine,
    resample,
)
from volumes.warp import ControlGrid

PULL = Rotation.from_euler("xyz", [-8, 5, 12], degrees=True).as_matrix() / 1.1


@pytest.mark.parametrize("shape", [(2, 3, 4), (3, 4, 5)])
def test_same_grid_gives_the_same_voxels(shape):
    grid = Grid(shape, affine_from((0.8, 1.1, 2.7), (-70, 12, 800), PERMUTED))
    image, label = make_scan(grid)

    out, seg = resample(image, label, grid, grid)

    np.testing.assert_allclose(out, image, atol=1e-3)  # of 1800
    np.testing.assert_array_equal(seg, label)


def test_permuted_and_flipped_axes_are_put_in_order_exactly():
    # I -> posterior, J -> superior, K -> left.
    direction = [[0, 0, -1], [-1, 0, 0], [0, 1, 0]]
    source = Grid((2, 3, 4), affine_from((1, 2, 0.5), direction=direction))
    image, label = make_scan(source)

    target = canonical_grid(source, (0.5, 1, 2))
    out, seg = resample(image, label, source, target)

    turned = np.flip(image.transpose(2, 0, 1), (0, 1))
    np.testing.assert_array_equal(out, turned)
    np.testing.assert_array_equal(seg, np.flip(label.transpose(2, 0, 1), (0, 1)))


def blob(grid, point, sigma=2.5):
    """A bright ball about a world point, and its label where it is over a half."""
    world = grid.to_world(np.moveaxis(np.indices(grid.shape), 0, -1))
    image = np.exp(-((world - point) ** 2).sum(axis=-1) / (2 * sigma**2))
    return image.astype(np.float32), (image > 0.5).astype(np.uint8)


def middle(weights, affine):
    """The centre of mass in world mm."""
    indices = np.indices(weights.shape).reshape(3, -1)
    index = indices @ weights.ravel().astype(float) / weights.sum(dtype=float)
    return affine[:3, :3] @ index + affine[:3, 3]


@pytest.mark.parametrize("output_to_input", [np.eye(3), PULL, np.diag([-1, 1, 1])])
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
def test_landmark_keeps_its_world_coordinates(order, output_to_input):
    direction = TURN[:, order] * (1, -1, 1)
    spacing = np.array((0.9, 1.2, 1.6))[list(order)]
    source = Grid((30, 25, 20), affine_from(spacing, (-70, 12, 800), direction))
    point = source.center + np.array((1.3, -2.2, 0.7))
    image, label = blob(source, point)
    target = canonical_grid(source, (1.0, 1.1, 1.2))

    out, seg = resample(
        image, label, source, target, through=CoordinateMap(output_to_input)
    )

    affine = mapped_affine(target, output_to_input)
    np.testing.assert_allclose(middle(out, affine), point, atol=0.02)
    # A ball of whole voxels of up to 1.6 mm lies a little aside of its middle.
    np.testing.assert_allclose(middle(seg, affine), point, atol=0.3)


def test_rotation_and_its_opposite_cancel_each_other():
    grid = Grid((8, 9, 10), affine_from((0.8, 1.1, 2.7), (-70, 12, 800), TURN))
    there, back = PULL * 1.1, (PULL * 1.1).T

    matrix = index_map(grid, grid, there @ back)

    np.testing.assert_allclose(matrix, np.eye(3, 4), atol=1e-5)


def test_rotation_is_in_mm_and_shears_nothing_on_an_anisotropic_grid():
    grid = Grid((5, 5, 5), affine_from((1, 2, 4)))
    quarter = [[0, -1, 0], [1, 0, 0], [0, 0, 1]]

    matrix = index_map(grid, grid, quarter)

    # One voxel (1 mm) along I from the centre is 1 mm = half a voxel along J;
    # one voxel (2 mm) along J is -2 mm = 2 voxels along I.
    np.testing.assert_allclose(matrix @ (3, 2, 2, 1), (2, 2.5, 2))
    np.testing.assert_allclose(matrix @ (2, 3, 2, 1), (0, 2, 2))


def test_displacement_in_mm_follows_the_target_s_axes():
    source = Grid((7, 9, 8), affine_from((2, 1, 0.5), (3, 4, 5), PERMUTED))
    image, label = make_scan(source)
    target = canonical_grid(source, (0.5, 2.0, 1.0))
    by = np.array([0.75, -1.5, 0.5])  # mm to the right, anterior, superior
    control = ControlGrid(np.ones((3, 9, 9, 9)) * by[:, None, None, None], (0.1,) * 3)

    out, seg = resample(
        image, label, source, target, through=CoordinateMap(PULL, control)
    )

    # A point p reads PULL @ (p + by): as if the scan lay PULL @ by nearer.
    affine = source.affine.copy()
    affine[:3, 3] -= target.direction @ PULL @ by
    expected = resample(
        image,
        label,
        Grid(source.shape, affine),
        target,
        through=CoordinateMap(PULL),
    )
    np.testing.assert_allclose(out, expected[0], atol=2e-3)  # of 1800
    np.testing.assert_array_equal(seg, expected[1])


@pytest.mark.parametrize("coarse", [(1, 2, 0.5), (1.005, 1, 0.25)])
def test_image_is_not_smoothed_where_the_target_is_no_coarser(coarse):
    grid = Grid((4, 5, 6), affine_from((1, 2, 0.5)))
    image, _ = make_scan(grid)

    assert antialias(image, grid, canonical_grid(grid, coarse)) is image


def test_image_is_smoothed_along_the_axis_that_gets_coarser():
    # I -> posterior, J -> superior, K -> left; only superior, J, gets coarser.
    direction = [[0, 0, -1], [-1, 0, 0], [0, 1, 0]]
    source = Grid((4, 9, 5), affine_from((1, 0.6, 2), direction=direction))
    image, _ = make_scan(source)
    before = image.copy()

    smooth = antialias(image, source, canonical_grid(source, (2, 1, 1)))

    # sqrt(1^2 - 0.6^2) = 0.8 mm between full widths; / 2.3548 / 0.6 in voxels.
    expected = gaussian_filter1d(
        image, 0.8 / 2.35482 / 0.6, axis=1, mode="nearest", truncate=3
    )
    np.testing.assert_allclose(smooth, expected, atol=1e-2)  # of 1800
    assert smooth.dtype == np.float32
    np.testing.assert_array_equal(image, before)


def test_extent_is_the_part_of_the_grid_that_the_scan_fills():
    source = Grid((4, 3, 6), affine_from((1, 2, 0.5)))
    target = canonical_grid(source, (1, 1, 1), (8, 4, 5))

    # Sides of 4, 6 and 3 mm about the middle: (8 - 4) / 2 = 2 voxels are left
    # free at both ends of I, none of J, (5 - 3) / 2 = 1 of K.
    np.testing.assert_array_equal(
        filled_extent(source, target), [[2, 6], [0, 4], [1, 4]]
    )


def test_extent_of_a_turned_scan_holds_its_corners():
    source = Grid((4, 3, 6), affine_from((1, 2, 0.5)))
    target = canonical_grid(source, (1, 1, 1), (9, 9, 9))
    quarter = [[0, -1, 0], [1, 0, 0], [0, 0, 1]]

    # The sides of 4 and 6 mm change places: 4 + -3 to 3, 4 + -2 to 2; K +-1.5.
    np.testing.assert_array_equal(
        filled_extent(source, target, quarter), [[1, 8], [2, 7], [3, 6]]
    )


def test_mapped_affine_says_where_a_voxel_comes_from():
    target = Grid((3, 5, 7), affine_from((1, 2, 4), (10, 20, 30)))

    affine = mapped_affine(target, np.diag([-1, 1, 0.5]))

    # Centre (10 + 1, 20 + 4, 30 + 12); one step from it is -1, 2, 2 mm.
    np.testing.assert_allclose(affine @ (1, 2, 3, 1), (11, 24, 42, 1))
    np.testing.assert_allclose(affine @ (2, 3, 4, 1), (10, 26, 44, 1))


def test_label_on_a_coarser_grid_is_carried_back_to_the_same_world_box():
    scan = Grid((24, 18, 20), affine_from((0.6, 0.7, 2.0), (5, 6, 7), PERMUTED))
    cube = canonical_grid(scan, (2.0, 1.4, 1.4))
    prediction = np.zeros(cube.shape, np.uint8)
    prediction[4:9, 3:9, 2:6] = 2
    prediction[4:9, 3:9, 6:8] = 1

    _, seg = resample(prediction, prediction, cube, scan)

    index = cube.to_index(scan.to_world(np.moveaxis(np.indices(scan.shape), 0, -1)))
    # Voxel borders lie half a voxel beyond the outermost centres.
    inside = [
        ((index > low) & (index < high)).all(axis=-1)
        for low, high in (
            ((3.5, 2.5, 1.5), (8.5, 8.5, 5.5)),
            ((3.5, 2.5, 5.5), (8.5, 8.5, 7.5)),
        )
    ]
    expected = np.select(inside, (2, 1))
    assert set(np.unique(seg)) == {0, 1, 2}
    # At edges and corners more than half of the weight is the background's.
    rounded = (np.abs(index - [6, 5.5, 4.5]) > [1.7, 2.2, 1.7]).sum(axis=-1) > 1
    np.testing.assert_array_equal(seg[~rounded], expected[~rounded])
    assert (seg[rounded & (expected == 0)] == 0).all()
