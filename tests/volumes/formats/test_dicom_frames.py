import tracemalloc

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
from volumes.formats import dicom_format, dicom_frames
from volumes.formats.dicom import read_dicom_series

pytestmark = needs_pydicom
INT16 = np.dtype(np.int16)


def read(folder, slices):
    return read_dicom_series(write_series(folder, slices)).array


def itk_array(folder):
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    return SimpleITK.GetArrayFromImage(reader.Execute()).T


@pytest.mark.parametrize(
    ("dtype", "stored", "signed"),
    [("<u2", 16, 0), ("<i2", 16, 1), ("<i2", 12, 1), ("<u2", 12, 0)],
)
def test_stored_values_are_exact_in_every_type(tmp_path, dtype, stored, signed):
    values = VOXELS if signed else VOXELS + 1000
    bits = {"BitsStored": stored, "HighBit": stored - 1, "PixelRepresentation": signed}

    array = read(tmp_path / "series", stored_slices(values, dtype, **bits))

    np.testing.assert_array_equal(array, values)
    np.testing.assert_array_equal(array, itk_array(tmp_path / "series"))
    assert array.dtype == INT16


@pytest.mark.parametrize(("dtype", "signed"), [("u1", 0), ("i1", 1)])
def test_single_bytes_are_exact(tmp_path, dtype, signed):
    values = np.arange(60).reshape(SHAPE) * 4 - 120 * signed
    bits = {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7}
    slices = stored_slices(values, dtype, PixelRepresentation=signed, **bits)

    np.testing.assert_array_equal(read(tmp_path / "series", slices), values)


def test_bits_that_are_not_stored_make_no_difference(tmp_path):
    # Twelve bits of two's complement, shifted to bits 2 to 13; noise around them.
    noise = np.random.default_rng(0).integers(0, 16, SHAPE)
    words = (VOXELS.astype(int) & 0xFFF) << 2 | noise & 3 | (noise >> 2) << 14
    bits = {"BitsStored": 12, "HighBit": 13, "PixelRepresentation": 1}

    array = read(tmp_path / "series", stored_slices(words, **bits))

    np.testing.assert_array_equal(array, VOXELS)


@pytest.mark.parametrize("name", ["ImplicitVRLittleEndian", "ExplicitVRBigEndian"])
def test_voxels_are_exact_in_other_byte_orders(tmp_path, name):
    import pydicom

    order = ">u2" if name.endswith("BigEndian") else "<u2"
    slices = stored_slices(VOXELS + 1024, order, RescaleIntercept=-1024)
    for one in slices:
        one.file_meta.TransferSyntaxUID = getattr(pydicom.uid, name)

    np.testing.assert_array_equal(read(tmp_path / "series", slices), VOXELS)


def enlarged(voxels):
    """Repeat voxels, as OpenJPEG encodes no image of a few pixels."""
    return voxels.repeat(32, axis=0).repeat(24, axis=1)


def compressed(slices, syntax):
    for one in slices:
        one.compress(syntax, generate_instance_uid=False)
    return slices


@pytest.mark.parametrize("syntax", ["RLELossless", "JPEG2000Lossless"])
@pytest.mark.parametrize("signed", [0, 1])
def test_compressed_voxels_are_exact(tmp_path, syntax, signed):
    import pydicom

    if syntax == "JPEG2000Lossless":
        pytest.importorskip("openjpeg", reason="pylibjpeg-openjpeg is not installed")
    values = enlarged(VOXELS if signed else VOXELS + 1000)
    slices = stored_slices(values, PixelRepresentation=signed)

    array = read(tmp_path / "series", compressed(slices, getattr(pydicom.uid, syntax)))

    np.testing.assert_array_equal(array, values)


def test_lossless_jpeg_as_simpleitk_writes_it_is_exact(tmp_path):
    pytest.importorskip("libjpeg", reason="pylibjpeg-libjpeg is not installed")
    (tmp_path / "jpeg").mkdir()
    for path in write_series(tmp_path / "series").iterdir():
        writer = SimpleITK.ImageFileWriter()
        writer.SetImageIO("GDCMImageIO")
        writer.KeepOriginalImageUIDOn()
        writer.UseCompressionOn()
        writer.SetCompressor("JPEG")
        writer.SetFileName(str(tmp_path / "jpeg" / path.name))
        writer.Execute(SimpleITK.ReadImage(str(path)))

    np.testing.assert_array_equal(read_dicom_series(tmp_path / "jpeg").array, VOXELS)


