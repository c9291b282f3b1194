import numpy as np
import pytest

from augment.contrast_curve import ContrastCurve

SPACING = (1.0, 1.0, 1.0)


def ramp():
    """Return a volume whose 1st and 99th percentile are .01 and .99."""
    return np.linspace(0, 1, 1001, dtype=np.float32).reshape(7, 11, 13)


def test_curve_by_hand_turns_dark_and_bright_into_the_same():
    image = ramp()

    found = ContrastCurve.apply(
        image, {"places": [0, 0.5, 1], "heights": [0, 1, 0]}, SPACING
    )

    # A tent over .01 to .99, with the mean and the deviation of the ramp.
    tent = 1 - np.clip(np.abs(image - 0.5) / 0.49, 0, 1)
    scale = image.std() / tent.std()
    expected = (tent - tent.mean()) * scale + image.mean()
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert found.dtype == np.float32


def test_beyond_the_percentiles_the_curve_is_flat():
    found = ContrastCurve.apply(
        ramp(), {"places": [0, 1], "heights": [0.2, 0.7]}, SPACING
    ).ravel()

    assert np.ptp(found[:11]) == 0 == np.ptp(found[990:])
    assert (np.diff(found[11:990]) > 0).all()


@pytest.mark.parametrize("seed", range(5))
def test_mean_and_deviation_stay(seed):
    rng = np.random.default_rng(seed)
    image = rng.normal(3, 20, (9, 10, 11)).astype(np.float32)

    found = ContrastCurve.apply(image, ContrastCurve(p=1).draw_parameters(rng), SPACING)

    assert found.mean() == pytest.approx(image.mean(), abs=1e-3)
    assert found.std() == pytest.approx(image.std(), rel=1e-4)


@pytest.mark.parametrize(
    ("image", "heights"),
    [
        (np.full((3, 4, 5), 7.5), [0.0, 1.0]),
        (np.linspace(0, 1, 60).reshape(3, 4, 5), [0.4, 0.4]),
        (np.eye(10)[None] * np.arange(10)[:, None, None] ** 5, [0.0, 0.0]),
    ],
    ids=["constant image", "flat curve", "few bright voxels, flat curve"],
)
def test_image_without_contrast_stays(image, heights):
    image = image.astype(np.float32)

    found = ContrastCurve.apply(image, {"places": [0, 1], "heights": heights}, SPACING)

    np.testing.assert_array_equal(found, image)
    assert found is not image


def test_draws_three_to_six_knots_in_order_that_rise_and_fall():
    rng = np.random.default_rng(0)
    drawn = [ContrastCurve(p=1).draw_parameters(rng) for _ in range(400)]

    assert {len(each["places"]) for each in drawn} == {3, 4, 5, 6}
    for each in drawn:
        places, heights = each["places"], each["heights"]
        assert len(places) == len(heights)
        assert (places[0], places[-1]) == (0, 1)
        assert (np.diff(places) > 0).all()
        assert min(heights) >= 0
        assert max(heights) <= 1
    # Of two independent heights, either is the larger in half of the draws.
    rises = np.mean([each["heights"][-1] > each["heights"][0] for each in drawn])
    assert rises == pytest.approx(0.5, abs=0.1)
