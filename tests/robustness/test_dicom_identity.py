"""What identifies a patient stays in the files: no output of the reader holds it."""

import numpy as np
import pytest
from support.dicom_files import needs_pydicom, save, write_series
from support.marked_dicom import MARKS, check, identified_slices

from system.errors import DataError
from volumes.formats.dicom import read_dicom_grid, read_dicom_series, series_checksum
from volumes.formats.files import write_label_map

pytestmark = needs_pydicom


def replace(path, old, new):
    """Replace bytes in a file by others, padded to their number."""
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new.ljust(len(old))))


@pytest.fixture
def series(tmp_path):
    return write_series(tmp_path / "series", identified_slices())


def test_a_volume_of_a_series_holds_nothing_of_the_patient(
    series, tmp_path, caplog, capfd
):
    content = next(series.iterdir()).read_bytes().lower()
    assert all(mark.encode() in content for mark in MARKS)
    (series / "ZEBRA.txt").write_text("QUAGGA")

    volume = read_dicom_series(series)

    assert volume.notes == ("Ignored in the folder: not DICOM (1).",)
    with np.printoptions(threshold=10):
        check(f"{volume!r} {volume!s} {vars(volume)} {volume.grid}")
    check(series_checksum(series))
    for name in ("label.seg.nrrd", "label.nii"):
        label = np.zeros(volume.grid.shape, np.uint8)
        write_label_map(tmp_path / name, label, like=volume)
        check((tmp_path / name).read_bytes().decode("latin1"))
    check(caplog.text)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "changes",
    [
        {"Rows": 5},
        {"SamplesPerPixel": 3},
        {"PixelData": b"ZEBRA "},
        {"PhotometricInterpretation": "ZEBRA"},
        {"ImageOrientationPatient": None},
        {"PixelSpacing": [0, 1]},
        {"SOPInstanceUID": "1.2.777.777"},
        {"ImagePositionPatient": [1, 2, 3]},
        {"RescaleSlope": 0},
        {"BitsAllocated": 64},
    ],
)
def test_refusals_of_a_field_hold_nothing_of_the_patient(tmp_path, changes, capfd):
    folder = write_series(tmp_path / "series", identified_slices(**changes))

    with pytest.raises(DataError, match=r".") as caught:
        read_dicom_series(folder)

    check(f"{caught.value} {caught.value.__cause__}")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"IS\x02\x004 ", b"IS\x02\x00ZE"),  # SeriesNumber
        (b"-1024 ", b"ZEBRA"),  # RescaleIntercept
        (b"0.8\\0.5 ", b"ZEBRA^Q"),  # PixelSpacing
        (b"CS\x02\x00CT", b"CS\x02\x00ZE"),  # Modality
        (b"411.0000000000", b"ZEBRA^QUAGGA"),  # ImagePositionPatient
        (b"1.2.840.10008.1.2.1\0", b"1.2.777.777\0"),  # TransferSyntaxUID
        (b"1.2.840.10008.5.1.4.1.1.2\0", b"1.2.777.777\0"),  # SOPClassUID
        (b"US\x02\x00\x03\x00", b"UNZEBRA"),  # Rows
    ],
)
def test_files_with_names_in_the_wrong_place_do_not_show_them(series, old, new, capfd):
    for path in series.iterdir():
        if old in path.read_bytes():
            replace(path, old, new)

    try:
        text = str(read_dicom_series(series))
    except DataError as error:
        text = f"{error} {error.__cause__}"

    check(text)
    assert capfd.readouterr() == ("", "")


def test_refusals_of_a_folder_hold_nothing_of_the_patient(series, tmp_path):
    messages = []

    def refuse(expected):
        with pytest.raises(DataError, match=expected) as caught:
            read_dicom_grid(series)
        messages.append(f"{caught.value} {caught.value.__cause__}")

    other = identified_slices(SeriesNumber=9)[0]
    other.SeriesInstanceUID = "1.2.777.777"
    save(other, series / "ZEBRA.dcm")
    refuse("Received: 2 series")
    copy = identified_slices()[0]
    save(copy, series / "ZEBRA.dcm")
    refuse("6 files with 5 images")
    copy.SOPInstanceUID = "1.2.777.777"
    copy.AcquisitionNumber = 9
    save(copy, series / "ZEBRA.dcm")
    refuse("differ in AcquisitionNumber")
    (series / "ZEBRA.dcm").write_bytes(next(series.iterdir()).read_bytes()[:-9])
    refuse("The file is cut off")
    (series / "ZEBRA.dcm").unlink()
    (series / "ZEBRA.dcm").symlink_to(tmp_path)
    (series / "QUAGGA.dcm").symlink_to(tmp_path / "ZEBRA")
    refuse("a link that leaves it")
    check(" ".join(messages))
