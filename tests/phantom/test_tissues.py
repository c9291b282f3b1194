import numpy as np
import pytest
from scipy import ndimage

from volumes.vertebrae import VERTEBRAE


def bodies_and_canal(phantom):
    """Voxels deep in bone, and voxels behind the bodies that bone surrounds.

    The canal is found without the code that draws it: it is what a label map,
    filled in each axial plane, encloses.
    """
    axis = [code in "SI" for code in phantom.grid.orientation].index(True)
    planes = np.moveaxis(phantom.label_map > 0, axis, 0)
    filled = np.stack([ndimage.binary_fill_holes(plane) for plane in planes])
    holes = np.moveaxis(filled & ~planes, 0, axis)
    voxel = np.array(phantom.grid.spacing)
    bone = ndimage.distance_transform_edt(phantom.label_map > 0, sampling=voxel) > 6
    return bone, ndimage.distance_transform_edt(holes, sampling=voxel) > 3.5


def test_labels_are_consecutive_verse_numbers_down_to_l5(phantom):
    values = np.unique(phantom.label_map)[1:]

    assert VERTEBRAE[int(values[-1])] == "L5"
    np.testing.assert_array_equal(values, np.arange(values[0], 25))
    assert 5 <= len(values) <= 9


@pytest.mark.slow
def test_canal_is_brighter_than_bone_in_mr_and_darker_in_ct(mr, ct):
    for phantom, brighter in ((mr, True), (ct, False)):
        bone, canal = bodies_and_canal(phantom)

        assert canal.sum() > 100
        difference = np.median(phantom.image[canal]) - np.median(phantom.image[bone])
        assert (difference > 100) if brighter else (difference < -100)


def test_ct_is_in_hounsfield_units(ct):
    lowest = np.quantile(ct.image, 0.002)
    cortex = np.quantile(ct.image[ct.label_map > 0], 0.98)

    # Behind the back lies air, with a noise of 15 to 25 HU, cut at -1024.
    assert lowest == pytest.approx(-1010, abs=15)
    assert 600 < cortex < 1000


def test_marrow_is_not_a_threshold_away_in_mr(mr):
    marrow, _ = bodies_and_canal(mr)
    window = np.quantile(mr.image[marrow], (0.1, 0.9))
    others = mr.image[mr.label_map == 0]

    alike = (others > window[0]) & (others < window[1])

    assert alike.sum() > 2 * np.count_nonzero(mr.label_map)
