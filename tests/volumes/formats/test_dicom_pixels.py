import numpy as np
import pytest
import SimpleITK
from support.dicom_files import (
    SHAPE,
    VOXELS,
    ct_slice,
    ct_slices,
    enhanced_ct,
    needs_pydicom,
    stored_slices,
    write_series,
)

from system.errors import DataError
from volumes.formats import dicom_pixels
from volumes.formats.dicom import read_dicom_series

pytestmark = needs_pydicom
INT16, FLOAT32 = np.dtype(np.int16), np.dtype(np.float32)


def read(folder, slices):
    return read_dicom_series(write_series(folder, slices)).array


def itk_array(folder):
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    return SimpleITK.GetArrayFromImage(reader.Execute()).T


def test_each_slice_is_rescaled_by_its_own_slope(tmp_path):
    slices = ct_slices()
    for index, one in enumerate(slices):
        one.RescaleSlope, one.RescaleIntercept = 0.5 + index, -10.25 * index
    stored = VOXELS + 1024

    array = read(tmp_path / "series", slices)

    assert array.dtype == FLOAT32
    for index in range(5):
        expected = stored[:, :, index] * (0.5 + index) - 10.25 * index
        np.testing.assert_array_equal(array[:, :, index], expected.astype(np.float32))


def test_rescaling_agrees_with_simpleitk(tmp_path):
    slices = ct_slices(RescaleSlope="0.123456789", RescaleIntercept="-3.7")

    array = read(tmp_path / "series", slices)

    np.testing.assert_allclose(array, itk_array(tmp_path / "series"), rtol=1e-6)


@pytest.mark.parametrize(
    ("largest", "slope", "intercept", "dtype"),
    [
        (32767, 1, 0, INT16),
        (32768, 1, 0, FLOAT32),
        (65535, 1, -32768, INT16),
        (65535, 1, -32769, FLOAT32),
        (65535, 1, -32767, FLOAT32),
        (16383, 2, 0, INT16),
        (16383, -2, 0, INT16),
        (16385, -2, 0, FLOAT32),
        (100, 1e9, 0, FLOAT32),
        (100, 1, 0.5, FLOAT32),
    ],
)
def test_values_are_int16_where_they_fit(tmp_path, largest, slope, intercept, dtype):
    stored = np.zeros(SHAPE, int)
    stored[1, 2, 3] = largest
    bits = {"BitsStored": 16, "HighBit": 15}
    scale = {"RescaleSlope": slope, "RescaleIntercept": intercept}

    array = read(tmp_path / "series", stored_slices(stored, **bits, **scale))

    assert array.dtype == dtype
    assert array[1, 2, 3] == largest * slope + intercept
    assert array[0, 0, 0] == intercept


@pytest.mark.parametrize("bits", [12, 16])
def test_voxels_are_read_twice_only_if_the_type_depends_on_them(
    tmp_path, monkeypatch, bits
):
    folder = write_series(
        tmp_path / "series", ct_slices(BitsStored=bits, HighBit=bits - 1)
    )
    passes = []
    planes = dicom_pixels._planes
    monkeypatch.setattr(
        dicom_pixels, "_planes", lambda *args: passes.append(1) or planes(*args)
    )

    read_dicom_series(folder)

    assert len(passes) == (2 if bits == 16 else 1)


@pytest.mark.parametrize(
    ("slope", "intercept"), [(0, 0), ("1e16", 0), (1, "-1e16"), ("1e300", 0)]
)
def test_rescalings_that_cannot_be_meant_are_refused(tmp_path, slope, intercept):
    slices = ct_slices(RescaleSlope=slope, RescaleIntercept=intercept)

    with pytest.raises(DataError, match=r"at most 1e\+15, and the slope not 0"):
        read(tmp_path / "series", slices)


@pytest.mark.parametrize("missing", ["RescaleSlope", "RescaleIntercept"])
def test_a_rescaling_of_some_slices_only_is_refused(tmp_path, missing):
    slices = [*ct_slices()[:4], ct_slice(4, **{missing: None})]

    with pytest.raises(DataError, match="by all slices or by none"):
        read(tmp_path / "series", slices)


def test_frames_of_one_file_are_put_in_order(tmp_path):
    folder = write_series(tmp_path / "series", [enhanced_ct(order=[2, 0, 1, 4, 3])])

    volume = read_dicom_series(folder)

    np.testing.assert_array_equal(volume.array, VOXELS)
    one_by_one = read_dicom_series(write_series(tmp_path / "classic"))
    np.testing.assert_allclose(volume.grid.affine, one_by_one.grid.affine, atol=1e-9)
