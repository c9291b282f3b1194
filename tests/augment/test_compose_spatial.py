import numpy as np
import pytest
from scipy.spatial.transform import Rotation as Oracle
from support.itk import PERMUTED, make_scan

from augment.compose import Compose, coordinate_map, replay
from augment.spatial import Elastic, Flip, Rescaling, Rotation, Shift
from volumes.geometry import Grid, affine_from, canonical_grid
from volumes.intensity import measure_intensity
from volumes.resample import CoordinateMap, resample

GRIDS = [
    Grid((18, 21, 14), affine_from((1.2, 0.9, 1.6), (-70, 12, 800), PERMUTED)),
    Grid((17, 12, 19), affine_from((0.8, 2.1, 1.0))),
]
ANGLES = ([9.0, -14.0, 4.0], [-3.0, 8.0, 17.0], [12.0, 5.0, -11.0])
GRID = Grid((19, 14, 11), affine_from((0.8, 1.1, 2.4), (-70, 12, 800), PERMUTED))
SPATIAL = {
    "flip": [Flip(1.0)],
    "rescaling": [Rescaling(0.7, 1.4)],
    "rescaling per axis": [Rescaling(0.7, 1.4, per_axis=True)],
    "rotation": [Rotation(45)],
    "shift": [Shift(5)],
    "elastic": [Elastic(3.2, control_spacing=8)],
    "all": [Flip(), Rescaling(0.8, 1.2), Rotation(20), Shift(2), Elastic(3, 8)],
}


def noisy_scan(grid):
    """An image with detail in every voxel, some of which each interpolation loses."""
    rng = np.random.default_rng(4)
    return rng.normal(0, 300, grid.shape).astype(np.float32), make_scan(grid)[1]


