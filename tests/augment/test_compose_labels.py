import numpy as np
import pytest
from scipy.ndimage import map_coordinates
from scipy.spatial.transform import Rotation as Turn
from support.itk import PERMUTED

from augment.compose import Compose, replay
from augment.spatial import Elastic, Flip, Rescaling, Rotation, Shift
from volumes.geometry import Grid, affine_from, canonical_grid
from volumes.intensity import measure_intensity
from volumes.resample import CoordinateMap, index_map, resample

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


def scattered_labels():
    """Values far apart, so that a mean of two would be a value of its own."""
    values = np.array([0, 3, 8, 40, 90, 254], np.uint8)
    blocks = np.random.default_rng(0).choice(values, (10, 7, 6))
    label = np.kron(blocks, np.ones((2, 2, 2), np.uint8))
    return label[tuple(slice(side) for side in GRID.shape)]


@pytest.mark.parametrize("name", SPATIAL)
def test_no_label_value_appears_that_was_not_there(name):
    label = scattered_labels()
    image = label.astype(np.float32)
    target = canonical_grid(GRID, (1.7, 0.9, 1.2))

    for seed in range(5):
        drawn = Compose(SPATIAL[name]).draw(np.random.default_rng(seed))
        out, seg = replay(drawn, image, label, source=GRID, target=target)

        assert seg.shape == target.shape
        assert set(np.unique(seg)) == set(np.unique(label))
        # The image, in which means are meant, shows that something was mixed.
        assert len(np.unique(out)) > 100


def test_label_on_the_border_is_not_drawn_out_beyond_the_scan():
    label = np.zeros(GRID.shape, np.uint8)
    label[:2, :2, :2] = 200
    image = label.astype(np.float32)

    _, seg = replay({"shift": [8.0, 0.0, 0.0]}, image, label, source=GRID)

    # 8 mm are 10 voxels of 0.8 mm.
    expected = np.zeros_like(label)
    expected[10:12, :2, :2] = 200
    np.testing.assert_array_equal(seg, expected)


BOARD = Grid((34, 41, 37), affine_from((1.2, 0.9, 1.0)))


def random_turns(count, seed=0):
    """Rotations of which every one is as likely as every other."""
    quaternions = np.random.default_rng(seed).standard_normal((count, 4))
    return Turn.from_quat(quaternions).as_matrix()


def vote_and_nearest(label, turn):
    """Turn a label map on `BOARD` by the vote, and by scipy's nearest neighbour."""
    _, voted = resample(label, label, BOARD, BOARD, through=CoordinateMap(turn))
    matrix = index_map(BOARD, BOARD, turn)
    where = matrix[:, :3] @ np.indices(BOARD.shape).reshape(3, -1) + matrix[:, 3:]
    nearest = map_coordinates(label, where, order=0)
    return voted, nearest.reshape(BOARD.shape)


def test_thin_plate_keeps_its_volume_over_100_rotations():
    plate = np.zeros(BOARD.shape, np.uint8)
    plate[16:19, 9:32, 8:28] = 5  # 3 x 23 x 20 voxels, a diagonal of 29 mm

    shares = [
        [np.count_nonzero(found) for found in vote_and_nearest(plate, turn)]
        for turn in random_turns(100)
    ]

    voted, nearest = np.transpose(shares) / np.count_nonzero(plate)
    # The vote rounds the edges off; nearest counts the voxel centres in the plate.
    assert 0.98 < voted.mean() < 1
    assert np.abs(voted - 1).mean() < 0.02
    assert nearest.mean() == pytest.approx(1, abs=0.005)


def test_slanting_plate_lies_nearer_to_the_truth_than_by_nearest():
    centers = BOARD.to_world(np.moveaxis(np.indices(BOARD.shape), 0, -1)) - BOARD.center

    def plate(turn):
        return (np.abs(centers @ turn.T) < (1.5, 11.5, 10)).all(axis=-1)

    for slant, turn in zip(random_turns(12, 1), random_turns(12, 2), strict=True):
        truth = plate(slant @ turn)
        found = vote_and_nearest(plate(slant).astype(np.uint8), turn)
        voted, nearest = (np.mean((label > 0) != truth) for label in found)

        assert 0 < voted < 0.9 * nearest


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
def test_outside_of_a_normalised_scan_is_its_own_darkest_value(name):
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
