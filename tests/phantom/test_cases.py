import numpy as np
import pytest

from phantom.anatomy import build_spine
from phantom.cases import build_grid, make_phantom, reorient, reorient_grid
from volumes.geometry import share_a_grid


def test_grid_is_anisotropic_and_oblique(phantom):
    spacing = sorted(phantom.grid.spacing)
    nearest = np.abs(phantom.grid.direction).max(axis=0)

    assert spacing[2] > 4 * spacing[0]
    # Between cos(9 degrees) and cos(0.2 degrees): askew, but still sagittal.
    assert (nearest > 0.985).all()
    assert nearest.min() < 0.99999


def test_image_label_map_and_grid_have_one_shape(phantom):
    assert phantom.image.shape == phantom.label_map.shape == phantom.grid.shape
    assert phantom.image.dtype == np.int16
    assert phantom.label_map.dtype == np.uint8


def test_sizes_and_axes_differ_between_cases(mr, ct):
    assert sorted(mr.grid.shape) != sorted(ct.grid.shape)
    assert mr.grid.orientation != ct.grid.orientation


def test_another_seed_or_case_gives_another_grid():
    grids = [
        build_grid(build_spine(6, rng), rng)
        for rng in map(np.random.default_rng, ([5, 1], [6, 1], [5, 2]))
    ]

    assert not share_a_grid(grids[0], grids[1])
    assert not share_a_grid(grids[0], grids[2])


def test_another_seed_gives_other_voxels(mr):
    other = make_phantom(1, 6)

    assert other.image.tobytes() != mr.image.tobytes()


def test_modality_is_refused_when_unknown():
    with pytest.raises(ValueError, match=r"MR or CT\. Received: modality='PET'"):
        make_phantom(0, 0, modality="PET")


def test_stored_voxels_keep_their_world_coordinates():
    rng = np.random.default_rng(0)
    grid = build_grid(build_spine(5, rng), rng)
    array = np.zeros(grid.shape)
    array[3, 50, 70] = 1
    order, flips = np.array([2, 0, 1]), np.array([True, False, True])

    stored, onto = reorient(array, order, flips), reorient_grid(grid, order, flips)

    assert stored.shape == onto.shape
    np.testing.assert_allclose(
        onto.to_world(np.argwhere(stored)[0]), grid.to_world((3, 50, 70)), rtol=1e-6
    )
