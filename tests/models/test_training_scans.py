from dataclasses import replace

import numpy as np
import pytest

from cube.reader import Cube
from models.model_file import read_metadata
from models.training_scans import describe_misplacement, measure_training_scans
from volumes.formats.files import read_label_map, read_volume


def test_network_stores_what_its_training_scans_are_like(small_cube, small_run):
    with Cube(small_cube) as cube:
        ranges = measure_training_scans(cube)

    assert read_metadata(small_run / "model.keras").training == ranges
    # Its values of -80 to 600 could be HU.
    assert (ranges.num_scans, ranges.num_hounsfield) == (1, 1)
    assert ranges.ranges["spacing"] == pytest.approx((2.5, 2.5))
    # Two boxes of 3 x 5 x 3 voxels of 1.5 x 2 x 2.5 mm, in voxels of 2 mm.
    low, high = ranges.ranges["volume"]
    assert low == high
    assert abs(low - 2 * 3 * 5 * 3 * 0.0075) < 0.15 * low


def test_training_scan_is_like_itself_and_a_shifted_contrast_is_not(
    small_cube, small_run
):
    metadata = read_metadata(small_run / "model.keras")
    image = read_volume(small_cube.parent / "ann.nrrd")
    reference = read_label_map(small_cube.parent / "ann_reference.seg.nrrd")
    classes = (reference.array > 0).astype(np.uint8)

    assert describe_misplacement(image, classes, metadata) == ""
    assert describe_misplacement(image, classes, replace(metadata, training=None)) == ""
    inverted = replace(image, array=-image.array)
    found = describe_misplacement(inverted, classes, metadata)
    assert found.startswith("the scan is unlike the training scan: ")
    assert "; the prediction is unlike the labels of the training scan: me" in found
