import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from volumes.filters import gaussian_blur, gaussian_weights

SHAPE = (7, 12, 9)
SIGMAS = (0.6, 2.3, 1.1)


def make_image(dtype=np.float32, order="C", shape=SHAPE):
    image = np.random.default_rng(0).uniform(0, 250, shape)
    return image.astype(dtype, order=order)


def scipy_blur(image, sigmas):
    """Blur as scipy does, in double precision."""
    return gaussian_filter(
        image.astype(np.float64), sigmas, mode="nearest", truncate=3.0
    )


def test_weights_by_hand():
    weights = gaussian_weights(0.5)

    # Cut at three sigmas, 1.5 voxels, rounded to 2: exp(-2 d^2) at d = 0, 1, 2.
    by_hand = np.exp([-8, -2, 0, -2, -8])
    np.testing.assert_allclose(weights, by_hand / by_hand.sum(), rtol=1e-6)
    assert weights.dtype == np.float32


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16, np.uint8])
def test_blur_equals_scipy_for_every_type_and_order(dtype, order):
    image = make_image(dtype, order)

    blurred = gaussian_blur(image, SIGMAS)

    # Float32 sums of up to 15 products of 250.
    np.testing.assert_allclose(blurred, scipy_blur(image, SIGMAS), atol=1e-4)
    assert blurred.dtype == np.float32
    assert blurred.flags[f"{order}_CONTIGUOUS"]


@pytest.mark.parametrize(
    "sigmas",
    [(0, 0, 2.0), (0, 2.0, 0), (2.0, 0, 0), (1.5, 0, 0.7), (0.16, 1.0, 0)],
    ids=str,
)
@pytest.mark.parametrize("order", ["C", "F"])
def test_axis_without_sigma_is_left_alone(sigmas, order):
    image = make_image(order=order)

    # 0.16 of a voxel, times three, rounds to no neighbour; so does scipy.
    np.testing.assert_allclose(
        gaussian_blur(image, sigmas), scipy_blur(image, sigmas), atol=1e-4
    )


@pytest.mark.parametrize("order", ["C", "F"])
def test_without_any_sigma_the_image_itself_comes_back(order):
    image = make_image(np.int16, order)

    assert gaussian_blur(image, (0, 0.16, 0)) is image


@pytest.mark.parametrize("shape", [(1, 12, 9), (7, 1, 9), (7, 12, 1), (1, 1, 1)])
@pytest.mark.parametrize("order", ["C", "F"])
def test_axis_of_one_voxel_goes_on_as_it_is(shape, order):
    image = make_image(order=order, shape=shape)

    blurred = gaussian_blur(image, SIGMAS)

    np.testing.assert_allclose(blurred, scipy_blur(image, SIGMAS), atol=1e-4)
    assert blurred.shape == shape


def test_blur_wider_than_the_volume_equals_scipy():
    image = make_image()

    # Each end of an axis of 7 voxels is repeated 24 times.
    sigmas = (8.0, 6.0, 7.0)
    np.testing.assert_allclose(
        gaussian_blur(image, sigmas), scipy_blur(image, sigmas), atol=1e-4
    )


def test_row_longer_than_a_run_has_no_seam():
    # Runs of 4096 voxels: two seams, and a run that is not full.
    image = make_image(shape=(3, 5, 9000))

    np.testing.assert_allclose(
        gaussian_blur(image, (1.0, 2.0, 0)), scipy_blur(image, (1.0, 2.0, 0)), atol=1e-4
    )


def test_slice_of_a_larger_array_is_read_as_it_stands():
    image = make_image(shape=(14, 12, 18))[::2, :, ::-2]

    blurred = gaussian_blur(image, SIGMAS)

    np.testing.assert_allclose(blurred, scipy_blur(image, SIGMAS), atol=1e-4)


@pytest.mark.parametrize("order", ["C", "F"])
def test_image_is_left_as_it_is(order):
    image = make_image(order=order)
    before = image.copy()

    blurred = gaussian_blur(image, SIGMAS)

    np.testing.assert_array_equal(image, before)
    assert not np.shares_memory(blurred, image)


def test_blur_keeps_a_constant_and_a_ramp_away_from_its_ends():
    constant = np.full(SHAPE, 7, np.float32)
    ramp = np.broadcast_to(np.arange(40.0)[:, None, None], (40, 2, 3))

    np.testing.assert_allclose(gaussian_blur(constant, SIGMAS), 7, rtol=1e-6)
    # Cut at 3 * 2 = 6 voxels: those nearer to an end see its repetition.
    blurred = gaussian_blur(ramp, (2.0, 1.0, 1.0))
    np.testing.assert_allclose(blurred[6:-6], ramp[6:-6], atol=1e-5)
    assert (blurred[0] > 0.5).all()
