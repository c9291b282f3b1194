import numpy as np
import pytest
from scipy.ndimage import map_coordinates
from scipy.spatial.transform import Rotation

from volumes.geometry import Grid, affine_from
from volumes.resample import CoordinateMap, index_map, resample

BOARD = Grid((34, 41, 37), affine_from((1.2, 0.9, 1.0)))


def random_rotations(count, seed=0):
    """Uniformly distributed rotation matrices."""
    quaternions = np.random.default_rng(seed).standard_normal((count, 4))
    return Rotation.from_quat(quaternions).as_matrix()


def vote_and_nearest(label, rotation):
    """Rotate a label map on `BOARD`, by the vote and by scipy's nearest neighbour."""
    _, voted = resample(label, label, BOARD, BOARD, through=CoordinateMap(rotation))
    matrix = index_map(BOARD, BOARD, rotation)
    where = matrix[:, :3] @ np.indices(BOARD.shape).reshape(3, -1) + matrix[:, 3:]
    nearest = map_coordinates(label, where, order=0)
    return voted, nearest.reshape(BOARD.shape)


def test_thin_plate_keeps_its_volume_over_100_rotations():
    plate = np.zeros(BOARD.shape, np.uint8)
    plate[16:19, 9:32, 8:28] = 5  # 3 x 23 x 20 voxels, a diagonal of 29 mm

    shares = [
        [np.count_nonzero(found) for found in vote_and_nearest(plate, rotation)]
        for rotation in random_rotations(100)
    ]

    voted, nearest = np.transpose(shares) / np.count_nonzero(plate)
    # The vote rounds the edges off; nearest counts the voxel centres in the plate.
    assert 0.98 < voted.mean() < 1
    assert np.abs(voted - 1).mean() < 0.02
    assert nearest.mean() == pytest.approx(1, abs=0.005)


def test_slanting_plate_is_closer_to_the_truth_than_by_nearest_neighbour():
    centers = BOARD.to_world(np.moveaxis(np.indices(BOARD.shape), 0, -1)) - BOARD.center

    def plate(turn):
        return (np.abs(centers @ turn.T) < (1.5, 11.5, 10)).all(axis=-1)

    for slant, turn in zip(
        random_rotations(12, 1), random_rotations(12, 2), strict=True
    ):
        truth = plate(slant @ turn)
        found = vote_and_nearest(plate(slant).astype(np.uint8), turn)
        voted, nearest = (np.mean((label > 0) != truth) for label in found)

        assert 0 < voted < 0.9 * nearest
