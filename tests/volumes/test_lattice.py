from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from support.itk import itk_image

from system.errors import DataError
from volumes.geometry import Grid, affine_from
from volumes.lattice import check_not_empty, place_on_grid
from volumes.volume import Volume

SPACING = (0.5, 1.0, 2.0)
SHAPE = (5, 6, 7)
AFFINE = affine_from(SPACING, (-3.0, 4.0, 50.0))


def scan(affine=AFFINE, shape=SHAPE):
    return Volume(np.zeros(shape, np.int16), Grid(shape, affine), Path("scan.nrrd"))


def labels():
    """Labels with no symmetry, off the border."""
    array = np.zeros(SHAPE, np.uint16)
    array[1, 2, 3], array[3, 2, 3], array[1, 3, 5], array[2, 4, 1] = 20, 21, 22, 23
    return array


def label_map(array, affine, notes=()):
    grid = Grid(array.shape, affine)
    return Volume(array, grid, Path("label.nrrd"), notes=notes)


def moved(first, affine=AFFINE):
    """Return the affine of a grid whose voxel (0, 0, 0) is voxel `first`."""
    result = affine.copy()
    result[:3, 3] += affine[:3, :3] @ first
    return result


def test_label_map_on_the_scan_s_grid_is_returned_as_it_is():
    given = label_map(labels(), AFFINE)

    assert place_on_grid(given, scan(), "ann") is given


def test_box_of_the_scan_is_placed_at_its_offset(oblique_grid):
    for affine in (AFFINE, moved((0, 0, 0), oblique_grid.affine)):
        box = label_map(labels()[1:4, 2:5, 1:6], moved((1, 2, 1), affine), ("before",))

        placed = place_on_grid(box, scan(affine), "ann")

        np.testing.assert_array_equal(placed.array, labels())
        np.testing.assert_array_equal(placed.grid.affine, affine)
        assert placed.array.dtype == np.uint16
        assert placed.notes == (
            "before",
            "The label map is placed on the scan's grid: offset (1, 2, 1) voxels.",
        )


def test_label_map_larger_than_the_scan_loses_its_background():
    large = np.pad(labels(), ((2, 0), (1, 3), (0, 4)))

    placed = place_on_grid(label_map(large, moved((-2, -1, 0))), scan(), "ann")

    np.testing.assert_array_equal(placed.array, labels())
    assert placed.notes == (
        "The label map is placed on the scan's grid: offset (-2, -1, 0) voxels.",
    )


def test_labels_outside_the_scan_are_refused_with_their_number():
    large = np.pad(labels(), ((2, 0), (1, 3), (0, 4)))
    large[0, 5, 5] = large[4, 4, 9] = 20

    with pytest.raises(
        DataError, match=r"'ann' .* 2 of 6 labelled voxels lie outside the scan\.\n"
    ):
        place_on_grid(label_map(large, moved((-2, -1, 0))), scan(), "ann")


@pytest.mark.parametrize("axis", range(3))
def test_reversed_axis_is_turned(axis):
    affine = AFFINE.copy()
    affine[:3, axis] *= -1
    affine[:3, 3] += AFFINE[:3, axis] * (SHAPE[axis] - 1)

    placed = place_on_grid(label_map(np.flip(labels(), axis), affine), scan(), "ann")

    np.testing.assert_array_equal(placed.array, labels())
    assert placed.notes[0].endswith(
        f"offset (0, 0, 0) voxels, reversed along {'IJK'[axis]}."
    )


@pytest.mark.parametrize("order", [(2, 0, 1), (1, 2, 0), (0, 2, 1)])
def test_reordered_reversed_box_is_placed(order, oblique_grid):
    affine = moved((0, 0, 0), oblique_grid.affine)
    box = labels()[1:4, 2:5, 1:6]
    # Reversed along J: its first voxel is J = 4 of the scan.
    turned = affine.copy()
    turned[:3, 1] *= -1
    turned[:3, 3] = (affine @ (1, 4, 1, 1))[:3]
    turned[:3, :3] = turned[:3, order]
    stored = label_map(np.flip(box, 1).transpose(order), turned)

    placed = place_on_grid(stored, scan(affine), "ann")

    np.testing.assert_array_equal(placed.array, labels())
    for index in np.argwhere(stored.array):
        i, j, k = np.rint(placed.grid.to_index(stored.grid.to_world(index))).astype(int)
        assert placed.array[i, j, k] == stored.array[tuple(index)]
    assert placed.notes[0].endswith(
        "offset (1, 2, 1) voxels, axes re-ordered, reversed along J."
    )


