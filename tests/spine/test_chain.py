import numpy as np
import pytest
from support.rows_of_balls import grid_around, mark_balls, spine_of

from spine.chain import find_chain


def find_balls(centers, radii, more=(), more_radii=()):
    grid = grid_around([*centers, *more])
    both = np.concatenate([np.broadcast_to(radii, len(centers)), more_radii])
    return find_chain(mark_balls(grid, [*centers, *more], both), grid)


def test_balls_are_one_chain_from_below():
    centers = spine_of(5)

    chain = find_balls(centers[::-1], 12.0)

    assert len(chain) == 5
    np.testing.assert_allclose(chain.centers, centers, atol=0.5)


def test_small_balls_behind_and_large_ones_elsewhere_are_no_vertebrae():
    centers = spine_of(5)
    behind = centers + np.array([0, -26, -5])  # processes
    kidney, liver = centers[2] + (70, 0, 0), centers[1] + (-90, 20, 0)

    chain = find_balls(
        centers, 12.0, [*behind, kidney, liver], [*[5.0] * 5, 20.0, 34.0]
    )

    np.testing.assert_allclose(chain.centers, centers, atol=0.8)


def test_one_vertebra_may_be_missing():
    centers = np.delete(spine_of(6), 2, axis=0)  # a gap of 60 - 24 = 36 mm

    assert len(find_balls(centers, 12.0)) == 5


@pytest.mark.parametrize(("step", "count"), [(78.0, 6), (90.0, 3)])
def test_a_gap_of_more_than_60_mm_ends_the_chain(step, count):
    lower = spine_of(3)
    upper = spine_of(3) + (lower[2] - lower[0]) + np.array([0, 0, step])

    # Between balls of 12 mm it is 54 or 66 mm wide.
    assert len(find_balls(np.concatenate([lower, upper]), 12.0)) == count


def test_neighbors_of_unlike_radii_lower_the_score():
    chain = find_balls(spine_of(3, step=26), [12.0, 8.0, 12.0])

    # Nothing bends, and no gap is wider than 14 mm.
    shares = np.minimum(chain.radii / chain.radii.mean(), 1)
    ratios = [chain.radii[0] / chain.radii[1], chain.radii[2] / chain.radii[1]]
    expected = (shares**3).sum() - 0.3 * (sum(ratios) - 2)
    assert sum(ratios) > 2.8
    assert chain.score == pytest.approx(expected, abs=0.01)


def test_chain_does_not_bend_by_more_than_45_degrees():
    centers = spine_of(4)
    # 60 degrees from the chain's direction, 30 mm on.
    aside = centers[3] + 30 * np.array([np.sin(1.18), 0, np.cos(1.18)])

    chain = find_balls(centers, 12.0, [aside], [12.0])

    np.testing.assert_allclose(chain.centers, centers, atol=0.5)


@pytest.mark.parametrize("radius", [2.0, 40.0])
def test_what_is_no_vertebra_in_size_has_no_chain(radius):
    assert find_balls(spine_of(2, step=90), radius) is None
