"""Twins of other programs' files, so that every clone of the project checks them."""

import nrrd
import numpy as np
import pytest
import SimpleITK
from support.nrrd_files import VOXELS
from support.refused_twins import REFUSED
from support.twins import READ, write_files

from system.errors import DataError
from volumes.formats.files import read_label_map, read_volume


def by_simpleitk(path):
    """Give voxels and the last voxel's place, RAS+ mm, as SimpleITK reads them."""
    image = SimpleITK.ReadImage(str(path))
    array = SimpleITK.GetArrayFromImage(image).T
    last = [side - 1 for side in array.shape]
    left, posterior, superior = image.TransformIndexToPhysicalPoint(last)
    return array, (-left, -posterior, superior)


@pytest.mark.parametrize("name", READ)
def test_a_twin_is_read_with_exact_voxels_and_grid(tmp_path, name):
    twin = READ[name]

    volume = read_volume(write_files(tmp_path, twin.files))

    np.testing.assert_array_equal(volume.array, twin.array)
    assert volume.array.dtype == twin.array.dtype
    last = [side - 1 for side in twin.array.shape]
    np.testing.assert_allclose(volume.grid.to_world(last), twin.last, rtol=1e-12)
    assert len(volume.notes) == len(twin.assumed)
    for note, word in zip(volume.notes, twin.assumed, strict=True):
        assert word in note


@pytest.mark.parametrize("name", sorted(READ.keys() - {"bzip2"}))
def test_simpleitk_reads_a_twin_alike(tmp_path, name):
    twin = READ[name]

    array, last = by_simpleitk(write_files(tmp_path, twin.files))

    np.testing.assert_array_equal(array, twin.array)
    np.testing.assert_allclose(last, twin.last, rtol=1e-6)


def test_pynrrd_reads_the_bzip2_twin_alike(tmp_path):  # SimpleITK knows no bzip2
    array, _ = nrrd.read(str(write_files(tmp_path, READ["bzip2"].files)))

    np.testing.assert_array_equal(array, VOXELS)


@pytest.mark.parametrize("name", REFUSED)
def test_a_twin_is_refused_with_its_field(tmp_path, name):
    files, message = REFUSED[name]
    path = write_files(tmp_path, files)

    with pytest.raises(DataError, match=message) as caught:
        read_volume(path)

    assert str(caught.value).startswith(str(path))


def test_the_segments_of_a_twin_are_read(tmp_path):
    volume = read_label_map(write_files(tmp_path, READ["segments of 3D Slicer"].files))

    (segment,) = volume.segments
    assert (segment.value, segment.name) == (4, "lumbar vertebral column")
    assert segment.color == (0.831373, 0.737255, 0.4)
