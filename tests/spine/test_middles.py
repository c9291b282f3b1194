import numpy as np

from spine.chain import find_chain
from spine.middles import find_middles
from volumes.geometry import Grid, affine_from


def column(*heights):
    """Return boxes of 14 x 12 mm, 4 mm apart, on a grid of 1 mm, and the grid."""
    mask = np.zeros((20, 18, sum(heights) + 4 * len(heights) + 4), bool)
    start = 4
    for height in heights:
        mask[3:17, 3:15, start : start + height] = True
        start += height + 4
    return mask, Grid(mask.shape, affine_from((1, 1, 1)))


def middles_of(mask, grid):
    chain = find_chain(mask, grid)
    numbers = np.zeros(len(chain.basins.radii) + 1, np.int32)
    numbers[chain.numbers] = np.arange(1, len(chain) + 1)
    return chain, find_middles(chain, numbers[chain.basins.labels])


def test_what_is_one_vertebra_has_one_point():
    chain, middles = middles_of(*column(*[10] * 5))

    np.testing.assert_array_equal(middles, chain.centers)


def test_what_may_be_several_is_followed_to_both_ends():
    chain, middles = middles_of(*column(10, 10, 10, 90, 10, 10, 10))

    # The middle of the long one is at 4 + 3 * 14 + 45 - 0.5 = 90.5. Its radius is 6,
    # less half a voxel and what the blur takes; slabs are two radii, about 10 mm,
    # apart, so four of them lie in its 45 mm on either side.
    assert len(chain) == 7
    assert len(middles) == 7 + 2 * 4
    assert (np.diff(middles[:, 2]) > 0).all()
    inner = middles[3:12]
    np.testing.assert_allclose(inner[4, 2], 90.5, atol=1)
    np.testing.assert_allclose(np.diff(inner[:, 2]), 10, atol=1.5)
    np.testing.assert_allclose(inner[:, :2], [(9.5, 8.5)] * 9, atol=1)


def test_a_tilted_spine_is_followed_along_itself():
    mask, upright = column(10, 10, 10, 90, 10, 10, 10)
    sine, cosine = np.sin(np.radians(40)), np.cos(np.radians(40))
    turn = np.array([[cosine, 0, sine], [0, 1, 0], [-sine, 0, cosine]])

    _, middles = middles_of(mask, upright)
    _, tilted = middles_of(
        mask, Grid(mask.shape, affine_from((1, 1, 1), (0,) * 3, turn))
    )

    np.testing.assert_allclose(tilted, middles @ turn.T, atol=1e-6)
