import numpy as np
import pytest
from support.dicom_files import (
    VOXELS,
    ct_slice,
    enhanced_ct,
    item,
    needs_pydicom,
    save,
    write_series,
)

from system.errors import DataError
from volumes.formats import dicom_image
from volumes.formats.dicom import read_dicom_series
from volumes.formats.dicom_image import read_image

pytestmark = needs_pydicom


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, "localiser"),
        ({"SOPClassUID": "1.2.840.10008.1.3.10"}, "DICOMDIR"),
        (
            {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.66.4", "Modality": "SEG"},
            "object without image (SEG)",
        ),
        (
            {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.88.22", "Modality": "SR"},
            "object without image (SR)",
        ),
        (
            {"SOPClassUID": "1.3.12.2.1107.5.9.1", "Modality": "SMITH"},
            "object without image (other)",
        ),
        ({"SOPClassUID": "1.2.3"}, "object without image (CT)"),
    ],
)
def test_what_is_no_image_of_a_volume_is_named(tmp_path, changes, what):
    path = save(ct_slice(0, **changes), tmp_path / "a")

    assert read_image(path, "file 1") == what


def test_other_files_are_named(tmp_path):
    (tmp_path / "a").write_bytes(b"x" * 1000)

    assert read_image(tmp_path / "a", "file 1") == "not DICOM"


def test_an_image_tells_what_its_header_says(tmp_path):
    path = save(ct_slice(2, Modality="XXX"), tmp_path / "a")

    image = read_image(path, "file 1")

    assert image.modality == "other"
    assert image.series_number == 4
    assert image.pixel_length == 24
    assert path.read_bytes()[image.pixel_offset :] == ct_slice(2).PixelData
    (one,) = image.slices
    assert (one.slope, one.intercept, one.thickness) == (1, -1024, 2.5)
    assert one.spacing == (0.8, 0.5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"PixelSpacing": [1, 2, 3]}, r"'PixelSpacing' .* 2 of them. Received: 3 \(1,"),
        ({"ImagePositionPatient": [1, 2]}, "'ImagePositionPatient' .* 3 of them"),
        ({"ImageOrientationPatient": [1, 0, 0]}, "'ImageOrientationPatient' .* 6 of"),
        ({"RescaleSlope": [1, 2]}, "'RescaleSlope' .* 1 of them. Received: 2"),
        ({"SeriesNumber": [1, 2]}, "'SeriesNumber' .* 1 of them. Received: 2"),
    ],
)
def test_fields_of_another_count_are_refused(tmp_path, changes, message):
    path = save(ct_slice(0, **changes), tmp_path / "a")

    with pytest.raises(DataError, match=message):
        read_image(path, "file 1")


@pytest.mark.parametrize(
    "text", [b"nan      ", b"inf      ", b"-1e999   ", b"two words"]
)
def test_fields_that_are_no_finite_numbers_are_refused(tmp_path, text):
    path = save(ct_slice(0, RescaleSlope="1.2345678"), tmp_path / "a")
    path.write_bytes(path.read_bytes().replace(b"1.2345678", text))

    with pytest.raises(DataError, match="'RescaleSlope' must hold finite numbers"):
        read_image(path, "file 1")


def test_groups_of_a_frame_go_before_the_shared_ones(tmp_path):
    dataset = enhanced_ct()
    for number, frame in enumerate(dataset.PerFrameFunctionalGroupsSequence):
        frame.PixelValueTransformationSequence = item(
            RescaleIntercept=number, RescaleSlope=2, RescaleType="US"
        )

    array = read_dicom_series(write_series(tmp_path / "series", [dataset])).array

    np.testing.assert_array_equal(array, (VOXELS + 1024) * 2 + np.arange(5))


def test_a_file_must_describe_each_of_its_frames(tmp_path, monkeypatch):
    dataset = enhanced_ct()
    del dataset.PerFrameFunctionalGroupsSequence[4]
    path = save(dataset, tmp_path / "a")
    with pytest.raises(DataError, match="Received: 4 descriptions of 5 frames"):
        read_image(path, "file 1")

    save(enhanced_ct(), path)
    assert len(read_image(path, "file 1").slices) == 5
    monkeypatch.setattr(dicom_image, "MAX_FRAMES", 4)
    with pytest.raises(DataError, match="each frame, of at most 4"):
        read_image(path, "file 1")


def test_a_file_that_cannot_be_opened_is_refused(tmp_path):
    with pytest.raises(DataError, match="file 1: could not be read: No such file"):
        read_image(tmp_path / "missing", "file 1")
