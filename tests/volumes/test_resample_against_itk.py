import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from support.itk import GRIDS, check_against_itk, itk_affine, make_scan

from volumes.geometry import canonical_grid
from volumes.resample import CoordinateMap, resample

ROTATED = Rotation.from_euler("xyz", [-8, 5, 12], degrees=True).as_matrix() / 1.1
SHIFT = np.array([1.7, -2.3, 0.9])


@pytest.mark.parametrize(
    ("matrix", "shift"),
    [(np.eye(3), np.zeros(3)), (ROTATED, np.zeros(3)), (ROTATED, SHIFT)],
    ids=["identity", "rotated", "rotated and shifted"],
)
@pytest.mark.parametrize("name", GRIDS)
def test_image_and_labels_equal_simpleitk(name, matrix, shift):
    source, spacing, shape = GRIDS[name]
    target = canonical_grid(source, spacing, shape)
    image, label = make_scan(source)
    through = CoordinateMap(np.column_stack([matrix, shift]))

    found = resample(image, label, source, target, background=-950.0, through=through)

    expected = itk_affine(target, matrix, shift)
    check_against_itk(found, (image, label), source, target, expected, -950.0)
