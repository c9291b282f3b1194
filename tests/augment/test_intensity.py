import numpy as np
import pytest
from scipy import stats

from augment.compose import TRANSFORMS
from augment.contrast_curve import ContrastCurve
from augment.intensity import (
    BiasField,
    Brightness,
    Contrast,
    Gamma,
    GaussianBlur,
    GaussianNoise,
    LowResolution,
    RicianNoise,
)
from augment.transform import IntensityTransform

SHAPE, SPACING = (6, 9, 11), (4.0, 0.7, 1.3)
DRAWN = {
    GaussianBlur: 1.5,
    LowResolution: {"axis": 1, "factor": 2.6},
    ContrastCurve: {"places": [0.0, 0.4, 1.0], "heights": [0.2, 0.9, 0.1]},
    Gamma: 1.7,
    Brightness: -0.4,
    Contrast: 1.3,
    BiasField: [0.2, -0.3, 0.1, 0.25, -0.15, 0.3],
    GaussianNoise: {"std": 0.3, "seed": 7},
    RicianNoise: {"std": 0.3, "seed": 7},
}


def rng(seed=0):
    return np.random.default_rng(seed)


def test_every_intensity_transform_is_tested():
    assert set(DRAWN) == {
        t for t in TRANSFORMS.values() if issubclass(t, IntensityTransform)
    }


@pytest.mark.parametrize("transform", DRAWN, ids=lambda kind: kind.name)
def test_transforms_are_pure_and_change_nothing_in_place(transform):
    image = rng().standard_normal(SHAPE, dtype=np.float32)
    before = image.copy()

    first = transform.apply(image, DRAWN[transform], SPACING)
    second = transform.apply(image, DRAWN[transform], SPACING)

    np.testing.assert_array_equal(image, before)
    np.testing.assert_array_equal(first, second)
    assert first.dtype == np.float32
    assert np.abs(first - image).max() > 0.05


@pytest.mark.parametrize("transform", DRAWN, ids=lambda kind: kind.name)
def test_view_of_a_larger_array_gives_the_same_as_its_copy(transform):
    volume = rng().standard_normal((9, 12, 20), dtype=np.float32)
    box = volume[2:8, 1:10, 3:14]

    found = transform.apply(box, DRAWN[transform], SPACING)

    alone = transform.apply(box.copy(), DRAWN[transform], SPACING)
    np.testing.assert_allclose(found, alone, atol=1e-6)


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 9, 4), (5, 1, 3), (4, 3, 1)])
@pytest.mark.parametrize("transform", DRAWN, ids=lambda kind: kind.name)
def test_volume_of_a_slice_or_a_voxel_stays_finite(transform, shape):
    image = rng().standard_normal(shape, dtype=np.float32)

    changed = transform.apply(image, DRAWN[transform], SPACING)

    assert changed.shape == shape
    assert np.isfinite(changed).all()


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("sigma", [0.0, 0.1, 2.0])
def test_blurred_image_never_shares_the_scan_s_memory(sigma, order):
    image = np.array(rng().standard_normal(SHAPE, dtype=np.float32), order=order)

    assert not np.shares_memory(GaussianBlur.apply(image, sigma, SPACING), image)


