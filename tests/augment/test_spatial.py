import numpy as np
import pytest

from augment.spatial import Flip, Rescaling, Rotation, Shift, rotation_matrix

LINEAR = [
    (Rotation(10), [7.0, -31.0, 52.0]),
    (Rescaling(0.5, 2), [0.5, 1.25, 2.0]),
    (Shift(5), [1.0, -2.0, 3.0]),
    (Flip(), True),
]


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
    output_to_input = Rotation.output_to_input((0, 0, 90))

    np.testing.assert_allclose(output_to_input @ (0, 1, 0, 1), (1, 0, 0), atol=1e-12)


def test_rotation_neither_shears_nor_mirrors():
    matrix = rotation_matrix((7, -31, 52))

    np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(matrix) == pytest.approx(1)


def test_rescaling_reads_from_nearer_where_it_enlarges():
    output_to_input = Rescaling.output_to_input([2, 0.5, 4])

    np.testing.assert_array_equal(output_to_input @ (4, -6, 8, 1), (2, -12, 2))


def test_shift_reads_from_where_the_point_was():
    output_to_input = Shift.output_to_input([1, -2, 3])

    np.testing.assert_array_equal(output_to_input @ (1, -2, 3, 1), (0, 0, 0))
    np.testing.assert_array_equal(output_to_input @ (10, 10, 10, 1), (9, 12, 7))


def test_flip_mirrors_left_and_right_alone():
    np.testing.assert_array_equal(Flip.output_to_input(True) @ (1, 2, 3, 1), (-1, 2, 3))
    np.testing.assert_array_equal(Flip.output_to_input(False), np.eye(3, 4))


@pytest.mark.parametrize(
    ("transform", "drawn"), LINEAR, ids=[transform.name for transform, _ in LINEAR]
)
def test_only_a_shift_moves_the_centre(transform, drawn):
    output_to_input = transform.output_to_input(drawn)

    assert output_to_input.shape == (3, 4)
    assert output_to_input.dtype == np.float64
    assert output_to_input[:, 3].any() == (transform.name == "shift")


@pytest.mark.parametrize("probability", [0.0, 0.2, 1.0])
def test_flip_happens_as_often_as_its_probability(probability):
    flip, random, draws = Flip(probability), rng(), 2000

    rate = sum(flip.draw(random) is True for _ in range(draws)) / draws

    # Four standard deviations of a binomial share.
    bound = 4 * np.sqrt(probability * (1 - probability) / draws)
    assert rate == pytest.approx(probability, abs=bound)


@pytest.mark.parametrize(
    ("transform", "low", "high"),
    [
        (Rotation(10), -10, 10),
        (Shift(3), -3, 3),
        (Rescaling(0.9, 1.2, per_axis=True), 0.9, 1.2),
        (Rescaling(0.9, 1.2), 0.9, 1.2),
    ],
    ids=["rotation", "shift", "rescaling per axis", "rescaling"],
)
def test_drawn_values_fill_their_range_along_each_axis(transform, low, high):
    random = rng()

    drawn = np.array([transform.draw(random) for _ in range(500)])

    # Of 500 uniform draws none lies in an outer 2 % with odds of 0.98^500, 4e-5.
    margin = 0.02 * (high - low)
    assert drawn.shape == (500, 3)
    assert ((low <= drawn) & (drawn <= high)).all()
    assert (drawn.min(axis=0) < low + margin).all()
    assert (drawn.max(axis=0) > high - margin).all()


def test_axes_are_drawn_apart_unless_the_factor_is_one_for_all():
    random = rng()
    apart = [Rotation(10), Shift(3), Rescaling(0.9, 1.2, per_axis=True)]

    for transform in apart:
        drawn = np.array([transform.draw(random) for _ in range(500)])
        correlation = np.corrcoef(drawn.T)[np.triu_indices(3, 1)]
        # Four deviations of the correlation of 500 independent pairs.
        assert np.abs(correlation).max() < 4 / np.sqrt(500)

    together = np.array([Rescaling(0.9, 1.2).draw(random) for _ in range(500)])
    assert (together == together[:, :1]).all()


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-0.5, 1), (1.2, 0.8)])
def test_factors_that_are_not_positive_and_in_order_are_refused(low, high):
    with pytest.raises(ValueError, match=rf"in order. Received: low={low}, high="):
        Rescaling(low, high)
