import numpy as np
import pytest

from spine.curve import fit_curve
from spine.reformat import CORONAL, SAGITTAL, along_curve
from volumes.geometry import Grid, affine_from

# A spine that bends 20 mm to the right halfway up.
CENTERS = np.array([[0, 0, 0], [12, 0, 30], [20, 0, 60], [12, 0, 90], [0, 0, 120.0]])


@pytest.fixture
def bent():
    """Return a tube of 8 mm along the spine, on an anisotropic grid with axes LAS."""
    grid = Grid(
        (40, 30, 80), affine_from((2, 2, 2), (50, -30, -20), np.diag([-1, 1, 1]))
    )
    points = grid.to_world(np.moveaxis(np.indices(grid.shape), 0, -1))
    curve = fit_curve(CENTERS, 10.0)
    nearest, _ = curve.nearest(points.reshape(-1, 3), np.inf)
    distances = np.linalg.norm(points.reshape(-1, 3) - curve.points[nearest], axis=1)
    return (distances < 8).reshape(grid.shape).astype(np.uint8), grid, curve


def test_a_bent_spine_is_seen_whole_in_the_sagittal_surface(bent):
    mask, grid, curve = bent

    surface = along_curve(curve, CENTERS, SAGITTAL, 1.0)
    picture = surface.sample(mask, grid, order=0)

    rows = [round(surface.place(center)[1]) for center in CENTERS]
    # Everywhere the tube is 16 mm wide; in a plane it would end where it bends away.
    assert picture[rows].sum(axis=1) == pytest.approx([16] * 5, abs=3)
    column = round(surface.place(CENTERS[2])[0])
    assert picture[rows, column].all()


def test_anterior_and_the_right_are_left_and_superior_is_up(bent):
    _, _, curve = bent
    sagittal = along_curve(curve, CENTERS, SAGITTAL, 0.5)
    coronal = along_curve(curve, CENTERS, CORONAL, 0.5)

    # The box is 20 x 0 x 120 mm with margins of 15, and pixels are half a mm.
    assert sagittal.place((0, 15, 135)) == (0, 0)
    assert sagittal.place((99, -15, -15)) == (60, 300)
    assert coronal.place((35, 0, 135)) == (0, 0)
    assert sagittal.points.shape == (300, 60, 3)


def test_outside_of_the_scan_has_the_given_value(bent):
    _, _, curve = bent
    small = Grid((2, 2, 2), affine_from((1, 1, 1)))

    surface = along_curve(curve, CENTERS, SAGITTAL, 1.0)

    values = surface.sample(np.ones((2, 2, 2)), small, order=1, outside=-7.0)
    assert values[0, 0] == -7


def test_a_surface_is_described_by_the_range_of_its_depth(bent):
    _, _, curve = bent
    straight = fit_curve(np.array([[3.0, 0, 0], [3, 0, 60], [3, 0, 120]]), 10.0)

    texts = [along_curve(curve, CENTERS, plane, 1.0).describe() for plane in (1, 0)]

    right = round(curve.points[:, 0].max())  # less than 20, as the curve is smooth
    left = round(curve.points[:, 0].min())
    assert texts == [
        f"sagittal curve, x = {left} to {right} mm",
        "coronal curve, y = 0 mm",
    ]
    surface = along_curve(straight, CENTERS, SAGITTAL, 1.0)
    assert surface.describe() == "sagittal curve, x = 3 mm"
