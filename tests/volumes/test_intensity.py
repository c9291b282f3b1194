import json

import numpy as np
import pytest

from volumes.intensity import Intensity, measure_intensity

# Ten MR voxels: percentiles 0.5 and 99.5 lie 0.045 of a step within the ends.
TEN = np.arange(10, dtype=np.float32).reshape(1, 2, 5) * 100


def test_tiny_values_are_scaled_like_any_other():
    image = np.arange(1000, dtype=np.float32)

    tiny = measure_intensity(image * np.float32(1e-25), ("zscore",))
    least = measure_intensity(image * np.float32(1e-36), ("zscore",))

    assert tiny.scale == pytest.approx(
        1e-25 * measure_intensity(image, ("zscore",)).scale
    )
    assert least.scale == 1


def test_zscore_is_of_the_scan_s_own_voxels_by_hand():
    found = measure_intensity(TEN, ("auto",))

    # 0.5 % of nine steps of 100; symmetric, so the mean stays 450.
    assert found.kind == "zscore"
    assert (found.low, found.high) == pytest.approx((4.5, 895.5), rel=1e-6)
    assert found.center == pytest.approx(450, rel=1e-6)
    # Distances from the mean: 445.5, 350, 250, 150, 50, twice each.
    squares = (445.5**2 + 350**2 + 250**2 + 150**2 + 50**2) / 5
    assert found.scale == pytest.approx(np.sqrt(squares), rel=1e-6)


def test_normalised_scan_has_mean_0_and_spread_1():
    image = np.random.default_rng(0).gamma(2, 150, (9, 20, 30)).astype(np.float32)

    normalised = measure_intensity(image, ("zscore",)).normalise(image)

    assert normalised.dtype == np.float32
    assert normalised.mean() == pytest.approx(0, abs=1e-4)
    assert normalised.std() == pytest.approx(1, abs=1e-4)


def test_one_bright_voxel_in_a_thousand_changes_nothing():
    image = np.random.default_rng(0).uniform(0, 9, (10, 10, 30)).astype(np.float32)
    spoilt = image.copy()
    spoilt[3, 4, 5] = 1e6

    before, after = (measure_intensity(a, ("zscore",)) for a in (image, spoilt))

    assert after.high == pytest.approx(before.high, rel=0.01)
    assert after.scale == pytest.approx(before.scale, rel=0.01)


@pytest.mark.parametrize(
    ("air", "kind", "low"), [(-1000, "window", -200), (-499, "zscore", -499)]
)
def test_ct_is_told_by_its_air(air, kind, low):
    image = np.full((4, 5, 10), 40, np.int16)
    image[0] = air  # a quarter of the voxels

    found = measure_intensity(image, ("auto",))

    assert found.kind == kind
    assert found.low == low


def test_single_low_voxel_does_not_make_a_ct():
    image = np.random.default_rng(0).uniform(0, 9, (10, 10, 30))
    image[0, 0, 0] = -32768

    assert measure_intensity(image, ("auto",)).kind == "zscore"


def test_window_maps_its_ends_to_minus_one_and_one():
    found = measure_intensity(TEN, ("window", -100.0, 300.0))

    values = np.array([-2000, -100, 0, 100, 300, 3000], np.float32)
    np.testing.assert_allclose(
        found.normalise(values), (-1, -1, -0.5, 0, 1, 1), atol=1e-6
    )


def test_asking_for_zscore_gives_it_to_a_ct_too():
    found = measure_intensity(TEN - 1000, ("zscore",))

    assert found.kind == "zscore"
    assert found.center == pytest.approx(-550)


@pytest.mark.parametrize("value", [0, 7, 0.1, -3.7, 1000.3])
@pytest.mark.parametrize("size", [1, 1000, 10007])
def test_constant_scan_gets_scale_1_and_becomes_0(value, size):
    image = np.full((1, size, 1), value, np.float32)

    found = measure_intensity(image, ("auto",))

    assert found.scale == 1
    np.testing.assert_allclose(found.normalise(image), 0, atol=1e-3)


def test_background_is_the_lower_clip():
    assert Intensity("window", -200, 1000, 400, 600).background == -200
    assert measure_intensity(TEN, ("zscore",)).background == pytest.approx(4.5)


def test_normalising_leaves_the_scan_as_it_is():
    image = TEN.copy()

    measure_intensity(image, ("auto",)).normalise(image)

    np.testing.assert_array_equal(image, TEN)


def test_measure_does_not_depend_on_memory_order_when_every_voxel_counts():
    image = np.random.default_rng(0).gamma(2, 150, (7, 20, 30)).astype(np.float32)

    found = measure_intensity(np.asfortranarray(image), ("zscore",))

    expected = measure_intensity(image, ("zscore",))
    assert found.scale == pytest.approx(expected.scale, rel=1e-5)
    assert found.center == pytest.approx(expected.center, rel=1e-5)


def test_large_scan_is_sampled_evenly():
    # 2.4 million voxels, bright in every second plane of the last axis: a step
    # of two would see one kind alone, a step of three sees both alike.
    image = np.zeros((100, 120, 200), np.float32)
    image[..., ::2] = 100

    found = measure_intensity(image, ("zscore",))

    assert found.center == pytest.approx(50, abs=0.01)
    assert found.scale == pytest.approx(50, abs=0.01)


def test_values_survive_json():
    found = measure_intensity(TEN, ("auto",))

    assert Intensity(**json.loads(json.dumps(found.to_dict()))) == found
