import dataclasses
import gzip

import nibabel as nib
import nrrd
import numpy as np
import pytest
import SimpleITK
import slicerio

from system.errors import DataError
from volumes.formats.files import (
    read_label_map,
    read_volume,
    write_image,
    write_label_map,
)
from volumes.vertebrae import label_color
from volumes.volume import Segment

SHAPE = (3, 4, 5)  # that of `oblique_grid`
LABELS = np.zeros(SHAPE, np.uint16)
LABELS[1, 2, 3] = 20
LABELS[2, 0, 1:4] = 23
SEGMENTS = (
    Segment(20, "L1", (0.25, 0.5, 1.0)),
    Segment(23, "L4, \\upper\nhalf", (1.0, 0.0, 0.125)),
    Segment(24, "L5", (0.0, 1.0, 0.0)),  # no voxel has it
)
WRITTEN = (".seg.nrrd", ".nrrd", ".nii.gz", ".nii")


@pytest.fixture
def nrrd_scan(tmp_path, oblique_grid):
    """A scan in RAS, its numbers written as no one else would write them."""
    path = tmp_path / "scan.nrrd"
    write_image(path, np.ones(SHAPE, np.int16), oblique_grid, space="RAS")
    content = path.read_bytes().replace(b"-70.5,12.25,800)", b"-7.05e1,12.250,800.0)")
    content = content.replace(
        b"endian", b"measurement frame: (1,0,0) (0,1,0) (0,0,1)\nendian"
    )
    path.write_bytes(content)
    return read_volume(path)


@pytest.fixture
def nifti_scan(tmp_path, oblique_grid):
    """A scan whose sform and qform have codes of their own."""
    image = nib.Nifti1Image(np.ones(SHAPE, np.int16), oblique_grid.affine)
    image.set_sform(oblique_grid.affine, code=2)
    image.set_qform(oblique_grid.affine, code=3)
    nib.save(image, tmp_path / "scan.nii.gz")
    return read_volume(tmp_path / "scan.nii.gz")


def simpleitk_world(path, index):
    image = SimpleITK.ReadImage(str(path))
    left, posterior, superior = image.TransformIndexToPhysicalPoint(index)
    return (-left, -posterior, superior)


@pytest.mark.parametrize("suffix", WRITTEN)
@pytest.mark.parametrize("scan", ["nrrd_scan", "nifti_scan"])
def test_a_label_map_lies_on_its_scan_for_simpleitk(tmp_path, request, scan, suffix):
    scan = request.getfixturevalue(scan)
    path = tmp_path / f"label{suffix}"

    write_label_map(path, LABELS, like=scan, segments=SEGMENTS)

    written, like = (SimpleITK.ReadImage(str(item)) for item in (path, scan.path))
    exact = (suffix in (".nii", ".nii.gz")) == (scan.nifti is not None)
    tolerance = 1e-6 if exact else 1e-4  # NIfTI keeps single precision
    for field in ("Origin", "Spacing", "Direction"):
        first, second = (getattr(image, f"Get{field}")() for image in (written, like))
        np.testing.assert_allclose(first, second, atol=tolerance)
    np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(written).T, LABELS)
    np.testing.assert_array_equal(read_label_map(path).array, LABELS)
    assert SimpleITK.GetArrayFromImage(written).dtype == np.uint8


@pytest.mark.parametrize("scan", ["nrrd_scan", "nifti_scan"])
def test_a_segmentation_opens_with_names_and_colours_in_slicerio(
    tmp_path, request, scan
):
    scan = request.getfixturevalue(scan)
    path = tmp_path / "label.seg.nrrd"

    write_label_map(path, LABELS, like=scan, segments=SEGMENTS)

    read = slicerio.read_segmentation(str(path))
    lps_to_ras = np.diag([-1, -1, 1, 1])
    np.testing.assert_allclose(
        lps_to_ras @ read["ijkToLPS"], scan.grid.affine, atol=1e-6
    )
    np.testing.assert_array_equal(read["voxels"], LABELS)
    assert [
        (part["labelValue"], part["name"], tuple(part["color"]))
        for part in read["segments"]
    ] == [
        (20, "L1", (0.25, 0.5, 1.0)),
        (
            23,
            "L4, \\\\upper\\nhalf",
            (1.0, 0.0, 0.125),
        ),  # slicerio leaves NRRD's escapes
        (24, "L5", (0.0, 1.0, 0.0)),
    ]
    for part in read["segments"]:
        assert part["extent"] == [0, 2, 0, 3, 0, 4]
        assert (part["layer"], part["status"]) == (0, "inprogress")
        assert part["id"] == f"Segment_{part['labelValue']}"
    assert read["masterRepresentation"] == "Binary labelmap"
    assert read_label_map(path).segments == SEGMENTS


