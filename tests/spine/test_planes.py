import numpy as np
import pytest
from support.box_spines import box_spine

from spine.planes import choose_planes
from volumes.planes import choose_straight_planes

SPACING = (2.0, 2.0, 2.0)


def scoliosis():
    """Return five boxes whose middle one is 24 mm to the right of the outer ones."""
    label, _ = box_spine()  # boxes of 20 x 16 x 12 voxels from voxel 6, 16 apart
    wide = np.zeros((label.shape[0] + 12, *label.shape[1:]), np.uint8)
    for number, shift in enumerate((0, 6, 12, 6, 0), start=1):
        wide[shift : shift + label.shape[0]][label == number] = 1
    return wide


def test_a_curved_spine_is_whole_in_the_planes_along_it():
    label = scoliosis()

    sagittal, coronal, axial = choose_planes(label, SPACING)

    # The middles of the boxes: right 6 + 9.5, and 12 more halfway up; height 6 + 5.5,
    # 16 voxels apart. The curve is smooth and need not meet them.
    heights = 11.5 + 16 * np.arange(5)
    found = [sagittal.at_height(round(height)) for height in heights]
    assert found == pytest.approx([15.5, 21.5, 27.5, 21.5, 15.5], abs=1.5)
    assert coronal.places == pytest.approx(np.full(label.shape[2], 13.5), abs=1)
    assert axial.places[0] == pytest.approx(heights[2], abs=1)


def test_the_curve_shows_more_of_a_scoliosis_than_a_slice():
    label = scoliosis()
    label[16:, :, :20] = label[16:, :, -20:] = 0  # so that a slice misses the ends

    curve, _, _ = choose_planes(label, SPACING)
    slice_, _, _ = choose_straight_planes(label)

    assert np.count_nonzero(curve.take(label).any(axis=1)) == 5 * 12
    assert np.count_nonzero(slice_.take(label).any(axis=1)) < 5 * 12


def test_planes_are_straight_where_there_is_no_chain():
    label = np.zeros((20, 20, 20), np.uint8)
    label[8:10, 5:15, 5:15] = 1

    planes = choose_planes(label, SPACING)

    expected = choose_straight_planes(label)
    assert not any(plane.is_bent for plane in planes)
    assert [p.places[0] for p in planes] == [p.places[0] for p in expected]
    assert not choose_planes(np.zeros_like(label), SPACING)[0].is_bent


def test_the_curve_is_that_of_the_vertebrae_alone():
    label, _ = box_spine()
    wide = np.zeros((label.shape[0] + 40, *label.shape[1:]), np.uint8)
    wide[: label.shape[0]] = label
    wide[-30:] = 9  # a large organ

    sagittal, _, _ = choose_planes(wide, SPACING, vertebrae=(1, 2, 3, 4, 5))

    assert sagittal.places == pytest.approx(np.full(wide.shape[2], 15.5), abs=1)
