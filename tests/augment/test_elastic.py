import numpy as np
import pytest
from support.splines import dense_displacement

from augment.compose import Compose, coordinate_map
from augment.spatial import MAX_DISPLACEMENT, Elastic, Rotation, smallest_jacobian
from cube.rows import CubeSpec, PreparedCase, make_row
from volumes.geometry import Grid, affine_from
from volumes.warp import ControlGrid, spline_weights

SHAPE, SPACING = (6, 9, 11), (4.0, 0.7, 1.3)
# 16, 32 and 16 mm from the first voxel to the last: 2, 4 and 2 spacings of 8 mm.
EIGHTHS, MM = (9, 9, 17), (2.0, 4.0, 1.0)


def rng(seed=0):
    return np.random.default_rng(seed)


def still():
    """Control points 8 mm apart over `EIGHTHS`, none of which moves."""
    control = Elastic.control(
        {"displacement": 0.0, "control_spacing": 8.0, "seed": 0}, EIGHTHS, MM
    )
    assert control.values.shape == (3, 6, 8, 6)
    return control


def stretched(matrix):
    """Control points moved by a matrix of their place in mm, which splines keep."""
    control = still()
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
        assert spline_weights(side, step)[0].max() + 4 == count


def test_drawn_strength_fills_its_range_and_each_draw_has_its_own_seed():
    elastic, random = Elastic(6, control_spacing=16), rng()

    drawn = [elastic.draw(random) for _ in range(500)]

    strengths = [values["displacement"] for values in drawn]
    # Of 500 uniform draws none lies in an outer 2 % with odds of 0.98^500, 4e-5.
    assert 0 <= min(strengths) < 0.12
    assert 5.88 < max(strengths) <= 6
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
    assert smallest_jacobian(still(), EIGHTHS, MM) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize(
    ("matrix", "determinant"),
    [
        # Stretched by a quarter along I, halved along J, a fifth longer along K.
        (np.diag([0.25, -0.5, 0.2]), 1.25 * 0.5 * 1.2),
        # A shear keeps the volume.
        ([[0, 0.3, -0.7], [0, 0, 0.4], [0, 0, 0]], 1),
        # (1 + .1) (1 + .2) - .5 * .4 in the plane of I and K.
        ([[0.1, 0, 0.5], [0, 0, 0], [0.4, 0, 0.2]], 1.1 * 1.2 - 0.5 * 0.4),
        # Turned inside out along J alone.
        (np.diag([0, -1.5, 0]), -0.5),
    ],
    ids=["stretch", "shear", "mixed", "fold"],
)
def test_smallest_jacobian_of_a_linear_displacement_by_hand(matrix, determinant):
    found = smallest_jacobian(stretched(matrix), EIGHTHS, MM)

    assert found == pytest.approx(determinant, rel=1e-6)


@pytest.mark.parametrize(("axis", "count"), [(0, 2.0), (1, 4.0), (2, 4.0)])
def test_smallest_jacobian_beside_one_moved_control_point_by_hand(axis, count):
    control = still()
    control.values[axis, 2, 3, 2] = count * 8  # that many control spacings

    found = smallest_jacobian(control, EIGHTHS, MM)

    # Steepest, of the places looked at, 3/4 of a spacing behind the point: slope
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
    bound = MAX_DISPLACEMENT * control_spacing
    Elastic(bound, control_spacing)

    found = [
        smallest_jacobian(
            Elastic.control(
                {
                    "displacement": bound,
                    "control_spacing": control_spacing,
                    "seed": seed,
                },
                shape,
                spacing,
            ),
            shape,
            spacing,
        )
        for seed in range(50)
    ]

    assert 0 < min(found) < max(found) < 1


@pytest.mark.parametrize("signs", list(np.ndindex(2, 2, 2)))
def test_largest_displacement_to_and_fro_along_each_axis_by_hand(signs):
    control = still()
    places = np.indices(control.values.shape[1:])
    for axis, sign in enumerate(signs):
        control.values[axis] = MAX_DISPLACEMENT * 8 * (-1.0) ** (places[axis] + sign)

    found = smallest_jacobian(control, EIGHTHS, MM)

    # Halfway between two points that near each other the slopes (-1, -5, 5, 1) / 8
    # of +, -, + and - add up to 1, so each axis is left 1 - 1 / 2.48 of its length.
    assert found == pytest.approx((1 - 1 / 2.48) ** 3, rel=1e-6)


def test_row_of_the_cube_reports_its_smallest_jacobian():
    grid = Grid((14, 11, 6), affine_from((0.9, 1.1, 3.0)))
    image = rng().integers(0, 900, grid.shape).astype(np.int16)
    spec = CubeSpec(
        spacing=(1.5, 1.0, 2.0),
        shape=(8, 12, 10),
        classes=np.arange(256, dtype=np.uint8),
        intensity=("zscore",),
        compose=Compose([Rotation(9), Elastic(3.2, control_spacing=8)]),
        seed=0,
    )
    scan = PreparedCase(image, np.zeros(grid.shape, np.uint8), grid, spec)

    for copy in (1, 2, 3):
        drawn = make_row(
            scan, case_id="ann", subject="s", split="train", source={}, copy=copy
        ).drawn

        on = spec.shape, spec.spacing
        control = coordinate_map({"elastic": drawn["elastic"]}, *on).control
        expected = smallest_jacobian(control, *on)
        assert drawn["elastic"]["smallest_jacobian"] == round(expected, 3)
        assert 0 < expected < 1
