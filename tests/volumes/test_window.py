import numpy as np
import pytest

from volumes.window import find_window


def test_window_holds_the_percentiles_of_the_finite_voxels():
    image = np.arange(1001.0).reshape(7, 11, 13)
    image[0, 0, 0] = np.nan  # leaves 1..1000: 1 + 0.01 * 999 and 1 + 0.985 * 999

    assert find_window(image) == pytest.approx((10.99, 985.015))


def test_window_without_a_finite_voxel_is_empty():
    assert find_window(np.full((2, 3, 4), np.nan)) == (0.0, 0.0)
