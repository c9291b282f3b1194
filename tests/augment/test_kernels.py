import numba
import numpy as np
import pytest
from scipy import stats

from augment.kernels import add_gaussian, add_rician, apply_gamma

COUNT = 300_001  # odd, and no multiple of the block that a thread processes


def standard_noise(seed=7, count=COUNT):
    """Noise of deviation 1 about 0."""
    out = np.empty(count, np.float32)
    add_gaussian(np.zeros(count, np.float32), np.uint64(seed), np.float32(1), out)
    return out.astype(np.float64)


def test_noise_has_the_moments_of_a_normal_distribution():
    noise = standard_noise()

    # Five standard deviations of each estimate from n normal numbers.
    bound = 5 / np.sqrt(COUNT)
    assert noise.mean() == pytest.approx(0, abs=bound)
    assert noise.std() == pytest.approx(1, abs=bound / np.sqrt(2))
    assert stats.skew(noise) == pytest.approx(0, abs=bound * np.sqrt(6))
    assert stats.kurtosis(noise) == pytest.approx(0, abs=bound * np.sqrt(24))


def test_noise_is_normally_distributed_including_its_tails():
    noise = standard_noise()

    assert stats.kstest(noise, "norm").pvalue > 1e-3
    for threshold in (1, 2, 3, 4):
        share = stats.norm.sf(threshold)
        deviation = np.sqrt(share * (1 - share) / COUNT)
        for tail in (noise > threshold, noise < -threshold):
            assert tail.mean() == pytest.approx(share, abs=5 * deviation)


@pytest.mark.parametrize("distance", [1, 2, 3, 11, 4096, 150_000])
def test_noise_of_distant_voxels_is_uncorrelated(distance):
    noise = standard_noise()
    first, second = noise[:-distance], noise[distance:]

    # Five deviations of the correlation of as many independent pairs; squares show
    # a dependence of the spread.
    bound = 5 / np.sqrt(len(first))
    assert abs(np.corrcoef(first, second)[0, 1]) < bound
    assert abs(np.corrcoef(first**2, second**2)[0, 1]) < bound


@pytest.mark.parametrize("other", [8, 9, 7 + 2**31, 2**32 - 1, 0])
def test_noise_of_another_seed_is_uncorrelated(other):
    first, second = standard_noise(7), standard_noise(other)

    for distance in (0, 1, 2):
        shifted = np.corrcoef(first[distance:], second[: COUNT - distance])[0, 1]
        assert abs(shifted) < 5 / np.sqrt(COUNT - distance)


@pytest.mark.parametrize("count", [1, 2, 3, 4095, 4096, 4097, 8193])
def test_noise_of_a_shorter_image_is_the_beginning_of_a_longer_one(count):
    found = standard_noise(count=count)

    assert np.isfinite(found).all()
    np.testing.assert_allclose(found, standard_noise()[:count], atol=1e-6)


@pytest.mark.parametrize("count", [1, 2, 4097, 20_001])
def test_bytes_do_not_depend_on_the_number_of_threads(count):
    before = numba.get_num_threads()
    if numba.config.NUMBA_NUM_THREADS < 2:
        pytest.skip("one thread only")
    flat = np.random.default_rng(0).standard_normal(count, dtype=np.float32)
    low, seed, std = flat.min(), np.uint64(3), np.float32(0.37)
    results = []

    try:
        for threads in (1, 2):
            numba.set_num_threads(threads)
            outs = np.empty((3, count), np.float32)
            add_gaussian(flat, seed, std, outs[0])
            add_rician(flat, seed, std, low, outs[1])
            apply_gamma(flat, low, low + np.float32(9), np.float32(1.37), outs[2])
            results.append(outs.tobytes())
    finally:
        numba.set_num_threads(before)

    assert results[0] == results[1]