@pytest.mark.parametrize("seed", range(4))
def test_placing_is_resampling_by_nearest_neighbours(seed, oblique_grid):
    rng = np.random.default_rng(seed)
    image = scan(oblique_grid.affine, (9, 10, 11))
    # Any box that hangs over, in any order, reversed along any axes.
    first, last = rng.integers(-3, 4, 3), rng.integers(6, 13, 3)
    array = rng.integers(1, 5, last - first).astype(np.uint16)
    for axis, side in enumerate(image.grid.shape):
        places = np.arange(first[axis], last[axis])
        outside = (places < 0) | (places >= side)
        array[(slice(None),) * axis + (outside,)] = 0
    order = rng.permutation(3)
    affine = moved(first, oblique_grid.affine)
    for axis in np.flatnonzero(rng.random(3) < 0.5):
        array = np.flip(array, axis)
        affine[:3, 3] += affine[:3, axis] * (array.shape[axis] - 1)
        affine[:3, axis] *= -1
    affine[:3, :3] = affine[:3, order]
    stored = label_map(np.ascontiguousarray(array.transpose(order)), affine)

    placed = place_on_grid(stored, image, "ann")

    expected = SimpleITK.Resample(
        itk_image(stored.array, stored.grid),
        itk_image(image.array, image.grid),
        SimpleITK.Transform(),
        SimpleITK.sitkNearestNeighbor,
    )
    np.testing.assert_array_equal(
        placed.array, SimpleITK.GetArrayFromImage(expected).transpose()
    )
    assert placed.array.any()


def test_box_of_one_voxel_in_a_sheared_scan_is_placed():
    affine = AFFINE.copy()
    affine[1, 2] = 1.5
    box = label_map(labels()[2:3, 4:5, 1:2], moved((2, 4, 1), affine))

    placed = place_on_grid(box, scan(affine), "ann")

    assert np.argwhere(placed.array).tolist() == [[2, 4, 1]]


def rotated(degrees):
    cos, sin = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    affine = AFFINE.copy()
    affine[:3, :3] = [[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]] @ AFFINE[:3, :3]
    return affine


SLANTED = AFFINE.copy()
SLANTED[:3, 2] = 2 * np.sin(np.deg2rad(20)), 0, 2 * np.cos(np.deg2rad(20))


@pytest.mark.parametrize(
    ("affine", "reason"),
    [
        (
            affine_from((0.5, 1.0, 2.5), (-3.0, 4.0, 50.0)),
            r"their spacings differ, \(0.5, 1, 2\) and \(0.5, 1, 2.5\) mm along",
        ),
        (rotated(2), "their axes are rotated by 2.00 degrees; resample"),
        (SLANTED, r"other directions, up to 20.00 degrees apart; resample"),
        (
            moved((0, 0.5, 0)),
            r"do not coincide, but are shifted by \(0, 0.5, 0\) voxels, 0.500 mm from",
        ),
        (moved((3, 0, 0.25)), r"shifted by \(3, 0, 0.25\) voxels, 0.500 mm from"),
        (moved((40, 0, 0)), r"do not overlap, their centres are 20.0 mm apart"),
        (moved((40.5, 0, 0)), r"do not overlap, their centres are 20.2 mm apart"),
    ],
    ids=["spacing", "rotation", "shear", "half", "quarter", "far", "far and a half"],
)
def test_other_lattices_are_refused_with_what_they_are(affine, reason):
    with pytest.raises(
        DataError,
        match=rf"(?s)case 'ann' are on different grids, .*{reason}.*\n"
        r"  scan\.nrrd: shape .*\n  label\.nrrd: shape .*\n  In 3D Slicer, module ",
    ):
        place_on_grid(label_map(labels(), affine), scan(), "ann")


@pytest.mark.parametrize("pad", [1, -1])
@pytest.mark.parametrize("axis", range(3))
def test_one_slice_more_or_less_from_the_same_origin_is_refused(axis, pad):
    # As in a real data set: 76 slices in the image, 77 in the label map.
    shape = list(SHAPE)
    shape[axis] += pad
    array = np.ones(shape, np.uint16)

    with pytest.raises(
        DataError,
        match=f"grids, their shapes differ, by one slice along axis {'IJK'[axis]}",
    ):
        place_on_grid(label_map(array, AFFINE), scan(), "ann")


def test_one_slice_more_at_an_origin_that_says_so_is_placed():
    array = np.pad(labels(), ((0, 0), (0, 0), (1, 0)))

    placed = place_on_grid(label_map(array, moved((0, 0, -1))), scan(), "ann")

    np.testing.assert_array_equal(placed.array, labels())


def test_spacing_that_differs_after_rounding_is_the_same_lattice():
    affine = moved((1, 2, 1))
    affine[2, 2] *= 1.002  # 4 steps: 0.008 of a voxel
    box = label_map(labels()[1:4, 2:5, 1:6], affine)

    np.testing.assert_array_equal(place_on_grid(box, scan(), "ann").array, labels())


def test_empty_label_map_is_called_one():
    check_not_empty(label_map(labels(), AFFINE))

    with pytest.raises(DataError, match=r"^label\.nrrd is empty: no voxel is labelled"):
        check_not_empty(label_map(np.zeros((1, 1, 1), np.uint16), AFFINE))
