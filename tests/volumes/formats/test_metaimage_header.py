import os

import numpy as np
import pytest
import SimpleITK
from support.metaimage_files import FIELDS, RAW, metaimage_bytes
from support.nrrd_files import VOXELS, write

from system.errors import DataError
from volumes.formats.metaimage import read_metaimage

COMPRESSED = {"CompressedData": "True"}


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", [" = ", "=", ": ", "   :\t"])
def test_fields_stand_in_any_order_with_comments_between(tmp_path, mark, end):
    names = [*[*reversed(FIELDS)][1:], "ElementDataFile"]
    lines = [f"{name}{mark}{FIELDS[name]}  " for name in names]
    lines[1:1] = ["", "# by hand", "Comment = by hand", "Comment = again", "\t"]
    content = end.join([*lines, ""]).encode() + RAW

    volume = read_metaimage(write(tmp_path, content, "scan.mha"))

    np.testing.assert_array_equal(volume.array, VOXELS)
    assert volume.grid.spacing == (0.5, 1, 2)
    assert volume.notes == ()


@pytest.mark.parametrize("word", ["LOCAL", "Local", "local"])
def test_data_may_be_attached_to_either_suffix(tmp_path, word):
    path = write(tmp_path, metaimage_bytes(ElementDataFile=word), "scan.mhd")

    np.testing.assert_array_equal(read_metaimage(path).array, VOXELS)


def test_as_many_voxels_are_read_as_allowed(tmp_path):
    path = write(tmp_path, metaimage_bytes(), "scan.mha")

    assert read_metaimage(path, max_voxels=24).array.size == 24
    with pytest.raises(DataError, match=r"at most 23 voxels in total \(--max-voxels"):
        read_metaimage(path, max_voxels=23)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"NDims": None}, "field 'NDims' is missing"),
        ({"DimSize": None}, "field 'DimSize' is missing"),
        ({"ElementType": None}, "field 'ElementType' is missing"),
        ({"ObjectType": "Tube"}, "field 'ObjectType' must be Image. Received: 'Tube'"),
        ({"NDims": "three"}, "field 'NDims' must hold exactly 1 integer"),
        ({"NDims": "3 3"}, "field 'NDims' must hold exactly 1 integer"),
        ({"NDims": "-3"}, "field 'DimSize' must hold exactly -3 integer"),
        ({"NDims": "9" * 18}, "field 'DimSize' must hold exactly 9+ integer"),
        ({"NDims": "9" * 5000}, "field 'NDims' must hold exactly 1 integer"),
        ({"NDims": "2", "DimSize": "6 4"}, "2-D data of sizes 6 x 4"),
        ({"NDims": "4", "DimSize": "2 3 2 2"}, "4-D data of sizes 2 x 3 x 2 x 2"),
        ({"DimSize": "2 3"}, "field 'DimSize' must hold exactly 3 integer"),
        ({"DimSize": "2 3 4.5"}, "field 'DimSize' must hold exactly 3 integer"),
        ({"DimSize": "2 3 ٤"}, "field 'DimSize' must hold exactly 3 integer"),
        ({"DimSize": "2 -3 4"}, "field 'DimSize' must be positive"),
        ({"DimSize": "2 0 4"}, "field 'DimSize' must be positive"),
        ({"DimSize": "65536 65536 65536"}, "at most 2147483648 voxels"),
        ({"DimSize": "2 3 4 " * 10_000}, "field 'DimSize' must hold exactly 3"),
        ({"ElementType": "MET_SHORT_ARRAY"}, "field 'ElementType' must be one of MET_"),
        ({"ElementType": "MET_" * 10_000}, "field 'ElementType' must be one of MET_"),
        (
            {"ElementNumberOfChannels": "3"},
            "field 'ElementNumberOfChannels' must be 1. Received: '3'",
        ),
        ({"BinaryData": "False"}, "voxels written as text are not supported"),
        ({"BinaryData": "maybe"}, "field 'BinaryData' must be True or False"),
        (
            {"BinaryDataByteOrderMSB": "big"},
            "field 'BinaryDataByteOrderMSB' must be True or False",
        ),
        (
            {"ElementByteOrderMSB": "True"},
            "field 'BinaryDataByteOrderMSB' must agree with 'ElementByteOrderMSB'",
        ),
        ({"CompressedData": ""}, "field 'CompressedData' must be True or False"),
        ({"HeaderSize": "-2"}, "field 'HeaderSize' must be -1 or more"),
        (
            {"HeaderSize": "5"},
            "field 'HeaderSize' must be 0, -1 or at least the header",
        ),
        ({**COMPRESSED, "HeaderSize": "-1"}, "'HeaderSize' must not be -1 if the data"),
        ({"ElementSpacing": "1 0 1"}, "field 'ElementSpacing' must hold positive"),
        ({"ElementSpacing": "1 -1 1"}, "field 'ElementSpacing' must hold positive"),
        ({"ElementSpacing": "1 nan 1"}, "'ElementSpacing' must hold exactly 3 number"),
        ({"ElementSpacing": "1 1e999 1"}, "field 'ElementSpacing' must hold positive"),
        ({"ElementSpacing": "1 1_0 1"}, "'ElementSpacing' must hold exactly 3 number"),
        (
            {"ElementSpacing": "1 1"},
            "field 'ElementSpacing' must hold exactly 3 number",
        ),
        ({"ElementSpacing": "1 1e-7 1"}, "'ElementSpacing', .* must describe a grid"),
        ({"ElementSpacing": "1 1e7 1"}, "'ElementSpacing', .* must describe a grid"),
        (
            {"ElementSpacing": None, "ElementSize": "1 0 1"},
            "'ElementSize' must hold pos",
        ),
        ({"Offset": "0 inf 0"}, "field 'Offset' must hold exactly 3 number"),
        ({"Offset": "0 1e300 0"}, "field 'Offset' must hold finite numbers"),
        ({"Position": "0 0 0"}, "field 'Offset' must agree with 'Position' = '0 0 0'"),
        ({"TransformMatrix": "1 0 0 1"}, "must hold exactly 9 number"),
        (
            {"TransformMatrix": "1 0 0 2 0 0 0 0 1"},
            "'TransformMatrix' .* describe a grid",
        ),
        (
            {"TransformMatrix": "0 " * 9},
            "'TransformMatrix' and .* must describe a grid",
        ),
        ({"TransformMatrix": "1e300 0 0 0 1 0 0 0 1"}, "must hold direction cosines"),
        (
            {"Rotation": "0 1 0 0 0 1 1 0 0"},
            "'TransformMatrix' must agree with 'Rotatio",
        ),
        ({"CenterOfRotation": "0 0 1e999"}, "'CenterOfRotation' must hold finite"),
        ({"CenterOfRotation": "x 0 0"}, "field 'CenterOfRotation' must hold exactly 3"),
        (
            {"ElementToIntensityFunctionSlope": "nan"},
            "field 'ElementToIntensityFunctionSlope' must hold exactly 1 number",
        ),
        ({"ElementDataFile": "LIST"}, "field 'ElementDataFile' must name one file"),
        ({"ElementDataFile": "LIST 2"}, "field 'ElementDataFile' must name one file"),
        (
            {"ElementDataFile": "s%03d.raw 1 4 1"},
            "'ElementDataFile' must name one file",
        ),
        ({"ElementDataFile": ""}, "field 'ElementDataFile' must name a regular file"),
        ({"ElementDataFile": "none.raw"}, "'ElementDataFile' must name a file that ex"),
        ({"ElementDataFile": "a\0.raw"}, "must name a file in .* below it"),
        (
            {"ElementDataFile": "/dev/zero"},
            r"must name a file in .* below it\. Received",
        ),
        ({"ElementDataFile": "../scan.raw"}, r"must name a file in .* below it\. Rec"),
    ],
)
def test_a_header_is_refused_with_its_field(tmp_path, changes, message):
    data = RAW if "ElementDataFile" not in changes else b""
    path = write(tmp_path, metaimage_bytes(data, **changes), "scan.mha")

    with pytest.raises(DataError, match=message) as caught:
        read_metaimage(path)

    assert str(path) in str(caught.value)
    assert len(str(caught.value)) < 700  # however long the field is


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "field 'NDims' is missing"),
        (b"version https://git-lfs", "field 'NDims' is missing"),
        (
            b"NDims = 3\nno mark here\n",
            r'must read "field = value"\. Rec.*no mark here',
        ),
        (b"\0" * 100, 'must read "field = value"'),
        (
            metaimage_bytes(ElementDataFile=None),
            "must read|'ElementDataFile' is missing",
        ),
        (
            b"NDims = 3\nNDims = 3\n",
            "field 'NDims' must appear once. Received: '3' and",
        ),
        (
            b"x" * 2**21 + b" = 1\n",
            "end with field 'ElementDataFile' within 16384 lines",
        ),
        (b"x = 1\n" * 2**15, "end with field 'ElementDataFile' within 16384 lines"),
        (b"\n" * 2**21, "end with field 'ElementDataFile' within 16384 lines"),
    ],
)
def test_a_file_that_is_no_metaimage_is_refused(tmp_path, content, message):
    with pytest.raises(DataError, match=message):
        read_metaimage(write(tmp_path, content, "scan.mha"))


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(DataError, match="Received: no such file"):
        read_metaimage(tmp_path / "scan.mha")


