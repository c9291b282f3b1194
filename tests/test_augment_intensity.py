import numpy as np
import pytest

from augment.intensity import Gamma, GaussianBlur, GaussianNoise

SHAPE, SPACING = (6, 9, 11), (4.0, 0.7, 1.3)


def rng(seed=0):
    return np.random.default_rng(seed)


def test_blur_is_the_same_in_mm_along_every_axis():
    image = np.zeros((21, 61, 41), np.float32)
    image[10, 30, 20] = 1000
    spacing = (2.0, 0.5, 1.0)

    blurred = GaussianBlur(5).apply(image, 2.0, spacing)

    assert blurred.sum() == pytest.approx(1000, rel=1e-3)
    for axis, step in enumerate(spacing):
        profile = blurred.sum(axis=tuple({0, 1, 2} - {axis}))
        mm = (np.arange(len(profile)) - len(profile) // 2) * step
        # Cut off at three sigma, a Gaussian keeps 98.7 % of its spread.
        spread = np.sqrt((profile * mm**2).sum() / profile.sum())
        assert spread == pytest.approx(2, rel=0.03)


def test_blur_leaves_an_axis_of_thick_slices_alone():
    image = rng().standard_normal((5, 9, 9), dtype=np.float32)

    # 0.7 / 4 of a voxel is below a fifth.
    blurred = GaussianBlur(1).apply(image, 0.7, (4.0, 0.7, 0.7))

    alone = GaussianBlur(1).apply(image[2:3], 0.7, (4.0, 0.7, 0.7))
    np.testing.assert_allclose(blurred[2:3], alone, atol=1e-5)


def test_gamma_by_hand_keeps_the_ends_and_moves_the_middle():
    image = np.array([-2, 0, 2, 6], np.float32).reshape(1, 2, 2)

    bent = Gamma(0.5, 2).apply(image, 2.0, SPACING)

    # Shares 0, 1/4, 1/2, 1 of a range of 8 squared: 0, 1/16, 1/4, 1.
    np.testing.assert_allclose(bent.ravel(), (-2, -1.5, 0, 6), atol=1e-6)


def test_gamma_leaves_a_constant_image_as_it_is():
    image = np.full((2, 3, 4), -3.5, np.float32)

    bent = Gamma(0.5, 2).apply(image, 1.7, SPACING)

    np.testing.assert_array_equal(bent, image)
    assert bent is not image


def test_gamma_below_and_above_one_are_drawn_alike():
    draws = [Gamma(0.5, 2).draw(random) for random in [rng()] for _ in range(2000)]

    # Uniform in the logarithm: half of the draws below 1, +- four deviations.
    assert np.mean(np.array(draws) < 1) == pytest.approx(0.5, abs=4 * 0.5 / 2000**0.5)
    assert 0.5 <= min(draws) < max(draws) <= 2


def test_noise_has_the_drawn_spread_and_no_mean():
    image = np.full((20, 30, 40), 5, np.float32)

    noise = GaussianNoise(0.5).apply(image, {"std": 0.3, "seed": 7}, SPACING) - 5

    # Four deviations: of a mean 0.3 / sqrt(n), of a spread 0.3 / sqrt(2 n).
    assert noise.mean() == pytest.approx(0, abs=4 * 0.3 / 24000**0.5)
    assert noise.std() == pytest.approx(0.3, abs=4 * 0.3 / 48000**0.5)
    assert abs(np.corrcoef(noise[:-1].ravel(), noise[1:].ravel())[0, 1]) < 0.03


@pytest.mark.parametrize(
    ("transform", "drawn"),
    [
        (GaussianBlur(3), 1.5),
        (Gamma(0.5, 2), 1.7),
        (GaussianNoise(0.5), {"std": 0.3, "seed": 7}),
    ],
)
def test_grey_transforms_are_pure_and_change_nothing_in_place(transform, drawn):
    image = rng().standard_normal(SHAPE, dtype=np.float32)
    before = image.copy()

    first = transform.apply(image, drawn, SPACING)
    second = transform.apply(image, drawn, SPACING)

    np.testing.assert_array_equal(image, before)
    np.testing.assert_array_equal(first, second)
    assert first.dtype == np.float32
    assert np.abs(first - image).max() > 0.05
