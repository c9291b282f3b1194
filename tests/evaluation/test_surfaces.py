import numpy as np
import pytest
import surface_distance

from evaluation.surfaces import compute_surface_distances

SPACING = (3.0, 2.0, 1.0)
TILT = np.deg2rad(20)
# A tilted gantry: the third axis is 20 degrees from the normal of the slices.
TILTED = np.array([[0.8, 0, 0], [0, 0.8, np.sin(TILT)], [0, 0, np.cos(TILT)]])


def ball(radius, steps, center=(0.0, 0.0, 0.0), side=80):
    """Return the voxels within `radius` mm of a point `center` mm off the middle."""
    axis = np.arange(side) - (side - 1) / 2
    points = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1) @ steps.T
    return np.linalg.norm(points - center, axis=-1) <= radius


def measure(surfaces):
    """Return the largest distance without outliers, and the mean one, both ways."""
    distances, areas = (
        np.concatenate([surfaces[f"{name}_gt{end}"], surfaces[f"{name}_pred{back}"]])
        for name, end, back in (
            ("distances", "_to_pred", "_to_gt"),
            ("surfel_areas", "", ""),
        )
    )
    return (
        surface_distance.compute_robust_hausdorff(surfaces, 95),
        np.average(distances, weights=areas),
    )


def test_slanted_axes_give_what_the_package_gives_at_right_angles():
    # A rotated grid is no diagonal matrix, yet all distances and areas are the same.
    rng = np.random.default_rng(2)
    reference, prediction = rng.random((2, 6, 7, 8)) < [[[[0.2]]], [[[0.35]]]]
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))

    found = compute_surface_distances(
        reference, prediction, rotation @ np.diag(SPACING)
    )

    expected = surface_distance.compute_surface_distances(
        reference, prediction, SPACING
    )
    assert found.keys() == expected.keys()
    np.testing.assert_allclose(measure(found), measure(expected), rtol=1e-9)
    for name in ("surfel_areas_gt", "surfel_areas_pred"):
        assert found[name].sum() == pytest.approx(expected[name].sum(), rel=1e-9)
    for name in ("distances_gt_to_pred", "distances_pred_to_gt"):
        np.testing.assert_allclose(found[name], expected[name], atol=1e-9)


def test_right_angles_are_left_to_the_package_bit_for_bit():
    rng = np.random.default_rng(3)
    reference, prediction = rng.random((2, 5, 6, 7)) < 0.3

    found = compute_surface_distances(reference, prediction, np.diag(SPACING))

    expected = surface_distance.compute_surface_distances(
        reference, prediction, SPACING
    )
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values)


def test_balls_in_one_another_are_as_far_apart_as_their_radii_on_a_tilted_grid():
    inner, outer = ball(18, TILTED), ball(24, TILTED)

    hausdorff, _ = measure(compute_surface_distances(inner, outer, TILTED))

    # 6 mm everywhere, but for half a voxel's steps of each surface. As if at right
    # angles, the distance would be over 6.3.
    assert hausdorff == pytest.approx(6, abs=0.2)
    wrong = surface_distance.compute_surface_distances(
        inner, outer, np.linalg.norm(TILTED, axis=0)
    )
    assert surface_distance.compute_robust_hausdorff(wrong, 95) > 6.3


@pytest.mark.parametrize("axis", range(3))
def test_moved_ball_is_as_far_away_as_on_an_upright_grid(axis):
    center = np.eye(3)[axis] * 6

    tilted, upright = (
        measure(
            compute_surface_distances(ball(20, steps), ball(20, steps, center), steps)
        )
        for steps in (TILTED, np.diag([0.8, 0.8, 0.8]))
    )

    assert upright[0] == pytest.approx(0.95 * 6, abs=0.5)  # |cos| of the polar angle
    np.testing.assert_allclose(tilted, upright, atol=0.12)
