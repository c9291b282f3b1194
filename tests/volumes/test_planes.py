import numpy as np
import pytest

from volumes.planes import (
    AXIAL,
    CORONAL,
    SAGITTAL,
    Plane,
    choose_straight_planes,
    count_along,
    find_box,
    project,
)

SHAPE = (4, 6, 10)
# Index 3 of 4 is right, 5 of 6 anterior, 9 of 10 superior.
CORNERS = [
    (SAGITTAL, (1, 5, 9), (0, 0)),  # anterior left, superior up
    (SAGITTAL, (1, 0, 9), (0, -1)),
    (SAGITTAL, (1, 5, 0), (-1, 0)),
    (CORONAL, (3, 2, 9), (0, 0)),  # right on the left, superior up
    (CORONAL, (0, 2, 9), (0, -1)),
    (CORONAL, (3, 2, 0), (-1, 0)),
    (AXIAL, (3, 5, 4), (0, 0)),  # right on the left, anterior up
    (AXIAL, (0, 5, 4), (0, -1)),
    (AXIAL, (3, 0, 4), (-1, 0)),
]


def places_of(planes):
    return [plane.places.tolist() for plane in planes]


@pytest.mark.parametrize(("axis", "voxel", "corner"), CORNERS)
def test_voxel_lands_in_the_conventional_corner(axis, voxel, corner):
    volume = np.zeros(SHAPE, np.uint8)
    volume[voxel] = 7

    plane = Plane(axis, np.array([float(voxel[axis])])).take(volume)

    assert plane[corner] == 7
    assert np.count_nonzero(plane) == 1


@pytest.mark.parametrize(("axis", "voxel", "corner"), CORNERS[:6])
def test_voxel_of_a_bent_plane_lands_in_the_same_corner(axis, voxel, corner):
    volume = np.zeros(SHAPE, np.uint8)
    volume[voxel] = 7
    places = np.zeros(10)
    places[voxel[2]] = voxel[axis]

    plane = Plane(axis, places).take(volume)

    assert plane.shape == (10, 6 if axis == SAGITTAL else 4)
    assert plane[corner] == 7


def test_bent_plane_interpolates_an_image_and_rounds_labels():
    volume = np.zeros((3, 1, 4), np.float16)
    volume[1], volume[2] = 8, 16
    plane = Plane(SAGITTAL, np.array([0, 0.25, 1.75, 9]))  # 9 is beyond the last

    # From the top: the last voxel, 0.25 * 8 + 0.75 * 16, 0.75 * 0 + 0.25 * 8, 0.
    assert plane.take(volume, smooth=True)[:, 0].tolist() == [16, 14, 2, 0]
    assert plane.take(volume)[:, 0].tolist() == [16, 16, 0, 0]


def test_plane_keeps_its_place_in_a_box():
    bent = Plane(CORONAL, np.arange(10.0))
    box = (slice(1, 3), slice(2, 6), slice(5, 8))

    assert bent.within(box).places.tolist() == [3, 4, 5]
    assert Plane(AXIAL, np.array([6.0])).within(box).places.tolist() == [1]
    assert bent.at_height(4) == 4


def test_straight_planes_avoid_the_gap_at_the_middle():
    label = np.zeros((5, 6, 11), np.uint8)
    label[1:4, 2:4, 1:4] = 1
    label[1:4, 2:4, 7:11] = 1  # the middle of all 43 voxels is the first of these
    label[2, 2, 5] = 1  # a single voxel is less than half a slice

    assert places_of(choose_straight_planes(label)) == [[2], [2], [7]]


def test_a_wrong_label_that_fills_a_slice_does_not_attract_the_plane():
    label = np.zeros((40, 20, 30), np.uint8)
    label[16:23, 7:14, 2:28] = 1  # a spine, 182 voxels a slice and 1274 in all
    label[2] = 1  # the fullest sagittal slice by far, of 600 voxels

    sagittal, _, _ = choose_straight_planes(label)

    # Half of 1874 is reached 600 + 2 * 182 = 964 from the left, in slice 17.
    assert sagittal.places.tolist() == [17]


def test_planes_without_foreground_go_through_the_middle():
    planes = choose_straight_planes(np.zeros((4, 6, 9), np.uint8))

    assert places_of(planes) == [[1], [2], [4]]


def test_projection_shows_a_voxel_wherever_it_lies():
    volume = np.zeros(SHAPE, np.uint8)
    volume[3, 5, 9] = 4  # right, anterior, superior
    volume[0, 5, 9] = 2

    assert project(volume, SAGITTAL)[0, 0] == 4
    assert project(volume, CORONAL)[0].tolist() == [4, 0, 0, 2]
    assert count_along(volume > 0, SAGITTAL)[0, 0] == 2


def test_box_holds_all_masks_with_a_margin_in_mm():
    first, second = np.zeros((2, 20, 20, 20), np.uint8)
    first[5, 5, 5] = second[10, 5, 19] = 1

    box = find_box((20, 20, 20), (1.0, 2.0, 4.0), [first, second], 4.0)

    # Margins of 4, 2 and 1 voxels, as far as the volume reaches.
    assert box == (slice(1, 15), slice(3, 8), slice(4, 20))
    empty = np.zeros((2, 3, 4))
    assert find_box((2, 3, 4), (1, 1, 1), [empty], 4.0)[2] == slice(0, 4)
