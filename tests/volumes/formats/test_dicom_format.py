import pytest
from support.dicom_files import ct_slices, needs_pydicom, write_series

from system.errors import DataError
from volumes.formats import dicom_format
from volumes.formats.dicom import read_dicom_series

pytestmark = needs_pydicom


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"SamplesPerPixel": 3}, r"'SamplesPerPixel' must be 1\. Received: 3"),
        ({"SamplesPerPixel": None}, r"'SamplesPerPixel' must be 1\. Received: None"),
        ({"BitsAllocated": 32}, r"'BitsAllocated' must be 8 or 16\. Received: 32"),
        ({"BitsAllocated": 12}, r"'BitsAllocated' must be 8 or 16\. Received: 12"),
        ({"PixelRepresentation": 2}, r"'PixelRepresentation' must be 0 or 1\. Rec.* 2"),
        ({"BitsStored": 17}, r"'BitsStored' must be 1 to 16\. Received: 17"),
        ({"BitsStored": 0}, r"'BitsStored' must be 1 to 16\. Received: 0"),
        ({"BitsStored": None}, r"'BitsStored' must be 1 to 16\. Received: None"),
        ({"HighBit": 10}, r"'HighBit' must be 11 to 15\. Received: 10"),
        ({"HighBit": 16}, r"'HighBit' must be 11 to 15\. Received: 16"),
        ({"PhotometricInterpretation": "MONOCHROME1"}, "MONOCHROME1, the inverse"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "Received: another"),
        ({"PhotometricInterpretation": None}, "Received: another"),
        ({"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7}, "12 bytes.* 24 bytes"),
        ({"PixelData": b"\0" * 22}, r"must be as long .*, 24 bytes\. Received: 22"),
        ({"PixelData": b"\0" * 26}, r"must be as long .*, 24 bytes\. Received: 26"),
    ],
)
def test_pixels_that_are_not_grey_values_of_8_or_16_bits_are_refused(
    tmp_path, changes, message
):
    folder = write_series(tmp_path / "series", ct_slices(**changes))

    with pytest.raises(DataError, match=message):
        read_dicom_series(folder)


def test_values_given_by_a_table_are_refused(tmp_path):
    import pydicom

    table = pydicom.Dataset()
    table.LUTDescriptor = [1, 0, 16]
    slices = ct_slices(ModalityLUTSequence=pydicom.Sequence([table]))

    with pytest.raises(DataError, match="a table, field 'ModalityLUTSequence'"):
        read_dicom_series(write_series(tmp_path / "series", slices))


def test_bytes_in_big_endian_words_are_refused(tmp_path):
    from pydicom.uid import ExplicitVRBigEndian

    changes = {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7}
    slices = ct_slices(PixelData=b"\0" * 12, **changes)
    for one in slices:
        one.file_meta.TransferSyntaxUID = ExplicitVRBigEndian

    with pytest.raises(DataError, match="must be 16 where bytes are big-endian"):
        read_dicom_series(write_series(tmp_path / "series", slices))


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.4.94", "1.2.3.4"])
def test_other_transfer_syntaxes_are_refused(tmp_path, syntax):
    from pydicom.encaps import encapsulate
    from pydicom.uid import JPEG2000

    slices = ct_slices(PixelData=encapsulate([b"\0" * 24]))
    for one in slices:
        one.file_meta.TransferSyntaxUID = JPEG2000
        one["PixelData"].is_undefined_length = True
    folder = write_series(tmp_path / "series", slices)
    for path in folder.iterdir():  # JPIP, and a private one
        padded = syntax.encode().ljust(22, b"\0")
        path.write_bytes(path.read_bytes().replace(JPEG2000.encode(), padded))

    with pytest.raises(DataError, match="Received: another transfer syntax"):
        read_dicom_series(folder)


def test_compressed_pixels_must_be_encapsulated(tmp_path):
    from pydicom.uid import ExplicitVRLittleEndian, RLELossless

    folder = write_series(tmp_path / "series")
    for path in folder.iterdir():
        padded = RLELossless.encode().ljust(20, b"\0")
        syntax = ExplicitVRLittleEndian.encode() + b"\0"
        path.write_bytes(path.read_bytes().replace(syntax, padded))

    with pytest.raises(DataError, match="Received: another transfer syntax"):
        read_dicom_series(folder)


@pytest.mark.parametrize(
    ("syntax", "packages"),
    [
        ("1.2.840.10008.1.2.4.70", "pylibjpeg pylibjpeg-libjpeg"),
        ("1.2.840.10008.1.2.4.80", "pylibjpeg pylibjpeg-libjpeg"),
        ("1.2.840.10008.1.2.4.90", "pylibjpeg pylibjpeg-openjpeg"),
    ],
)
def test_a_missing_decoder_is_named_with_its_packages(
    tmp_path, monkeypatch, syntax, packages
):
    import pydicom
    from pydicom.encaps import encapsulate

    slices = ct_slices(PixelData=encapsulate([b"\0" * 24]))
    for one in slices:
        one.file_meta.TransferSyntaxUID = pydicom.uid.UID(syntax)
        one["PixelData"].is_undefined_length = True
    folder = write_series(tmp_path / "series", slices)

    class Missing:
        is_available = False

    monkeypatch.setattr(dicom_format, "find_decoder", lambda _: Missing())

    with pytest.raises(
        DataError, match=rf"transfer syntax {syntax}\) needs .*pip install {packages}$"
    ):
        read_dicom_series(folder)


def test_compressed_pixels_much_longer_than_their_voxels_are_refused(tmp_path):
    from pydicom.encaps import encapsulate
    from pydicom.uid import RLELossless

    slices = ct_slices(PixelData=encapsulate([b"\0" * (2**20 + 100)]))
    for one in slices:
        one.file_meta.TransferSyntaxUID = RLELossless
        one["PixelData"].is_undefined_length = True

    with pytest.raises(DataError, match=r"not be longer than 2 times .*, 24 bytes"):
        read_dicom_series(write_series(tmp_path / "series", slices))
