import numpy as np
import pytest
from support.splines import dense_displacement

from augment.spatial import (
    MAX_DISPLACEMENT,
    Elastic,
    Flip,
    Rescaling,
    Rotation,
    Shift,
    rotation_matrix,
    smallest_jacobian,
)
from volumes.warp import ControlGrid, spline_taps

SHAPE, SPACING = (6, 9, 11), (4.0, 0.7, 1.3)
AFFINE = [
    (Rotation(10), [7.0, -31.0, 52.0]),
    (Rescaling(0.5, 2), [0.5, 1.25, 2.0]),
    (Shift(5), [1.0, -2.0, 3.0]),
    (Flip(), True),
]
# 16, 32 and 16 mm from the first voxel to the last: 2, 4 and 2 spacings of 8 mm.
EIGHTHS, MM = (9, 9, 17), (2.0, 4.0, 1.0)


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


def test_rotation_maps_an_output_point_to_where_it_was():
    # Rotated by +90 degrees about superior, what was at right is at anterior.
    output_to_input = Rotation.output_to_input((0, 0, 90))

    np.testing.assert_allclose(output_to_input @ (0, 1, 0, 1), (1, 0, 0), atol=1e-12)


def test_rotation_neither_shears_nor_mirrors():
    matrix = rotation_matrix((7, -31, 52))

    np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(matrix) == pytest.approx(1)


def test_enlarging_maps_an_output_point_towards_the_centre():
    output_to_input = Rescaling.output_to_input([2, 0.5, 4])

    np.testing.assert_array_equal(output_to_input @ (4, -6, 8, 1), (2, -12, 2))


def test_shift_maps_an_output_point_to_where_it_was():
    output_to_input = Shift.output_to_input([1, -2, 3])

    np.testing.assert_array_equal(output_to_input @ (1, -2, 3, 1), (0, 0, 0))
    np.testing.assert_array_equal(output_to_input @ (10, 10, 10, 1), (9, 12, 7))


def test_flip_mirrors_left_and_right_alone():
    np.testing.assert_array_equal(Flip.output_to_input(True) @ (1, 2, 3, 1), (-1, 2, 3))
    np.testing.assert_array_equal(Flip.output_to_input(False), np.eye(3, 4))