def test_blur_is_the_same_in_mm_along_every_axis():
    image = np.zeros((21, 61, 41), np.float32)
    image[10, 30, 20] = 1000
    spacing = (2.0, 0.5, 1.0)

    blurred = GaussianBlur.apply(image, 2.0, spacing)

    assert blurred.sum() == pytest.approx(1000, rel=1e-3)
    for axis, step in enumerate(spacing):
        profile = blurred.sum(axis=tuple({0, 1, 2} - {axis}))
        mm = (np.arange(len(profile)) - len(profile) // 2) * step
        # Cut off at three sigma, a Gaussian keeps 98.7 % of its spread.
        spread = np.sqrt((profile * mm**2).sum() / profile.sum())
        assert spread == pytest.approx(2, rel=0.03)


def test_blur_skips_an_axis_of_thick_slices():
    image = rng().standard_normal((5, 9, 9), dtype=np.float32)

    # 0.6 / 4 of a voxel is below a sixth.
    blurred = GaussianBlur.apply(image, 0.6, (4.0, 0.7, 0.7))

    alone = GaussianBlur.apply(image[2:3], 0.6, (4.0, 0.7, 0.7))
    np.testing.assert_allclose(blurred[2:3], alone, atol=1e-5)


def test_gamma_by_hand_keeps_the_ends_and_moves_the_middle():
    image = np.array([-2, 0, 2, 6], np.float32).reshape(1, 2, 2)

    curved = Gamma.apply(image, 2.0, SPACING)

    # Shares 0, 1/4, 1/2, 1 of a range of 8 squared: 0, 1/16, 1/4, 1.
    np.testing.assert_allclose(curved.ravel(), (-2, -1.5, 0, 6), atol=1e-6)


@pytest.mark.parametrize("exponent", [0.2, 0.7, 1.0, 3.0])
def test_gamma_keeps_both_ends_and_the_order_of_intensities(exponent):
    image = np.linspace(-1.7, 4.3, 5000, dtype=np.float32).reshape(5, 10, 100)

    curved = Gamma.apply(image, exponent, SPACING).ravel()

    np.testing.assert_allclose(curved[[0, -1]], (-1.7, 4.3), atol=1e-6)
    assert (np.diff(curved) >= 0).all()
    middle = (curved - image.ravel())[1:-1]
    assert ((middle > -1e-6) if exponent < 1 else (middle < 1e-6)).all()


def test_gamma_leaves_a_constant_image_as_it_is():
    image = np.full((2, 3, 4), -3.5, np.float32)

    curved = Gamma.apply(image, 1.7, SPACING)

    np.testing.assert_array_equal(curved, image)
    assert curved is not image


def test_gamma_is_drawn_equally_often_below_and_above_one():
    draws = [Gamma(0.5, 2).draw(random) for random in [rng()] for _ in range(2000)]

    # Uniform in the logarithm: half of the draws below 1, +- four deviations.
    assert np.mean(np.array(draws) < 1) == pytest.approx(0.5, abs=4 * 0.5 / 2000**0.5)
    assert 0.5 <= min(draws) < max(draws) <= 2


def test_brightness_by_hand():
    image = np.array([-2, 0, 3], np.float32).reshape(3, 1, 1)

    brighter = Brightness.apply(image, 0.5, SPACING)

    np.testing.assert_array_equal(brighter.ravel(), (-1.5, 0.5, 3.5))


def test_contrast_by_hand_keeps_the_mean():
    image = np.array([0, 1, 5], np.float32).reshape(1, 3, 1)

    # About the mean of 2: -2, -1, 3, times 3 or a half.
    more, less = (Contrast.apply(image, factor, SPACING) for factor in (3.0, 0.5))

    np.testing.assert_allclose(more.ravel(), (-4, -1, 11), atol=1e-6)
    np.testing.assert_allclose(less.ravel(), (1, 1.5, 3.5), atol=1e-6)


def test_contrast_keeps_the_mean_of_a_large_dark_image():
    image = rng().normal(-900, 3, (40, 50, 60)).astype(np.float32)

    changed = Contrast.apply(image, 1.8, SPACING)

    assert changed.mean(dtype=float) == pytest.approx(image.mean(dtype=float), abs=1e-3)
    assert changed.std(dtype=float) == pytest.approx(1.8 * image.std(dtype=float))


def test_bias_field_by_hand_at_corners_and_in_the_middle():
    image = np.full((3, 5, 7), 5, np.float32)
    image[0, 1, 1] = 3  # the darkest voxel, above which the field is multiplied
    drawn = [0.3, 0.6, -0.2, 0.0, 0.1, -0.9]

    biased = BiasField.apply(image, drawn, SPACING)

    # The logarithm along I is 0.3 u + 0.6 (u^2 - 1/3): 0.1 at -1, -0.2 at 0, 0.7 at 1;
    # along J -0.2 u; along K 0.1 u - 0.9 (u^2 - 1/3): -0.7, 0.3, -0.5.
    logarithms = {
        (0, 0, 0): 0.1 + 0.2 - 0.7,
        (2, 0, 0): 0.7 + 0.2 - 0.7,
        (0, 4, 0): 0.1 - 0.2 - 0.7,
        (2, 4, 6): 0.7 - 0.2 - 0.5,
        (1, 2, 3): -0.2 + 0.3,
        (1, 1, 3): -0.2 + 0.1 + 0.3,  # halfway to the end along J
    }
    for voxel, logarithm in logarithms.items():
        assert biased[voxel] == pytest.approx(3 + 2 * np.exp(logarithm))
    assert biased[0, 1, 1] == 3


def test_bias_field_of_coefficients_0_is_the_identity():
    image = rng().standard_normal(SHAPE, dtype=np.float32)

    np.testing.assert_allclose(
        BiasField.apply(image, [0.0] * 6, SPACING), image, atol=1e-6
    )


@pytest.mark.parametrize(
    ("transform", "low", "high"),
    [
        (GaussianBlur(3), 0, 3),
        (Brightness(0.4), -0.4, 0.4),
        (Contrast(0.7, 1.6), 0.7, 1.6),
        (BiasField(0.3), -0.3, 0.3),
    ],
    ids=["blur", "brightness", "contrast", "bias field"],
)
def test_drawn_values_fill_their_range(transform, low, high):
    random = rng()

    drawn = np.array([transform.draw(random) for _ in range(500)])

    # Of 500 uniform draws none lies in an outer 2 % with odds of 0.98^500, 4e-5.
    margin = 0.02 * (high - low)
    assert ((low <= drawn) & (drawn <= high)).all()
    assert (drawn.min(axis=0) < low + margin).all()
    assert (drawn.max(axis=0) > high - margin).all()
    assert drawn.shape == ((500, 6) if transform.name == "bias_field" else (500,))


def test_gaussian_noise_has_the_drawn_standard_deviation():
    image = np.linspace(-2, 5, 24_000, dtype=np.float32).reshape(20, 30, 40)

    noise = GaussianNoise.apply(image, {"std": 0.3, "seed": 7}, SPACING) - image

    # Four deviations: of a mean 0.3 / sqrt(n), of a spread 0.3 / sqrt(2 n).
    assert noise.mean() == pytest.approx(0, abs=4 * 0.3 / 24000**0.5)
    assert noise.std() == pytest.approx(0.3, abs=4 * 0.3 / 48000**0.5)
    # As strong where the image is dark as where it is bright.
    assert noise[:10].std() == pytest.approx(noise[10:].std(), rel=0.05)


def test_rician_noise_lifts_the_background_to_a_rayleigh_distribution():
    image = np.full((31, 40, 50), -1.5, np.float32)

    lifted = RicianNoise.apply(image, {"std": 0.4, "seed": 7}, SPACING) + 1.5

    # Rayleigh: mean std sqrt(pi / 2), variance std^2 (2 - pi / 2), mean square 2 std^2.
    deviation = 0.4 * np.sqrt(2 - np.pi / 2)
    bound = 5 / np.sqrt(image.size)
    assert lifted.mean() == pytest.approx(
        0.4 * np.sqrt(np.pi / 2), abs=bound * deviation
    )
    # The square is exponential, so it deviates by as much as its mean.
    assert (lifted**2).mean() == pytest.approx(2 * 0.16, abs=bound * 2 * 0.16)
    assert lifted.min() >= 0
    assert stats.kstest(lifted.ravel(), "rayleigh", (0, 0.4)).pvalue > 1e-3


def test_rician_noise_of_a_signal_follows_the_rice_distribution():
    image = np.full((31, 40, 50), 3, np.float32)
    image[0, 0, 0] = -1  # the darkest voxel, from which signal is counted

    signal = RicianNoise.apply(image, {"std": 0.4, "seed": 7}, SPACING).ravel()[1:] + 1

    expected = stats.rice(4 / 0.4, scale=0.4)
    bound = 5 / np.sqrt(signal.size)
    assert signal.mean() == pytest.approx(expected.mean(), abs=bound * 0.4)
    assert signal.std() == pytest.approx(expected.std(), abs=bound * 0.4)
    # 4 + 0.4^2 / 8: lifted by the noise of the other channel.
    assert expected.mean() == pytest.approx(4.02, abs=1e-3)


def test_drawn_std_fills_its_range_and_each_draw_has_its_own_seed():
    random = np.random.default_rng(0)
    for transform in (GaussianNoise(0.5), RicianNoise(0.5)):
        drawn = [transform.draw(random) for _ in range(500)]

        # Of 500 uniform draws none lies in an outer 2 % with odds of 0.98^500, 4e-5.
        spreads = [values["std"] for values in drawn]
        assert 0 <= min(spreads) < 0.01
        assert 0.49 < max(spreads) <= 0.5
        assert len({values["seed"] for values in drawn}) == 500
