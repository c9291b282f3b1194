import hashlib

import numpy as np
import pytest
import SimpleITK
from support.itk import itk_image
from support.metaimage_files import FIELDS, RAW, metaimage_bytes
from support.nrrd_files import VOXELS, write

from volumes.formats.metaimage import read_metaimage, write_metaimage
from volumes.volume import Volume

TYPES = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]
TYPES += ["float32", "float64"]
LABELS = np.zeros((3, 4, 5), np.uint8)
LABELS[1, 2, 3] = 20
LABELS[2, 0, 1:4] = 23


def by_simpleitk(path):
    image = SimpleITK.ReadImage(str(path))
    return SimpleITK.GetArrayFromImage(image).T, image


def geometry(image):
    return image.GetOrigin(), image.GetSpacing(), image.GetDirection()


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("suffix", [".mha", ".mhd"])
def test_what_simpleitk_wrote_is_read_exactly(
    tmp_path, oblique_grid, suffix, compress, dtype
):
    array = (np.arange(60).reshape(3, 4, 5) * 2).astype(dtype)
    path = tmp_path / f"a scan 1.5{suffix}"
    SimpleITK.WriteImage(itk_image(array, oblique_grid), str(path), compress)

    volume = read_metaimage(path)

    np.testing.assert_array_equal(volume.array, array)
    assert volume.array.dtype == np.dtype(dtype)  # native
    np.testing.assert_allclose(volume.grid.affine, oblique_grid.affine, rtol=1e-14)
    assert volume.notes == ()


def test_a_missing_byte_order_is_noted(tmp_path):
    content = metaimage_bytes(BinaryDataByteOrderMSB=None)

    volume = read_metaimage(write(tmp_path, content, "scan.mha"))

    np.testing.assert_array_equal(volume.array, VOXELS)
    assert volume.notes == ("The header gives no byte order: taken as little-endian.",)


def test_bytes_have_no_order_to_be_noted(tmp_path):
    data = VOXELS.astype("u1").tobytes(order="F")
    content = metaimage_bytes(
        data, BinaryDataByteOrderMSB=None, ElementType="MET_UCHAR"
    )

    assert read_metaimage(write(tmp_path, content, "scan.mha")).notes == ()


def test_an_intensity_function_is_noted_and_ignored_as_simpleitk_does(tmp_path):
    slope = {"ElementToIntensityFunctionSlope": "2"}
    offset = {"ElementToIntensityFunctionOffset": "0"}
    path = write(tmp_path, metaimage_bytes(**slope, **offset), "scan.mha")

    volume = read_metaimage(path)

    (note,) = volume.notes
    assert note.startswith("ElementToIntensityFunctionSlope is not 1: ignored")
    np.testing.assert_array_equal(volume.array, by_simpleitk(path)[0])


def test_the_checksum_is_that_of_header_and_data(tmp_path):
    attached = write(tmp_path, metaimage_bytes(), "scan.mha")
    header = metaimage_bytes(b"", ElementDataFile="scan.raw")
    write(tmp_path, RAW, "scan.raw")
    detached = write(tmp_path, header, "scan.mhd")

    for path, content in [(attached, metaimage_bytes()), (detached, header + RAW)]:
        expected = hashlib.sha256(content).hexdigest()
        assert read_metaimage(path).checksum == expected


@pytest.mark.parametrize("dtype", TYPES)
def test_a_label_map_is_written_as_simpleitk_reads_it(tmp_path, oblique_grid, dtype):
    labels = LABELS.astype(dtype)
    path = tmp_path / "new" / "label.mha"

    write_metaimage(path, labels, Volume(labels, oblique_grid, tmp_path))

    array, image = by_simpleitk(path)
    np.testing.assert_array_equal(array, labels)
    assert array.dtype == np.dtype(dtype)
    left, posterior, superior = image.TransformIndexToPhysicalPoint((2, 1, 4))
    np.testing.assert_allclose(
        (-left, -posterior, superior), oblique_grid.to_world((2, 1, 4)), rtol=1e-12
    )
    np.testing.assert_array_equal(read_metaimage(path).array, labels)
    assert [item.name for item in path.parent.iterdir()] == ["label.mha"]


@pytest.mark.parametrize("suffix", [".mha", ".mhd"])
def test_a_label_map_has_the_geometry_of_its_scan_to_the_last_bit(
    tmp_path, oblique_grid, suffix
):
    scan = itk_image(np.arange(60, dtype=np.int16).reshape(3, 4, 5), oblique_grid)
    scan.SetOrigin((1 / 3, -1e-17, 812.3456789012345))
    SimpleITK.WriteImage(scan, str(tmp_path / f"scan{suffix}"))
    volume = read_metaimage(tmp_path / f"scan{suffix}")

    write_metaimage(tmp_path / "label.mha", LABELS, volume)

    array, image = by_simpleitk(tmp_path / "label.mha")
    np.testing.assert_array_equal(array, LABELS)
    assert geometry(image) == geometry(scan)
    copy = read_metaimage(tmp_path / "label.mha")
    np.testing.assert_array_equal(copy.grid.affine, volume.grid.affine)


@pytest.mark.parametrize(
    "changes",
    [
        {"Offset": None, "Position": "1.10 2 3", "DistanceUnits": "mm"},
        {"TransformMatrix": None, "Rotation": "0 1 0 0 0 1 1 0 0"},
        {
            "ElementSpacing": None,
            "ElementSize": "0.30 4 5",
            "CenterOfRotation": "1 2 3",
        },
        {"ElementSpacing": None, "TransformMatrix": None, "Offset": None},
        {"TransformMatrix": "2 0 0 0.5 1 0 0 0 1", "AnatomicalOrientation": "???"},
    ],
)
def test_a_label_map_keeps_what_simpleitk_makes_of_its_scan(tmp_path, changes):
    path = write(tmp_path, metaimage_bytes(**changes), "scan.mha")
    volume = read_metaimage(path)

    write_metaimage(tmp_path / "label.mha", VOXELS, volume)

    assert geometry(by_simpleitk(tmp_path / "label.mha")[1]) == geometry(
        by_simpleitk(path)[1]
    )
    copy = read_metaimage(tmp_path / "label.mha")
    np.testing.assert_array_equal(copy.grid.affine, volume.grid.affine)
    header = (tmp_path / "label.mha").read_bytes()
    for name in ("CenterOfRotation", "DistanceUnits"):
        text = {**FIELDS, **changes}.get(name)
        assert (f"\n{name} = {text}\n".encode() in header) == (text is not None)
    assert b"?" not in header.partition(b"LOCAL\n")[0]


def test_equal_input_gives_equal_bytes(tmp_path, oblique_grid):
    like = Volume(LABELS, oblique_grid, tmp_path)
    write_metaimage(tmp_path / "a.mha", LABELS, like)
    write_metaimage(tmp_path / "b.mha", np.asfortranarray(LABELS), like)

    assert (tmp_path / "a.mha").read_bytes() == (tmp_path / "b.mha").read_bytes()


def test_a_type_that_metaimage_lacks_is_not_written(tmp_path, oblique_grid):
    like = Volume(LABELS, oblique_grid, tmp_path)

    with pytest.raises(ValueError, match=r"integer type, float32 .*dtype=bool"):
        write_metaimage(tmp_path / "label.mha", LABELS > 0, like)

    assert list(tmp_path.iterdir()) == []
