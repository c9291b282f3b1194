import numpy as np
import pytest

from augment.spatial import Elastic, Flip, Rescaling, Rotation, rotation_matrix
from volumes.warp import spline_weights

SHAPE, SPACING = (6, 9, 11), (4.0, 0.7, 1.3)


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize(
    ("degrees", "moved"),
    [
        # Right-handed: about right, anterior goes to superior, and so on round.
        ((90, 0, 0), [(1, 0, 0), (0, 0, 1), (0, -1, 0)]),
        ((0, 90, 0), [(0, 0, -1), (0, 1, 0), (1, 0, 0)]),
        ((0, 0, 90), [(0, 1, 0), (-1, 0, 0), (0, 0, 1)]),
        # First about right (anterior to superior), then about anterior.
        ((90, 90, 0), [(0, 0, -1), (1, 0, 0), (0, -1, 0)]),
    ],
)
def test_rotation_is_right_handed_about_each_axis_in_turn(degrees, moved):
    # Row a: where the unit vector of axis a goes.
    np.testing.assert_allclose(rotation_matrix(degrees).T, moved, atol=1e-12)


def test_rotation_pulls_from_where_the_point_was():
    # Turned by +90 degrees about superior, what was at right is at anterior.
    pull = Rotation(10).pull((0, 0, 90))

    np.testing.assert_allclose(pull @ (0, 1, 0), (1, 0, 0), atol=1e-12)


def test_rotation_neither_shears_nor_mirrors():
    matrix = rotation_matrix((7, -31, 52))

    np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(matrix) == pytest.approx(1)


def test_rescaling_by_two_reads_from_half_the_distance():
    pull = Rescaling(0.5, 2).pull([2, 2, 2])

    np.testing.assert_array_equal(pull @ (4, -6, 8), (2, -3, 4))


def test_flip_mirrors_left_and_right_alone():
    np.testing.assert_array_equal(Flip(1).pull(True) @ (1, 2, 3), (-1, 2, 3))
    np.testing.assert_array_equal(Flip(1).pull(False), np.eye(3))


@pytest.mark.parametrize("probability", [0.0, 0.2, 1.0])
def test_flip_happens_as_often_as_its_probability(probability):
    flip, random, draws = Flip(probability), rng(), 2000

    rate = sum(flip.draw(random) for _ in range(draws)) / draws

    # Four standard deviations of a binomial share.
    bound = 4 * np.sqrt(probability * (1 - probability) / draws)
    assert rate == pytest.approx(probability, abs=bound)


def test_angles_and_factors_fill_their_range():
    random = rng()
    angles = np.array([Rotation(10).draw(random) for _ in range(500)])
    factors = np.array([Rescaling(0.9, 1.2).draw(random) for _ in range(500)])

    # Of 500 uniform draws none lies in an outer 2 % with odds of 0.98^500, 4e-5.
    assert angles.shape == (500, 3)
    assert (angles.min(axis=0) < -9.6).all()
    assert (angles.max(axis=0) > 9.6).all()
    assert np.abs(angles).max() <= 10
    assert (factors == factors[:, :1]).all()
    assert 0.9 <= factors.min() < 0.906
    assert 1.194 < factors.max() <= 1.2


def test_elastic_control_grid_covers_the_output_and_stays_within_its_bound():
    elastic = Elastic(6, control_spacing=16)
    drawn = {**elastic.draw(rng()), "displacement": 5.0}

    control = elastic.control(drawn, SHAPE, SPACING)

    # (6 - 1) * 4 / 16 = 1.25, (9 - 1) * 0.7 / 16 = 0.35, (11 - 1) * 1.3 / 16 = 0.81.
    assert control.values.shape == (3, 5, 4, 4)
    np.testing.assert_allclose(control.step, (0.25, 0.04375, 0.08125))
    assert 4 < np.abs(control.values).max() <= 5
    for side, step, count in zip(
        SHAPE, control.step, control.values.shape[1:], strict=True
    ):
        assert spline_weights(side, step)[0].max() + 4 == count


def test_elastic_that_could_fold_is_refused():
    # 32 / 2.48 = 12.9 mm.
    Elastic(12.9)
    with pytest.raises(ValueError, match=r"at most 12\.9 mm.* Received: 13 mm"):
        Elastic(13)
    with pytest.raises(ValueError, match=r"at most 6\.5 mm"):
        Elastic(7, control_spacing=16)


def test_largest_elastic_displacement_does_not_fold():
    elastic = Elastic(12.9)
    smallest = np.inf
    for seed in range(20):
        drawn = {"displacement": 12.9, "control_spacing": 32.0, "seed": seed}
        control = elastic.control(drawn, (40, 41, 42), (4, 3, 2))
        mm = dense(control, (40, 41, 42))
        jacobian = np.stack(
            np.gradient(mm, 4, 3, 2, axis=(1, 2, 3)), axis=-1
        )  # (3, I, J, K, 3)
        jacobian = np.moveaxis(jacobian, 0, -2) + np.eye(3)
        smallest = min(smallest, np.linalg.det(jacobian).min())

    assert 0 < smallest < 0.9


def dense(control, shape):
    """Evaluate a displacement at every voxel."""
    values = control.values
    for axis, (side, step) in enumerate(zip(shape, control.step, strict=True), 1):
        bases, weights = spline_weights(side, step)
        taken = np.stack(
            [np.take(values, bases + tap, axis=axis) for tap in range(4)], axis=-1
        )
        along = [1] * values.ndim
        along[axis] = side
        values = (taken * weights.reshape(*along, 4)).sum(axis=-1)
    return values
