import numpy as np

from spine.curve import fit_curve


def test_curve_follows_an_arc_and_ends_straight():
    # A quarter of a circle of 100 mm in the sagittal plane, from below.
    angles = np.linspace(-np.pi / 4, np.pi / 4, 9)
    centers = 100 * np.stack([0 * angles, np.cos(angles), np.sin(angles)], axis=1)

    curve = fit_curve(centers, 20)

    inner = curve.points[curve.beyond == 0]
    np.testing.assert_allclose(np.linalg.norm(inner, axis=1), 100, atol=1.2)
    np.testing.assert_allclose(np.linalg.norm(curve.tangents, axis=1), 1)
    top = np.array([0, -np.sin(np.pi / 4), np.cos(np.pi / 4)])
    np.testing.assert_allclose(curve.tangents[-1], top, atol=0.1)
    np.testing.assert_allclose(curve.points[-1], centers[-1] + 19 * top, atol=2.5)


def test_offsets_are_to_the_right_to_the_front_and_beyond_the_end():
    centers = np.array([[0.0, 0, 0], [0, 0, 30], [0, 0, 60]])
    positions = np.array([[7.0, 0, 30], [0, -9, 30], [1, 2, 85], [300, 0, 0]])

    offsets = fit_curve(centers, 5).offsets(positions, within_mm=50)

    # The curve ends 4 mm beyond the last centre, at 64.
    expected = [[7, 0, 0], [0, -9, 0], [1, 2, 21]]
    np.testing.assert_allclose(offsets[:3], expected, atol=0.6)
    assert np.isinf(offsets[3]).all()