@pytest.mark.parametrize(
    ("transform", "drawn"), AFFINE, ids=[transform.name for transform, _ in AFFINE]
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


def test_axes_are_drawn_independently_unless_they_share_a_factor():
    random = rng()
    independent = [Rotation(10), Shift(3), Rescaling(0.9, 1.2, per_axis=True)]

    for transform in independent:
        drawn = np.array([transform.draw(random) for _ in range(500)])
        correlation = np.corrcoef(drawn.T)[np.triu_indices(3, 1)]
        # Four deviations of the correlation of 500 independent pairs.
        assert np.abs(correlation).max() < 4 / np.sqrt(500)

    shared = np.array([Rescaling(0.9, 1.2).draw(random) for _ in range(500)])
    assert (shared == shared[:, :1]).all()


def zero_displacement():
    """Control points 8 mm apart over `EIGHTHS`, none of which moves."""
    control = Elastic.control(
        {"displacement": 0.0, "control_spacing": 8.0, "seed": 0}, EIGHTHS, MM
    )
    assert control.values.shape == (3, 6, 8, 6)
    return control


def linear_displacement(matrix):
    """Control points moved linearly with their place in mm, which splines keep."""
    control = zero_displacement()
    places = 8.0 * (np.indices(control.values.shape[1:]) - 1)
    values = np.einsum("ab,bijk->aijk", np.array(matrix), places)
    return ControlGrid(values, control.step)


def test_control_grid_covers_the_output_and_stays_within_its_bound():
    drawn = {"displacement": 5.0, "control_spacing": 16.0, "seed": 1}

    control = Elastic.control(drawn, SHAPE, SPACING)

    # (6 - 1) * 4 / 16 = 1.25, (9 - 1) * 0.7 / 16 = 0.35, (11 - 1) * 1.3 / 16 = 0.81.
    assert control.values.shape == (3, 5, 4, 4)
    np.testing.assert_allclose(control.step, (0.25, 0.04375, 0.08125))
    assert -5 <= control.values.min() < -4
    assert 4 < control.values.max() <= 5
    for side, step, count in zip(
        SHAPE, control.step, control.values.shape[1:], strict=True
    ):
        assert spline_taps(np.arange(side) * step)[0].max() + 4 == count


def test_drawn_displacement_fills_its_range_and_each_draw_has_its_own_seed():
    elastic, random = Elastic(6, control_spacing=16), rng()

    drawn = [elastic.draw(random) for _ in range(500)]

    limits = [values["displacement"] for values in drawn]
    # Of 500 uniform draws none lies in an outer 2 % with odds of 0.98^500, 4e-5.
    assert 0 <= min(limits) < 0.12
    assert 5.88 < max(limits) <= 6
    assert {values["control_spacing"] for values in drawn} == {16.0}
    assert len({values["seed"] for values in drawn}) == 500


def test_displacement_that_could_fold_is_refused():
    # 32 / 2.48 = 12.9 mm.
    Elastic(12.9)
    with pytest.raises(ValueError, match=r"at most 12\.9 mm.* Received: 13 mm"):
        Elastic(13)
    with pytest.raises(ValueError, match=r"at most 6\.5 mm"):
        Elastic(7, control_spacing=16)


def test_smallest_jacobian_of_no_displacement_is_1():
    assert smallest_jacobian(zero_displacement(), EIGHTHS, MM) == pytest.approx(
        1, abs=1e-12
    )


@pytest.mark.parametrize(
    ("matrix", "determinant"),
    [
        # Stretched by a quarter along I, halved along J, a fifth longer along K.
        (np.diag([0.25, -0.5, 0.2]), 1.25 * 0.5 * 1.2),
        # A shear keeps the volume.
        ([[0, 0.3, -0.7], [0, 0, 0.4], [0, 0, 0]], 1),
        # (1 + .1) (1 + .2) - .5 * .4 in the plane of I and K.
        ([[0.1, 0, 0.5], [0, 0, 0], [0.4, 0, 0.2]], 1.1 * 1.2 - 0.5 * 0.4),
        # Inverted along J alone.
        (np.diag([0, -1.5, 0]), -0.5),
    ],
    ids=["stretch", "shear", "mixed", "fold"],
)
def test_smallest_jacobian_of_a_linear_displacement_by_hand(matrix, determinant):
    found = smallest_jacobian(linear_displacement(matrix), EIGHTHS, MM)

    assert found == pytest.approx(determinant, rel=1e-6)


@pytest.mark.parametrize(("axis", "count"), [(0, 2.0), (1, 4.0), (2, 4.0)])
def test_smallest_jacobian_beside_one_moved_control_point_by_hand(axis, count):
    control = zero_displacement()
    control.values[axis, 2, 3, 2] = count * 8  # that many control spacings

    found = smallest_jacobian(control, EIGHTHS, MM)

    # Steepest, of the sampled places, 3/4 of a spacing behind the point: slope
    # -2 * .75 + 1.5 * .75^2 = -.65625; along the other axes a weight of 4/6 each.
    assert found == pytest.approx(1 - count * 0.65625 * (4 / 6) ** 2, rel=1e-6)
    assert (found < 0) == (count == 4)


def test_smallest_jacobian_equals_that_of_the_dense_displacement():
    shape, spacing = (41, 61, 51), (0.8, 0.5, 0.6)
    drawn = {"displacement": 3.0, "control_spacing": 8.0, "seed": 5}
    control = Elastic.control(drawn, shape, spacing)

    slopes = np.gradient(dense_displacement(control, shape), *spacing, axis=(1, 2, 3))
    jacobian = np.moveaxis(np.stack(slopes, axis=1), (0, 1), (-2, -1)) + np.eye(3)
    expected = np.linalg.det(jacobian).min()

    # Places a quarter of a spacing apart may miss the smallest by a little.
    assert expected < 0.7
    found = smallest_jacobian(control, shape, spacing)
    assert found == pytest.approx(expected, abs=0.03)


@pytest.mark.parametrize("control_spacing", [8.0, 32.0])
def test_largest_displacement_allowed_does_not_fold(control_spacing):
    shape, spacing = (20, 9, 21), (4.0, 3.0, 2.0)
    limit = MAX_DISPLACEMENT * control_spacing
    Elastic(limit, control_spacing)

    found = []
    for seed in range(50):
        drawn = {"displacement": limit, "control_spacing": control_spacing}
        control = Elastic.control({**drawn, "seed": seed}, shape, spacing)
        found.append(smallest_jacobian(control, shape, spacing))

    assert 0 < min(found) < max(found) < 1


@pytest.mark.parametrize("signs", list(np.ndindex(2, 2, 2)))
def test_largest_alternating_displacement_along_each_axis_by_hand(signs):
    control = zero_displacement()
    places = np.indices(control.values.shape[1:])
    for axis, sign in enumerate(signs):
        control.values[axis] = MAX_DISPLACEMENT * 8 * (-1.0) ** (places[axis] + sign)

    found = smallest_jacobian(control, EIGHTHS, MM)

    # Halfway between two points that near each other the slopes (-1, -5, 5, 1) / 8
    # of +, -, + and - add up to 1, so each axis is left 1 - 1 / 2.48 of its length.
    assert found == pytest.approx((1 - 1 / 2.48) ** 3, rel=1e-6)
