import numpy as np
import pytest
import slicerio
from support.label_maps import LABELS, SEGMENTS

from system.errors import DataError
from volumes.formats.files import read_label_map, write_label_map
from volumes.vertebrae import label_color
from volumes.volume import Segment


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
        (20, "label 20"),
        (300, "label 300"),
    ]
    np.testing.assert_array_equal(volume.array, labels)


def test_an_empty_label_map_keeps_its_segments(tmp_path, nrrd_scan):
    write_label_map(
        tmp_path / "l.seg.nrrd", LABELS * 0, like=nrrd_scan, segments=SEGMENTS
    )

    assert read_label_map(tmp_path / "l.seg.nrrd").segments == SEGMENTS


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
