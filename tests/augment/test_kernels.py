import numba
import numpy as np
import pytest
from scipy import stats

from augment.intensity import GaussianNoise, RicianNoise
from augment.kernels import add_gaussian, add_rician, apply_gamma

SPACING = (4.0, 0.7, 1.3)
COUNT = 300_001  # odd, and no multiple of what a thread takes at a time


def standard(seed=7, count=COUNT):
    """Noise of deviation 1 about 0."""
    out = np.empty(count, np.float32)
    add_gaussian(np.zeros(count, np.float32), np.uint64(seed), np.float32(1), out)
    return out.astype(np.float64)


def test_noise_has_the_moments_of_a_normal_distribution():
    noise = standard()

    # Five standard deviations of each estimate from n normal figures.
    bound = 5 / np.sqrt(COUNT)
    assert noise.mean() == pytest.approx(0, abs=bound)
    assert noise.std() == pytest.approx(1, abs=bound / np.sqrt(2))
    assert stats.skew(noise) == pytest.approx(0, abs=bound * np.sqrt(6))
    assert stats.kurtosis(noise) == pytest.approx(0, abs=bound * np.sqrt(24))


def test_noise_is_distributed_normally_out_to_its_tails():
    noise = standard()

    assert stats.kstest(noise, "norm").pvalue > 1e-3
    for threshold in (1, 2, 3, 4):
        share = stats.norm.sf(threshold)
        deviation = np.sqrt(share * (1 - share) / COUNT)
        for tail in (noise > threshold, noise < -threshold):
            assert tail.mean() == pytest.approx(share, abs=5 * deviation)


@pytest.mark.parametrize("distance", [1, 2, 3, 11, 4096, 150_000])
def test_noise_of_one_voxel_says_nothing_about_another(distance):
    noise = standard()
    first, second = noise[:-distance], noise[distance:]

    # Five deviations of the correlation of as many independent pairs; squares show
    # a dependence of the spread.
    bound = 5 / np.sqrt(len(first))
    assert abs(np.corrcoef(first, second)[0, 1]) < bound
    assert abs(np.corrcoef(first**2, second**2)[0, 1]) < bound


@pytest.mark.parametrize("other", [8, 9, 7 + 2**31, 2**32 - 1, 0])
def test_noise_of_another_seed_is_unrelated(other):
    first, second = standard(7), standard(other)

    for distance in (0, 1, 2):
        shifted = np.corrcoef(first[distance:], second[: COUNT - distance])[0, 1]
        assert abs(shifted) < 5 / np.sqrt(COUNT - distance)


@pytest.mark.parametrize("count", [1, 2, 3, 4095, 4096, 4097, 8193])
def test_noise_of_any_length_begins_as_that_of_a_longer_image(count):
    found = standard(count=count)

    assert np.isfinite(found).all()
    np.testing.assert_allclose(found, standard()[:count], atol=1e-6)


@pytest.mark.parametrize("count", [1, 2, 4097, 20_001])
def test_bytes_do_not_depend_on_the_number_of_threads(count):
    before = numba.get_num_threads()
    if numba.config.NUMBA_NUM_THREADS < 2:
        pytest.skip("one thread only")
    flat = np.random.default_rng(0).standard_normal(count, dtype=np.float32)
    low, seed, std = flat.min(), np.uint64(3), np.float32(0.37)
    made = []

    try:
        for threads in (1, 2):
            numba.set_num_threads(threads)
            outs = np.empty((3, count), np.float32)
            add_gaussian(flat, seed, std, outs[0])
            add_rician(flat, seed, std, low, outs[1])
            apply_gamma(flat, low, low + np.float32(9), np.float32(1.37), outs[2])
            made.append(outs.tobytes())
    finally:
        numba.set_num_threads(before)

    assert made[0] == made[1]


def test_gaussian_noise_is_added_with_the_drawn_spread():
    image = np.linspace(-2, 5, 24_000, dtype=np.float32).reshape(20, 30, 40)

    noise = GaussianNoise.apply(image, {"std": 0.3, "seed": 7}, SPACING) - image

    # Four deviations: of a mean 0.3 / sqrt(n), of a spread 0.3 / sqrt(2 n).
    assert noise.mean() == pytest.approx(0, abs=4 * 0.3 / 24000**0.5)
    assert noise.std() == pytest.approx(0.3, abs=4 * 0.3 / 48000**0.5)
    # As strong where the image is dark as where it is bright.
    assert noise[:10].std() == pytest.approx(noise[10:].std(), rel=0.05)


def test_rician_noise_lifts_the_background_by_its_formula():
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


def test_rician_noise_is_that_of_a_magnitude_where_there_is_signal():
    image = np.full((31, 40, 50), 3, np.float32)
    image[0, 0, 0] = -1  # the darkest voxel, from which signal is counted

    signal = RicianNoise.apply(image, {"std": 0.4, "seed": 7}, SPACING).ravel()[1:] + 1

    expected = stats.rice(4 / 0.4, scale=0.4)
    bound = 5 / np.sqrt(signal.size)
    assert signal.mean() == pytest.approx(expected.mean(), abs=bound * 0.4)
    assert signal.std() == pytest.approx(expected.std(), abs=bound * 0.4)
    # 4 + 0.4^2 / 8: lifted by the noise of the other channel.
    assert expected.mean() == pytest.approx(4.02, abs=1e-3)


def test_drawn_spread_fills_its_range_and_each_draw_has_its_own_seed():
    random = np.random.default_rng(0)
    for transform in (GaussianNoise(0.5), RicianNoise(0.5)):
        drawn = [transform.draw(random) for _ in range(500)]

        # Of 500 uniform draws none lies in an outer 2 % with odds of 0.98^500, 4e-5.
        spreads = [values["std"] for values in drawn]
        assert 0 <= min(spreads) < 0.01
        assert 0.49 < max(spreads) <= 0.5
        assert len({values["seed"] for values in drawn}) == 500