def test_a_label_without_a_segment_gets_a_name_and_a_colour(tmp_path, nrrd_scan):
    labels = LABELS.copy()
    labels[0, 0, 0] = 300

    write_label_map(
        tmp_path / "l.seg.nrrd", labels, like=nrrd_scan, segments=SEGMENTS[1:]
    )

    volume = read_label_map(tmp_path / "l.seg.nrrd")
    assert [(part.value, part.name) for part in volume.segments[-2:]] == [
        (20, "L1"),
        (300, "label 300"),
    ]
    np.testing.assert_array_equal(volume.array, labels)


def test_an_empty_label_map_keeps_its_segments(tmp_path, nrrd_scan):
    write_label_map(
        tmp_path / "l.seg.nrrd", LABELS * 0, like=nrrd_scan, segments=SEGMENTS
    )

    assert read_label_map(tmp_path / "l.seg.nrrd").segments == SEGMENTS


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


def test_nifti_forms_and_codes_are_kept(tmp_path, nifti_scan):
    write_label_map(tmp_path / "label.nii.gz", LABELS, like=nifti_scan)

    written, like = nib.load(tmp_path / "label.nii.gz"), nib.load(nifti_scan.path)
    assert written.header["sform_code"] == 2
    assert written.header["qform_code"] == 3
    np.testing.assert_array_equal(written.get_sform(), like.get_sform())
    np.testing.assert_array_equal(written.get_qform(), like.get_qform())


def test_a_scan_with_scaled_values_gives_a_label_map_without(tmp_path, nifti_scan):
    nifti_scan.nifti.set_slope_inter(2.5, -1000)
    nifti_scan.nifti["cal_max"] = 400

    write_label_map(tmp_path / "label.nii", LABELS, like=nifti_scan)

    np.testing.assert_array_equal(read_label_map(tmp_path / "label.nii").array, LABELS)
    assert nib.load(tmp_path / "label.nii").header["cal_max"] == 0
    assert nifti_scan.nifti["cal_max"] == 400  # the scan's header is copied


@pytest.mark.parametrize("suffix", WRITTEN)
def test_equal_label_maps_have_equal_bytes(tmp_path, nifti_scan, suffix):
    for name in "ab":
        write_label_map(tmp_path / f"{name}{suffix}", LABELS, like=nifti_scan)

    first, second = ((tmp_path / f"{name}{suffix}").read_bytes() for name in "ab")

    assert first == second
    if suffix == ".nii.gz":
        assert first[4:8] == bytes(4)  # the time of packing
        assert gzip.decompress(first)[344:347] == b"n+1"


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (LABELS.transpose(), r"shape=\(5, 4, 3\) on a grid of \(3, 4, 5\)"),
        (LABELS.astype(np.float32), "dtype=float32"),
        (LABELS.astype(np.int32) - 1, "values -1 to 22"),
        (LABELS.astype(np.int32) * 5000, "values 0 to 115000"),
    ],
)
def test_an_array_that_is_no_label_map_is_not_written(
    tmp_path, nrrd_scan, labels, message
):
    with pytest.raises(ValueError, match=message):
        write_label_map(tmp_path / "label.nrrd", labels, like=nrrd_scan)

    assert not (tmp_path / "label.nrrd").exists()


def test_a_label_map_of_another_ending_is_not_written(tmp_path, nrrd_scan):
    with pytest.raises(DataError, match=r"must end in \.seg\.nrrd, \.nrrd"):
        write_label_map(tmp_path / "label.mha", LABELS, like=nrrd_scan)


@pytest.mark.parametrize("value", ["0", "-3", "one", "1.5", "65536", "9" * 5000])
def test_a_segment_value_that_is_no_label_is_refused(tmp_path, nrrd_scan, value):
    path = tmp_path / "label.seg.nrrd"
    write_label_map(path, LABELS, like=nrrd_scan)
    old, new = b"Segment1_LabelValue:=23", f"Segment1_LabelValue:={value}".encode()
    path.write_bytes(path.read_bytes().replace(old, new))

    with pytest.raises(DataError, match="Segment1_LabelValue must be an integer"):
        read_label_map(path)


@pytest.mark.parametrize("color", ["", "red", "1 2", "0.5 0.5 7"])
def test_a_segment_without_name_and_colour_gets_the_defaults(
    tmp_path, nrrd_scan, color
):
    path = tmp_path / "label.seg.nrrd"
    write_label_map(path, LABELS, like=nrrd_scan, segments=SEGMENTS)
    content = path.read_bytes().replace(b"Segment0_Name:=L1\n", b"")
    content = content.replace(b"Color:=0.25 0.5 1", f"Color:={color}".encode())
    path.write_bytes(content)

    first = read_label_map(path).segments[0]

    assert first == Segment(20, "Segment_20", label_color(20))


def test_a_volume_is_not_changed_by_writing(tmp_path, nrrd_scan):
    before = dataclasses.asdict(nrrd_scan)["header"]

    write_label_map(tmp_path / "label.seg.nrrd", LABELS, like=nrrd_scan)

    assert nrrd_scan.header == before
    assert nrrd_scan.array.all()
