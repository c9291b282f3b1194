import struct
import tracemalloc
import zlib

import pytest
from support.dicom_files import ct_slice, enhanced_ct, needs_pydicom, save

from system.errors import DataError
from volumes.formats import dicom_file
from volumes.formats.dicom import read_dicom_grid
from volumes.formats.dicom_image import read_image

pytestmark = needs_pydicom
PIXEL_DATA = struct.pack("<HH2sH", 0x7FE0, 0x0010, b"OW", 0)
ITEM = struct.pack("<HHL", 0xFFFE, 0xE000, 0)
DELIMITER = struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)
UNDEFINED = 0xFFFFFFFF


def sequence(value, length=UNDEFINED, element=0x9230):
    """Encode a sequence of group 5200; 9230 holds what each frame is like."""
    return struct.pack("<HH2sHL", 0x5200, element, b"SQ", 0, length) + value


def with_elements(path, elements):
    """Put encoded elements before the pixel data of a slice."""
    content = save(ct_slice(0), path).read_bytes()
    path.write_bytes(content.replace(PIXEL_DATA, elements + PIXEL_DATA))
    return path


@pytest.mark.parametrize("place", ["header", "before the pixels", "in the pixels"])
def test_files_that_are_cut_off_are_refused(tmp_path, place):
    content = save(ct_slice(0), tmp_path / "whole").read_bytes()
    end = content.index(PIXEL_DATA)
    length = {"header": 600, "before the pixels": end, "in the pixels": end + 30}
    path = tmp_path / "a"
    path.write_bytes(content[: length[place]])

    with pytest.raises(DataError, match=r"pixel data must|must hold pixel data"):
        read_image(path, "file 1")


def test_every_cut_is_refused_or_no_dicom_image(tmp_path):
    content = save(enhanced_ct(), tmp_path / "whole").read_bytes()
    path = tmp_path / "a"
    for length in range(0, len(content), 3):
        path.write_bytes(content[:length])
        try:
            outcome = read_image(path, "file 1")
        except DataError:
            continue
        assert isinstance(outcome, str)


def test_deflated_files_are_refused_before_they_are_inflated(tmp_path):
    from pydicom.uid import DeflatedExplicitVRLittleEndian

    dataset = ct_slice(0)
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    content = save(dataset, tmp_path / "a").read_bytes()
    packer = zlib.compressobj(wbits=-15)
    bomb = packer.compress(bytes(2**27)) + packer.flush()
    (tmp_path / "a").write_bytes(content[:-200] + bomb)

    tracemalloc.start()
    with pytest.raises(DataError, match="must not be a deflated one"):
        read_image(tmp_path / "a", "file 1")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 2**23


def test_long_values_that_nobody_asks_for_are_passed_over(tmp_path, monkeypatch):
    monkeypatch.setattr(dicom_file, "MAX_HEADER_BYTES", 5000)
    private = struct.pack("<HH2sHL", 0x7001, 0x1001, b"OB", 0, 20_000) + bytes(20_000)

    image = read_image(with_elements(tmp_path / "a", private), "file 1")

    assert image.rows == 3


def test_headers_longer_than_any_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(dicom_file, "MAX_HEADER_BYTES", 5000)
    value = ITEM[:4] + struct.pack("<L", 20_000) + bytes(20_000)
    path = with_elements(tmp_path / "a", sequence(value, len(value)))

    with pytest.raises(DataError, match="header must be at most 5000 bytes long"):
        read_image(path, "file 1")


@pytest.mark.parametrize(
    ("element", "is_defined"),
    [(0x9230, True), (0x9230, False), (0x9231, False)],  # 9231 is not asked for
)
def test_sequences_of_countless_items_are_refused(
    tmp_path, monkeypatch, element, is_defined
):
    monkeypatch.setattr(dicom_file, "MAX_ITEMS", 1000)
    value = ITEM * 1001
    value = value if is_defined else value + DELIMITER
    length = len(value) if is_defined else UNDEFINED
    path = with_elements(tmp_path / "a", sequence(value, length, element))

    with pytest.raises(DataError, match="with 1000 items of sequences"):
        read_image(path, "file 1")


def test_countless_elements_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(dicom_file, "MAX_READS", 1000)
    empty = b"".join(
        struct.pack("<HH2sH", 0x6001, number, b"DS", 0) for number in range(1000)
    )

    with pytest.raises(DataError, match="some 1000 elements"):
        read_image(with_elements(tmp_path / "a", empty), "file 1")


def test_sequences_nested_without_end_are_refused(tmp_path):
    nested = sequence(struct.pack("<HHL", 0xFFFE, 0xE000, UNDEFINED)) * 2000

    with pytest.raises(DataError, match="data that pydicom cannot read"):
        read_image(with_elements(tmp_path / "a", nested), "file 1")


def test_warnings_and_messages_of_pydicom_are_not_shown(tmp_path, caplog, capfd):
    path = save(ct_slice(0), tmp_path / "a")
    uid = b"1.2.826.0.1.3680043.8.498.1.1"
    path.write_bytes(path.read_bytes().replace(uid, b"SMITH" * 5 + b"JOHN"))

    read_dicom_grid(tmp_path)  # pydicom warns of an invalid UID

    assert caplog.text == ""
    assert capfd.readouterr() == ("", "")


def test_implicit_vr_where_explicit_was_promised_is_read(tmp_path):
    from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

    dataset = ct_slice(0)
    dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    path = save(dataset, tmp_path / "a")
    meta = ImplicitVRLittleEndian.encode() + b"\0"
    longer = ExplicitVRLittleEndian.encode()
    content = path.read_bytes()
    start = content.index(b"\x02\0\x10\0UI")
    path.write_bytes(
        content[: start + 6]
        + struct.pack("<H", 20)
        + longer.ljust(20, b"\0")
        + content[content.index(meta) + len(meta) :]
    )

    image = read_image(path, "file 1")

    assert (image.pixel_length, image.is_encapsulated) == (24, False)
