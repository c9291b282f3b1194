import nrrd
import numpy as np
import pytest
import SimpleITK
import slicerio
from support.label_maps import LABELS, SHAPE, simpleitk_world
from support.nrrd_files import VOXELS, nrrd_bytes, write

from volumes.formats.files import (
    read_label_map,
    read_volume,
    write_image,
    write_label_map,
)


def test_a_single_slice_is_a_volume(tmp_path):
    data = VOXELS[:, :, :1].tobytes(order="F")

    assert read_volume(write(tmp_path, nrrd_bytes(data, sizes="2 3 1"))).grid.shape == (
        2,
        3,
        1,
    )


def test_a_pair_named_like_a_field_is_not_written_into_label_maps(tmp_path):
    pair = "space directions:=(9,0,0) (0,9,0) (0,0,9)"
    path = write(tmp_path, nrrd_bytes(space_directions=None, pairs=[pair]))
    volume = read_volume(path)

    write_label_map(tmp_path / "label.nrrd", np.zeros((2, 3, 4), np.uint8), like=volume)

    assert volume.grid.spacing == (1, 1, 1)
    written = read_volume(tmp_path / "label.nrrd").grid
    np.testing.assert_array_equal(written.affine, volume.grid.affine)


@pytest.mark.parametrize("dtype", ["int16", "uint8", "float32", "float64", "uint16"])
@pytest.mark.parametrize("space", ["LPS", "RAS", "LAS"])
def test_an_image_is_written_as_simpleitk_reads_it(
    tmp_path, oblique_grid, dtype, space
):
    array = np.arange(60).reshape(3, 4, 5).astype(dtype)
    path = tmp_path / "new" / "image.nrrd"

    write_image(path, array, oblique_grid, space=space)

    image = SimpleITK.ReadImage(str(path))
    np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(image).T, array)
    left, posterior, superior = image.TransformIndexToPhysicalPoint((2, 1, 4))
    np.testing.assert_allclose(
        (-left, -posterior, superior), oblique_grid.to_world((2, 1, 4)), atol=1e-6
    )
    assert SimpleITK.GetArrayFromImage(image).dtype == np.dtype(dtype)
    assert [item.name for item in path.parent.iterdir()] == ["image.nrrd"]


def test_equal_input_gives_equal_bytes(tmp_path, oblique_grid):
    array = np.arange(60, dtype=np.int16).reshape(3, 4, 5)
    write_image(tmp_path / "a.nrrd", array, oblique_grid)
    write_image(tmp_path / "b.nrrd", np.asfortranarray(array), oblique_grid)

    first, second = ((tmp_path / name).read_bytes() for name in ("a.nrrd", "b.nrrd"))

    assert first == second
    assert b"#" not in first.partition(b"\n\n")[0]  # no comment with a date


@pytest.mark.parametrize(
    ("array", "space", "message"),
    [
        (np.zeros((3, 4, 5), bool), "LPS", "dtype=bool"),
        (np.zeros((5, 4, 3)), "LPS", "shape of its grid"),
        (np.zeros((3, 4, 5)), "upside-down", "Space must be one of"),
    ],
)
def test_an_image_that_cannot_be_written_is_refused(
    tmp_path, oblique_grid, array, space, message
):
    with pytest.raises(ValueError, match=message):
        write_image(tmp_path / "image.nrrd", array, oblique_grid, space=space)

    assert list(tmp_path.iterdir()) == []


def test_nrrd_fields_are_kept_to_the_letter(tmp_path, nrrd_scan):
    write_label_map(tmp_path / "label.seg.nrrd", LABELS, like=nrrd_scan)
    write_label_map(tmp_path / "label.nrrd", LABELS, like=nrrd_scan)

    for name in ("label.seg.nrrd", "label.nrrd"):
        header = read_volume(tmp_path / name).header
        assert header["space origin"] == "(-7.05e1,12.250,800.0)"
        for field in ("space", "space directions", "measurement frame"):
            assert header[field] == nrrd_scan.header[field]


@pytest.mark.parametrize(
    ("space", "in_nrrd", "in_segmentation"),
    [
        ("LPS", "LPS", "left-posterior-superior"),
        ("RAS", "RAS", "right-anterior-superior"),
        ("LAS", "LAS", "left-posterior-superior"),
        ("left-anterior-superior", "left-anterior-superior", "left-posterior-superior"),
        (None, "left-posterior-superior", "left-posterior-superior"),
    ],
)
def test_a_segmentation_has_a_space_that_3d_slicer_knows(
    tmp_path, oblique_grid, space, in_nrrd, in_segmentation
):
    path = tmp_path / "scan.nrrd"
    write_image(path, np.ones(SHAPE, np.uint8), oblique_grid, space=space or "LPS")
    long_name = read_volume(path).header["space"]
    line = f"space: {space}" if space else "space dimension: 3"
    content = path.read_bytes().replace(f"space: {long_name}".encode(), line.encode())
    path.write_bytes(content)
    scan = read_volume(path)

    for suffix, expected in ((".nrrd", in_nrrd), (".seg.nrrd", in_segmentation)):
        written = tmp_path / f"label{suffix}"
        write_label_map(written, LABELS, like=scan)
        assert nrrd.read_header(str(written))["space"] == expected
        np.testing.assert_allclose(
            simpleitk_world(written, (2, 1, 4)), scan.grid.to_world((2, 1, 4))
        )
    read = slicerio.read_segmentation(str(tmp_path / "label.seg.nrrd"))
    np.testing.assert_allclose(
        np.diag([-1, -1, 1, 1]) @ read["ijkToLPS"], scan.grid.affine
    )


def test_a_scan_with_a_bare_header_gets_a_label_map_with_a_whole_one(tmp_path):
    content = b"NRRD0001\ntype: uchar\ndimension: 3\nsizes: 3 4 5\nencoding: raw\n"
    (tmp_path / "scan.nrrd").write_bytes(content + b"spacings: 1 2 3\n\n" + bytes(60))
    scan = read_volume(tmp_path / "scan.nrrd")

    write_label_map(tmp_path / "label.seg.nrrd", LABELS, like=scan)

    written = read_label_map(tmp_path / "label.seg.nrrd")
    assert written.notes == ()
    np.testing.assert_array_equal(written.grid.affine, scan.grid.affine)
