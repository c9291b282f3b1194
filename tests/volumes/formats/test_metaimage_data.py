import gzip
import tracemalloc
import zlib

import numpy as np
import pytest
import SimpleITK
from support.metaimage_files import RAW, metaimage_bytes
from support.nrrd_files import VOXELS, write

from system.errors import DataError
from volumes.formats.metaimage import read_metaimage

COMPRESSED = {"CompressedData": "True"}


def by_simpleitk(path):
    return SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path))).T


@pytest.mark.parametrize(
    "name", ["BinaryDataByteOrderMSB", "ElementByteOrderMSB", "both"]
)
@pytest.mark.parametrize(("word", "order"), [("True", ">"), ("False", "<"), ("1", ">")])
def test_voxels_are_exact_in_either_byte_order(tmp_path, name, word, order):
    names = ["BinaryDataByteOrderMSB", "ElementByteOrderMSB"]
    fields = {other: word if name in (other, "both") else None for other in names}
    data = VOXELS.astype(order + "i2").tobytes(order="F")
    path = write(tmp_path, metaimage_bytes(data, **fields), "scan.mha")

    np.testing.assert_array_equal(read_metaimage(path).array, VOXELS)
    np.testing.assert_array_equal(by_simpleitk(path), VOXELS)


def test_voxels_are_binary_where_the_header_does_not_say(tmp_path):
    path = write(tmp_path, metaimage_bytes(BinaryData=None), "scan.mha")

    np.testing.assert_array_equal(read_metaimage(path).array, VOXELS)
    np.testing.assert_array_equal(by_simpleitk(path), VOXELS)


@pytest.mark.parametrize(("name", "dtype"), [("MET_LONG", "i4"), ("MET_ULONG", "u4")])
def test_a_long_has_four_bytes_as_in_itk(tmp_path, name, dtype):
    data = VOXELS.astype("<" + dtype).tobytes(order="F")
    path = write(tmp_path, metaimage_bytes(data, ElementType=name), "scan.mha")

    array = read_metaimage(path).array

    np.testing.assert_array_equal(array, VOXELS)
    assert array.dtype == by_simpleitk(path).dtype == np.dtype(dtype)


@pytest.mark.parametrize(
    ("data", "size"), [(RAW, None), (b"before" + RAW, "6"), (b"before" + RAW, "-1")]
)
@pytest.mark.parametrize("name", ["scan.raw", "a scan 01.raw"])
def test_a_data_file_is_read_behind_its_own_header(tmp_path, name, data, size):
    write(tmp_path, data, name)
    content = metaimage_bytes(b"", ElementDataFile=name, HeaderSize=size)
    path = write(tmp_path, content, "scan.mhd")

    np.testing.assert_array_equal(read_metaimage(path).array, VOXELS)
    np.testing.assert_array_equal(by_simpleitk(path), VOXELS)


def test_a_data_file_may_lie_in_a_folder_below(tmp_path):
    (tmp_path / "below").mkdir()
    write(tmp_path / "below", RAW, "scan.raw")
    content = metaimage_bytes(b"", ElementDataFile="below/scan.raw")

    volume = read_metaimage(write(tmp_path, content, "scan.mhd"))

    np.testing.assert_array_equal(volume.array, VOXELS)


def test_attached_data_are_read_behind_skipped_bytes(tmp_path):
    # 999 has as many digits as the length of the header that ends before it.
    end = len(metaimage_bytes(b"", HeaderSize="999"))
    size = {"HeaderSize": str(end + 6)}
    path = write(tmp_path, metaimage_bytes(b"before" + RAW, **size), "scan.mha")

    np.testing.assert_array_equal(read_metaimage(path).array, VOXELS)
    np.testing.assert_array_equal(by_simpleitk(path), VOXELS)


@pytest.mark.parametrize("pack", [zlib.compress, gzip.compress])
@pytest.mark.parametrize("size", ["right", "0", None])
def test_compressed_data_need_no_size(tmp_path, pack, size):
    data = pack(RAW)
    size = str(len(data)) if size == "right" else size
    fields = {"CompressedData": "True", "CompressedDataSize": size}
    attached = write(tmp_path, metaimage_bytes(data, **fields), "scan.mha")
    write(tmp_path, data, "scan.zraw")
    fields["ElementDataFile"] = "scan.zraw"
    detached = write(tmp_path, metaimage_bytes(b"", **fields), "scan.mhd")

    np.testing.assert_array_equal(read_metaimage(attached).array, VOXELS)
    np.testing.assert_array_equal(read_metaimage(detached).array, VOXELS)
    np.testing.assert_array_equal(by_simpleitk(detached), VOXELS)