def test_rle_is_decoded_by_pydicom_itself_whatever_is_installed(tmp_path, monkeypatch):
    from pydicom.uid import RLELossless

    plugins = []

    class Recorder:
        @staticmethod
        def as_array(*args, decoding_plugin, **kwargs):
            plugins.append(decoding_plugin)
            return dicom_format.find_decoder(RLELossless).as_array(*args, **kwargs)

    monkeypatch.setattr(dicom_frames, "find_decoder", lambda _: Recorder)

    read(tmp_path / "series", compressed(ct_slices(), RLELossless))

    assert plugins == ["pydicom"] * 5


def test_compressed_frames_of_one_file_are_put_in_order(tmp_path):
    from pydicom.uid import RLELossless

    slices = compressed([enhanced_ct(order=[3, 1, 0, 2, 4])], RLELossless)

    np.testing.assert_array_equal(read(tmp_path / "series", slices), VOXELS)


def test_compressed_images_of_another_size_are_refused(tmp_path):
    from pydicom.uid import JPEG2000Lossless

    pytest.importorskip("openjpeg", reason="pylibjpeg-openjpeg is not installed")
    large = ct_slice(0, Rows=1500, Columns=1000, PixelData=bytes(3_000_000))
    large.compress(JPEG2000Lossless)
    large.Rows, large.Columns = 3, 4

    with pytest.raises(DataError, match=r"its header, 3 x 4\. Received: 1500 x 1000"):
        read(tmp_path / "series", [large])


# Of 7 - 3 columns and 5 - 2 rows; the number of channels follows.
JPEG_2000 = "ff4fff51 0029 0000 00000007 00000005 00000003 00000002" + "00" * 16


@pytest.mark.parametrize(
    ("codestream", "size"),
    [
        (JPEG_2000 + "0001", (3, 4)),
        (JPEG_2000 + "0003", None),
        ("ffd8 ffe0 0004 aaaa ffc3 000b 0c 0003 0004 01", (3, 4)),
        ("ffd8 ffc4 0008 aaaaaaaaaaaa ffc3 000b 0c 0003 0004 01", (3, 4)),
        ("ffd8 fff7 000b 0c 0003 0004 01", (3, 4)),
        ("ffd8 ffe0 0004 aaaa ffc0 000b 0c 0003 0004 03", None),
        ("ffd8 ffc4 0004 aaaa", None),
        ("ffd8 ffc4 0000 ffc4 0000", None),
        ("474946383961", None),  # GIF
        ("", None),
    ],
)
def test_the_size_of_a_codestream_is_that_of_its_markers(codestream, size):
    assert dicom_frames._encoded_size(bytes.fromhex(codestream)) == size


def test_compressed_images_that_are_cut_off_are_refused(tmp_path):
    from pydicom.uid import RLELossless

    folder = write_series(tmp_path / "series", compressed(ct_slices(), RLELossless))
    path = folder / "03.dcm"
    path.write_bytes(path.read_bytes()[:-30])

    with pytest.raises(DataError, match="must be RLE Lossless, as pydicom can decode"):
        read_dicom_series(folder)


def test_decoded_values_beyond_the_stored_bits_are_refused(tmp_path):
    from pydicom.uid import JPEG2000Lossless

    pytest.importorskip("openjpeg", reason="pylibjpeg-openjpeg is not installed")
    bits = {"BitsStored": 16, "HighBit": 15}
    slices = compressed(
        stored_slices(enlarged(VOXELS + 30000), **bits), JPEG2000Lossless
    )
    for one in slices:
        one.BitsStored, one.HighBit = 12, 11

    with pytest.raises(DataError, match=r"of 0 to 4095 \(field 'BitsStored'\)"):
        read(tmp_path / "series", slices)


def test_fewer_compressed_frames_than_promised_are_refused(tmp_path):
    from pydicom.encaps import encapsulate, generate_frames
    from pydicom.uid import RLELossless

    (dataset,) = compressed([enhanced_ct()], RLELossless)
    frames = list(generate_frames(dataset.PixelData, number_of_frames=5))
    dataset.PixelData = encapsulate(frames[:4])

    with pytest.raises(DataError, match="must be RLE Lossless, as pydicom can"):
        read(tmp_path / "series", [dataset])


def test_no_more_memory_is_asked_for_than_a_file_is_long(tmp_path):
    from pydicom.uid import RLELossless

    folder = write_series(tmp_path / "series", compressed(ct_slices(), RLELossless))
    table = b"\xfe\xff\x00\xe0\x04\x00\x00\x00"
    for path in folder.iterdir():
        content = path.read_bytes()
        assert table in content
        path.write_bytes(content.replace(table, table[:4] + b"\0\0\0\x80"))  # 2 GiB

    tracemalloc.start()
    with pytest.raises(DataError, match="must be RLE Lossless, as pydicom can decode"):
        read_dicom_series(folder)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 2**24