def sharpness(image):
    """Standard deviation of differences between neighbours, away from the border."""
    middle = image[tuple(slice(side // 4, -(side // 4)) for side in image.shape)]
    return np.mean([np.diff(middle, axis=axis).std() for axis in range(3)])


@pytest.mark.parametrize("grid", GRIDS, ids=["permuted", "axial"])
def test_chain_equals_its_composed_matrix(grid):
    image, label = noisy_scan(grid)
    degrees, factors, by = [9.0, -14.0, 21.0], [1.2, 0.9, 1.1], [2.5, -1.5, 0.75]
    chain = {"rotation": degrees, "rescaling": factors, "shift": by}

    found = replay(chain, image, label, source=grid)

    # A point p moves to diag(factors) @ rotation @ p + by.
    rotation = Oracle.from_euler("xyz", degrees, degrees=True).as_matrix()
    forward = np.eye(4)
    forward[:3] = np.column_stack([np.diag(factors) @ rotation, by])
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


@pytest.mark.parametrize("grid", GRIDS, ids=["permuted", "axial"])
def test_three_rotations_in_a_chain_lose_no_more_detail_than_one(grid):
    image, label = noisy_scan(grid)
    chain = dict(zip(("rotation", "rotation_2", "rotation_3"), ANGLES, strict=True))
    product = np.eye(3)
    for degrees in ANGLES:
        product = Oracle.from_euler("xyz", degrees, degrees=True).as_matrix() @ product
    once = Oracle.from_matrix(product).as_euler("xyz", degrees=True).tolist()

    in_a_chain = replay(chain, image, label, source=grid)
    by_one = replay({"rotation": once}, image, label, source=grid)
    one_by_one = image, label
    for degrees in ANGLES:
        one_by_one = replay({"rotation": degrees}, *one_by_one, source=grid)

    np.testing.assert_allclose(in_a_chain[0], by_one[0], atol=1e-2)  # of 2000
    np.testing.assert_array_equal(in_a_chain[1], by_one[1])
    # The loss of three interpolations.
    assert sharpness(one_by_one[0]) < 0.8 * sharpness(in_a_chain[0])
    assert (one_by_one[1] != by_one[1]).mean() > 0.01


@pytest.mark.parametrize("grid", GRIDS, ids=["permuted", "axial"])
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


def test_flip_mirrors_right_and_left_and_twice_is_the_identity():
    grid = GRIDS[1]
    image, label = noisy_scan(grid)

    once = replay({"flip": True}, image, label, source=grid)
    twice = replay({"flip": True, "flip_2": True}, image, label, source=grid)

    np.testing.assert_allclose(once[0], image[::-1], atol=1e-2)  # of 2000
    np.testing.assert_array_equal(once[1], label[::-1])
    np.testing.assert_allclose(twice[0], image, atol=1e-2)
    np.testing.assert_array_equal(twice[1], label)


def test_shift_by_whole_voxels_moves_every_voxel_exactly():
    grid = Grid((5, 7, 6), affine_from((2.0, 0.5, 3.0)))
    image, label = noisy_scan(grid)

    out, seg = replay({"shift": [4.0, -1.0, 3.0]}, image, label, source=grid)

    # 2 voxels to the right, 2 to the posterior, 1 up; the rest is background.
    np.testing.assert_allclose(out[2:, :-2, 1:], image[:-2, 2:, :-1], atol=1e-2)
    np.testing.assert_array_equal(seg[2:, :-2, 1:], label[:-2, 2:, :-1])
    out[2:, :-2, 1:], seg[2:, :-2, 1:] = image.min(), 0
    assert (out == image.min()).all()
    assert not seg.any()


def scattered_labels():
    """Values far apart, so that the mean of two would be a new value."""
    values = np.array([0, 3, 8, 40, 90, 254], np.uint8)
    blocks = np.random.default_rng(0).choice(values, (10, 7, 6))
    label = np.kron(blocks, np.ones((2, 2, 2), np.uint8))
    return label[tuple(slice(side) for side in GRID.shape)]


@pytest.mark.parametrize("name", SPATIAL)
def test_no_new_label_value_appears(name):
    label = scattered_labels()
    image = label.astype(np.float32)
    target = canonical_grid(GRID, (1.7, 0.9, 1.2))

    for seed in range(5):
        drawn = Compose(SPATIAL[name]).draw(np.random.default_rng(seed))
        out, seg = replay(drawn, image, label, source=GRID, target=target)

        assert seg.shape == target.shape
        assert set(np.unique(seg)) == set(np.unique(label))
        # The image shows that voxels were interpolated.
        assert len(np.unique(out)) > 100


def test_label_on_the_border_does_not_extend_beyond_the_scan():
    label = np.zeros(GRID.shape, np.uint8)
    label[:2, :2, :2] = 200
    image = label.astype(np.float32)

    _, seg = replay({"shift": [8.0, 0.0, 0.0]}, image, label, source=GRID)

    # 8 mm are 10 voxels of 0.8 mm.
    expected = np.zeros_like(label)
    expected[10:12, :2, :2] = 200
    np.testing.assert_array_equal(seg, expected)


def test_outside_of_a_ct_is_air_and_not_water():
    label = scattered_labels()
    ct = np.random.default_rng(1).integers(-1000, 1500, GRID.shape).astype(np.int16)
    ct[5] = -1000

    out, seg = replay({"shift": [10.0, 0.0, 0.0]}, ct, label, source=GRID)

    # 10 mm are 12.5 voxels of 0.8 mm; the scan's border lies half a voxel outside.
    assert (out[:12] == -1000).all()
    assert not seg[:12].any()
    assert (out[13:] != -1000).mean() > 0.9


@pytest.mark.parametrize("name", SPATIAL)
def test_outside_of_a_normalised_scan_is_its_minimum(name):
    ct = np.random.default_rng(1).integers(-1000, 1500, GRID.shape).astype(np.int16)
    label = np.ones(GRID.shape, np.uint8)
    target = canonical_grid(GRID, (1.7, 0.9, 1.2), (20, 40, 40))
    drawn = Compose(SPATIAL[name]).draw(np.random.default_rng(2))

    out, seg = replay(
        drawn,
        ct,
        label,
        source=GRID,
        target=target,
        intensity=measure_intensity(ct, ("auto",)),
    )

    # The window of -200 to 1000 HU becomes -1 to 1; water would be -2/3.
    assert 0.5 < (seg == 0).mean() < 0.99
    np.testing.assert_allclose(out[seg == 0], -1, atol=1e-6)
    assert out[seg == 1].max() > 0.5