def test_streams_longer_than_a_chunk_are_exact(tmp_path):
    array = np.random.default_rng(0).integers(0, 2**15, (90, 80, 150)).astype("i2")
    image = SimpleITK.GetImageFromArray(array.T)  # 2.2 MB, hardly compressible
    SimpleITK.WriteImage(image, str(tmp_path / "scan.mha"), True)

    np.testing.assert_array_equal(read_metaimage(tmp_path / "scan.mha").array, array)


@pytest.mark.parametrize("place", ["LOCAL", "scan.raw"])
@pytest.mark.parametrize("pack", [None, zlib.compress, gzip.compress])
@pytest.mark.parametrize("change", [-3, 5])
def test_data_of_another_length_are_refused_with_both_counts(
    tmp_path, change, pack, place
):
    # 2 * 3 * 4 voxels of 2 bytes are 48 bytes.
    data = (RAW + b"extra")[: 48 + change]
    fields = {"ElementDataFile": place, **(COMPRESSED if pack else {})}
    data = pack(data) if pack else data
    write(tmp_path, data, "scan.raw")
    content = metaimage_bytes(data if place == "LOCAL" else b"", **fields)
    path = write(tmp_path, content, "scan.mhd")

    with pytest.raises(DataError, match=rf"48 bytes.*Received: {48 + change} bytes"):
        read_metaimage(path)


def test_a_data_file_shorter_than_its_end_is_refused(tmp_path):
    write(tmp_path, RAW[:40], "scan.raw")
    for size, received in (("-1", 40), ("30", 10), ("9" * 18, 0)):
        content = metaimage_bytes(b"", ElementDataFile="scan.raw", HeaderSize=size)
        path = write(tmp_path, content, "scan.mhd")

        with pytest.raises(DataError, match=rf"48 bytes.*Received: {received} bytes"):
            read_metaimage(path)


@pytest.mark.parametrize("cut", [1, 4, 20])
def test_a_stream_that_is_truncated_is_refused(tmp_path, cut):
    noise = np.random.default_rng(0).bytes(48)
    content = metaimage_bytes(zlib.compress(noise)[:-cut], **COMPRESSED)

    with pytest.raises(
        DataError, match=r"48 bytes.* that is truncated after \d+ bytes"
    ):
        read_metaimage(write(tmp_path, content, "scan.mha"))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (RAW, "must be False unless the data are one zlib or gzip stream .Error -3"),
        (zlib.compress(RAW) + b"x", "bytes follow the end of the stream"),
        (gzip.compress(RAW) * 2, "bytes follow the end of the stream"),
    ],
)
def test_a_stream_that_is_none_is_refused(tmp_path, data, message):
    path = write(tmp_path, metaimage_bytes(data, **COMPRESSED), "scan.mha")

    with pytest.raises(DataError, match=message):
        read_metaimage(path)


@pytest.mark.parametrize("size", [-1, 3, 10**15])
def test_a_wrong_size_of_compressed_data_is_refused(tmp_path, size):
    data = zlib.compress(RAW)
    fields = {**COMPRESSED, "CompressedDataSize": str(size)}
    path = write(tmp_path, metaimage_bytes(data, **fields), "scan.mha")

    message = rf"must be the number of bytes stored, {len(data)}\. Received: '{size}'"
    with pytest.raises(DataError, match=message):
        read_metaimage(path)


@pytest.mark.parametrize("pack", [zlib.compress, gzip.compress])
def test_decompressing_stops_soon_after_the_expected_bytes(tmp_path, pack):
    bomb = pack(bytes(2**26))  # 64 MiB in some kB
    path = write(tmp_path, metaimage_bytes(bomb, **COMPRESSED), "scan.mha")
    tracemalloc.start()

    # 48 expected bytes and the 64 kiB by which a surplus is measured.
    with pytest.raises(DataError, match=r"48 bytes.*Received: at least 65584 bytes"):
        read_metaimage(path)

    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**23


@pytest.mark.parametrize("compressed", ["True", "False"])
def test_no_memory_is_asked_for_before_the_data_are_seen(tmp_path, compressed):
    content = metaimage_bytes(
        zlib.compress(RAW), DimSize="1024 1024 2048", CompressedData=compressed
    )
    path = write(tmp_path, content, "scan.mha")
    tracemalloc.start()

    with pytest.raises(DataError, match=r"4294967296 bytes\. Received: "):
        read_metaimage(path)

    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**23


def test_simpleitk_returns_voxels_for_a_broken_stream(tmp_path):
    data = b"no stream " * 3
    fields = {**COMPRESSED, "CompressedDataSize": str(len(data))}
    path = write(tmp_path, metaimage_bytes(data, **fields), "scan.mha")

    assert SimpleITK.ReadImage(str(path)).GetSize() == (2, 3, 4)
    with pytest.raises(DataError, match="must be False unless the data are one zlib"):
        read_metaimage(path)
