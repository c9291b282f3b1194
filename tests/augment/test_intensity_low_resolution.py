import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d

from augment.intensity import LowResolution

SPACING = (4.0, 0.7, 1.3)


def rng(seed=0):
    return np.random.default_rng(seed)


def along(axis, line):
    """Repeat a line over a volume, along one axis."""
    shape = [2, 3, 4]
    shape[axis] = len(line)
    line = np.reshape(line, [-1 if a == axis else 1 for a in range(3)])
    return np.broadcast_to(line, shape).astype(np.float32)


def roughness(image, axis):
    """Mean square of the second differences: how much detail there is."""
    return np.mean(np.diff(image.astype(np.float64), 2, axis=axis) ** 2)


@pytest.mark.parametrize(
    ("side", "factor", "middles"),
    [
        # Slices of 3 voxels of 9: the middle voxel, 4, and 3 to either side.
        (9, 3.0, [1, 4, 7]),
        # 10 / 2.8 = 3.6, so four slices: 1.4 and 4.2 to either side of 4.5, rounded.
        (10, 2.8, [0, 3, 6, 9]),
    ],
)
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_thick_slices_by_hand(axis, side, factor, middles):
    line = rng().standard_normal(side)

    found = LowResolution.apply(
        along(axis, line), {"axis": axis, "factor": factor}, SPACING
    )

    # Their profile is a factor wide at half height, of which the voxel's own width
    # is there already.
    sigma = np.sqrt(factor**2 - 1) / 2.354820045
    blurred = gaussian_filter1d(line, sigma, mode="nearest", truncate=3)
    seen = np.interp(np.arange(side), middles, blurred[middles])
    np.testing.assert_allclose(found, along(axis, seen), atol=1e-5)


@pytest.mark.parametrize("factor", [1.0, 1.3, 2.0, 3.7, 40.0, 100.0])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_constant_image_is_unchanged(axis, factor):
    image = np.full((5, 12, 7), -1.75, np.float32)

    found = LowResolution.apply(image, {"axis": axis, "factor": factor}, SPACING)

    np.testing.assert_allclose(found, image, rtol=1e-6)


@pytest.mark.parametrize("factor", [1.0, 1.3, 2.0, 2.9, 3.7])
@pytest.mark.parametrize("side", [40, 41])
def test_ramp_is_unchanged_away_from_its_ends(side, factor):
    image = along(1, np.arange(side))

    found = LowResolution.apply(image, {"axis": 1, "factor": factor}, SPACING)

    # Cut at three sigmas, 1.27 factors; half a slice is left beyond the last middle.
    clear = slice(int(1.27 * 3.7) + 4, -int(1.27 * 3.7) - 4)
    np.testing.assert_allclose(found[:, clear], image[:, clear], atol=1e-4)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_detail_is_removed_along_the_drawn_axis_alone(axis):
    noise = rng().standard_normal((21, 24, 27), dtype=np.float32)
    line = rng(1).standard_normal(noise.shape[axis])
    drawn = {"axis": axis, "factor": 4.0}

    found = LowResolution.apply(noise, drawn, SPACING)

    assert roughness(found, axis) < 0.05 * roughness(noise, axis)
    # An image that is constant along the axis is unchanged.
    for other in {0, 1, 2} - {axis}:
        across = along(other, line)
        np.testing.assert_allclose(
            LowResolution.apply(across, drawn, SPACING), across, atol=1e-5
        )
    # Neighbouring lines do not influence each other.
    alone = np.take(noise, [3], axis=(axis + 1) % 3)
    np.testing.assert_allclose(
        LowResolution.apply(alone, drawn, SPACING),
        np.take(found, [3], axis=(axis + 1) % 3),
        atol=1e-5,
    )


def test_image_is_not_shifted_on_even_and_odd_sides():
    for side in (30, 31):
        line = np.exp(-((np.arange(side) - (side - 1) / 2) ** 2) / 8)

        for factor in (1.5, 2.0, 3.0, 4.6):
            drawn = {"axis": 2, "factor": factor}
            found = LowResolution.apply(along(2, line), drawn, SPACING)[0, 0]

            middle = (found * np.arange(side)).sum() / found.sum()
            # Slices' middles are rounded to whole voxels, half a voxel at most.
            assert middle == pytest.approx((side - 1) / 2, abs=0.5)


def test_factor_of_one_changes_nothing():
    image = rng().standard_normal((4, 5, 7), dtype=np.float32)

    found = LowResolution.apply(image, {"axis": 2, "factor": 1.0}, SPACING)

    np.testing.assert_array_equal(found, image)
    assert not np.shares_memory(found, image)


def test_axis_and_factor_are_drawn_with_equal_chance():
    random, count = rng(), 3000
    drawn = [LowResolution(5, p=1).draw(random) for _ in range(count)]

    axes = np.bincount([values["axis"] for values in drawn], minlength=3)
    factors = np.array([values["factor"] for values in drawn])

    # Four deviations of a share of a third, and of the mean of a uniform draw.
    assert axes / count == pytest.approx(1 / 3, abs=4 * np.sqrt(2 / 9 / count))
    assert 1 <= factors.min() < factors.max() <= 5
    assert factors.mean() == pytest.approx(3, abs=4 * 4 / np.sqrt(12 * count))


def test_a_quarter_of_the_copies_have_low_resolution_by_default():
    transform, random, count = LowResolution(5), rng(), 2000

    rate = np.mean([transform.draw(random) is not None for _ in range(count)])

    assert rate == pytest.approx(0.25, abs=4 * np.sqrt(0.25 * 0.75 / count))


def test_factor_below_one_is_refused():
    with pytest.raises(ValueError, match=r"factor must be 1 or more. Received: 0.5"):
        LowResolution(0.5)
