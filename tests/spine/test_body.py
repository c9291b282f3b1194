import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial.transform import Rotation
from support.vertebra_shapes import oblique_grid, wedge_box

from spine.body import measure_body
from spine.frame import ShapeError
from spine.shape import shape_of

CENTRE = np.array([12.0, -30.0, 400.0])
SPACINGS = [(1, 1, 1), (4, 0.7, 0.7), (1, 1, 2), (0.5, 0.8, 1.3), (1.5, 1.5, 1.5)]


def frame_of(angles):
    frame = np.eye(4)
    frame[:3, :3] = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    frame[:3, 3] = CENTRE
    return frame


def measure(mask, grid, tangent=(0, 0, 1)):
    box = ndimage.find_objects(mask.view(np.uint8))[0]
    return measure_body(shape_of(mask, grid, 1, box), np.array(tangent, float))


def boxes():
    """Wedge boxes on oblique, anisotropic grids, with the drawn angles."""
    rng = np.random.default_rng(3)
    for case in range(10):
        angles = rng.uniform((-20, -8, 0), (20, 8, 0))
        sagittal, coronal = rng.uniform((-15, -6), (15, 6))
        grid = oblique_grid(
            CENTRE,
            SPACINGS[case % 5],
            rng.uniform(-12, 12, 3),
            half=(36, 30, 30),
            permute=rng.permutation(3),
        )
        frame = frame_of(angles)
        yield (
            wedge_box(grid, frame, (44, 32, 26), sagittal, coronal),
            grid,
            (
                sagittal,
                coronal,
                frame,
            ),
        )


def test_oblique_wedge_boxes_are_measured_as_made():
    errors = {"heights": [], "wedge": [], "depth": [], "axis": [], "centre": []}
    for mask, grid, (sagittal, coronal, frame) in boxes():
        body = measure(mask, grid)

        slope = np.tan(np.radians(sagittal / 2))
        # At 15, 50 and 85 % of 32 mm: 11.2 mm before and behind the middle.
        heights = [26 + 2 * slope * v for v in (11.2, 0, -11.2)]
        errors["heights"] += list(np.subtract(body.heights, heights))
        errors["wedge"] += [
            body.wedge_sagittal - sagittal,
            body.wedge_coronal - coronal,
        ]
        errors["depth"].append(body.depth - 32)
        errors["axis"].append(
            np.degrees(np.arccos(min(1.0, body.frame.axes[:, 2] @ frame[:3, 2])))
        )
        errors["centre"].append(np.linalg.norm(body.frame.origin - CENTRE))
        assert not body.has_arch
    mean = {name: np.abs(values).mean() for name, values in errors.items()}

    assert mean["heights"] < 0.3
    assert mean["wedge"] < 0.4
    assert mean["depth"] < 0.6
    assert mean["axis"] < 0.5
    assert mean["centre"] < 0.5


def test_signs_and_normals_of_a_body_that_is_higher_in_front_and_on_the_right():
    grid = oblique_grid(CENTRE, (1, 1, 1), (0, 0, 0), half=(30, 25, 25))

    body = measure(wedge_box(grid, frame_of((0, 0, 0)), (44, 32, 26), 10, 6), grid)

    assert body.wedge_sagittal == pytest.approx(10, abs=0.5)
    assert body.wedge_coronal == pytest.approx(6, abs=0.5)
    assert body.heights[0] > body.heights[1] > body.heights[2]
    # The upper plate leans back by 5 degrees and to the left by 3: sin 5 and sin 3.
    np.testing.assert_allclose(body.upper.normal[:2], (-0.0523, -0.0872), atol=0.006)
    np.testing.assert_allclose(body.lower.normal[:2], (0.0523, 0.0872), atol=0.006)
    np.testing.assert_allclose(
        body.upper.point, CENTRE + np.array((0, 0, 13)), atol=0.6
    )
    np.testing.assert_allclose(body.lower.point, CENTRE - (0, 0, 13), atol=0.6)


def test_frame_is_right_handed_and_follows_a_tilted_body():
    grid = oblique_grid(CENTRE, (1, 1, 1), (0, 0, 0), half=(34, 30, 30))
    frame = frame_of((-25, 0, 0))

    body = measure(wedge_box(grid, frame, (44, 32, 26)), grid)

    assert np.linalg.det(body.frame.axes) == pytest.approx(1)
    np.testing.assert_allclose(body.frame.axes, frame[:3, :3], atol=0.02)


def test_a_hole_in_a_body_does_not_lower_it():
    grid = oblique_grid(CENTRE, (1, 1, 1), (0, 0, 0), half=(30, 25, 25))
    mask = wedge_box(grid, frame_of((0, 0, 0)), (44, 32, 26))
    whole = measure(mask, grid)
    mask[:, 20:25, 27:30] = False  # as of a vein, 3 mm high

    assert measure(mask, grid).heights == pytest.approx(whole.heights, abs=0.1)


def ring():
    radius = np.hypot(*np.indices((48, 48)) - 23.5)
    mask = np.zeros((50, 50, 30), bool)
    mask[1:-1, 1:-1, 5:20] = ((radius < 22) & (radius > 14))[..., None]
    return mask


def plate(axis):
    mask = np.zeros((50, 50, 50), bool)
    np.moveaxis(mask, axis, 0)[25, 10:40, 10:40] = True
    return mask


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (ring(), "hollow"),
        (plate(0), "too (small|thin)"),
        (plate(1), "too (small|thin)"),
        (plate(2), "too (small|thin)"),
    ],
)
@pytest.mark.parametrize("spacing", [(1, 1, 1), (3, 4, 5)])
def test_a_shape_that_is_no_body_is_refused(mask, message, spacing):
    grid = oblique_grid(CENTRE, spacing, (0, 0, 0), half=(25, 25, 25))
    grid = type(grid)(mask.shape, grid.affine)

    with pytest.raises(ShapeError, match=message):
        measure(mask, grid)