def test_a_field_after_the_data_file_is_refused(tmp_path):
    write(tmp_path, RAW, "scan.raw")
    header = metaimage_bytes(b"", ElementDataFile="scan.raw")
    path = write(tmp_path, header + b"\r\n \n", "scan.mhd")

    np.testing.assert_array_equal(read_metaimage(path).array, VOXELS)
    write(tmp_path, header + b"ElementSize = 1 1 1\n", "scan.mhd")
    with pytest.raises(DataError, match="'ElementDataFile' must be LOCAL or the last"):
        read_metaimage(path)


def test_a_data_file_that_leaves_the_folder_or_is_no_file_is_refused(tmp_path):
    inside = tmp_path / "inside"
    inside.mkdir()
    secret = write(tmp_path, RAW, "secret.raw")
    (inside / "link.raw").symlink_to(secret)
    os.mkfifo(inside / "pipe.raw")
    (inside / "folder.raw").mkdir()

    for name, reason in [
        ("link.raw", "not a link that leaves it"),
        ("pipe.raw", "must name a regular file"),
        ("folder.raw", "must name a regular file"),
    ]:
        path = write(inside, metaimage_bytes(b"", ElementDataFile=name), "scan.mhd")
        with pytest.raises(DataError, match=reason):
            read_metaimage(path)


def test_simpleitk_reads_any_file_that_a_header_names(tmp_path):
    (tmp_path / "inside").mkdir()
    secret = write(tmp_path, RAW, "secret.raw")
    content = metaimage_bytes(b"", ElementDataFile=str(secret))
    path = write(tmp_path / "inside", content, "scan.mhd")

    image = SimpleITK.ReadImage(str(path))

    np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(image).T, VOXELS)
    with pytest.raises(DataError, match="field 'ElementDataFile' must name a file in"):
        read_metaimage(path)
