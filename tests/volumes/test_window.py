import numpy as np
import pytest

from volumes.window import find_window, find_window_around


def test_window_holds_the_percentiles_of_the_finite_voxels():
    image = np.arange(1001.0).reshape(7, 11, 13)
    image[0, 0, 0] = np.nan  # leaves 1..1000: 1 + 0.01 * 999 and 1 + 0.985 * 999

    assert find_window(image) == pytest.approx((10.99, 985.015))


def test_window_without_a_finite_voxel_is_empty():
    assert find_window(np.full((2, 3, 4), np.nan)) == (0.0, 0.0)


def test_window_around_labels_leaves_out_what_is_further_away_than_15_mm():
    image = np.zeros((2, 20, 40))
    image[:, :8] = 100.0
    image[:, 8:] = 1000.0  # as fat next to the coil
    labels = np.zeros(image.shape, np.uint8)
    labels[1, 2, 20] = 3  # j up to 2 + 15 / 3 = 7

    window = find_window_around(image, labels, (5.0, 3.0, 1.0))

    assert window == (100.0, 100.0)
    assert find_window_around(image, 0 * labels, (5.0, 3.0, 1.0)) == (100.0, 1000.0)
