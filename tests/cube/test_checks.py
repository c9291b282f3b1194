from dataclasses import replace

import numpy as np
import pytest
from support.cubes import (
    clean_rows,
    make_label,
    only,
    with_source,
    write_cube,
)

from cube.checks import check_cube
from cube.reader import Cube


def changed(array, index, value):
    array = array.copy()
    array[index] = value
    return array


def test_clean_cube_gives_no_finding(findings_of):
    assert findings_of(clean_rows()) == []


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_intensity_that_is_not_finite_is_found_with_its_count(findings_of, rows, value):
    image = changed(rows[1].image, (0, 0, slice(3)), value)
    rows[1] = replace(rows[1], image=image)

    finding = only(findings_of(rows))

    assert (finding.case_id, finding.copy) == ("ann", 1)
    assert finding.kind == "intensity not finite"
    # 3 of 480 voxels are 0.625 %.
    assert finding.message == "3 voxels (0.62 %) NaN or infinite"


def test_constant_image_is_found_though_the_padding_differs(findings_of, rows):
    image = np.full_like(rows[2].image, 0.25)
    image[:, 0] = -1  # outside the extent
    rows[2] = replace(rows[2], image=image)

    finding = only(findings_of(rows))

    assert (finding.case_id, finding.kind) == ("ben", "constant image")
    # 6 * 7 * 10 voxels lie in the extent.
    assert finding.message == "all 420 voxels of the scan have intensity 0.25"


def test_image_without_a_finite_voxel_is_not_constant(findings_of, rows):
    image = np.full_like(rows[2].image, np.nan)
    rows[2] = replace(rows[2], image=image)

    assert only(findings_of(rows)).kind == "intensity not finite"


def test_label_outside_the_classes_is_found_with_its_count(findings_of, rows):
    label = changed(rows[3].label, (3, 5, slice(2, 4)), 3)
    rows[3] = replace(rows[3], label=label)

    finding = only(findings_of(rows))

    assert (finding.case_id, finding.copy) == ("cid", 0)
    assert (
        str(finding) == "cid: unknown class: labels must be 0 to 2; found 3 (2 voxels)"
    )


@pytest.mark.parametrize(("row", "case_id", "copy"), [(1, "ann", 1), (3, "cid", 0)])
def test_empty_label_map_is_found_in_its_row(findings_of, rows, row, case_id, copy):
    rows[row] = replace(rows[row], label=np.zeros_like(make_label()))

    finding = only(findings_of(rows))

    assert (finding.case_id, finding.copy) == (case_id, copy)
    assert finding.kind == "no foreground"


@pytest.mark.parametrize(
    ("voxel", "side"),
    [
        ((0, 3, 5), "left"),
        ((5, 3, 5), "right"),
        ((3, 1, 5), "posterior"),  # the extent begins at 1
        ((3, 7, 5), "anterior"),
        ((3, 3, 0), "inferior"),
        ((3, 3, 9), "superior"),
    ],
)
def test_foreground_at_the_border_is_found_on_its_side(findings_of, rows, voxel, side):
    rows[2] = replace(rows[2], label=changed(rows[2].label, voxel, 1))

    finding = only(findings_of(rows))

    assert finding.case_id == "ben"
    assert (finding.kind, finding.severity) == (
        "label touches the scan's border",
        "note",
    )
    assert finding.message == f"{side} (1 voxel)"


def test_foreground_outside_the_scan_is_a_fault(findings_of, rows):
    rows[2] = replace(rows[2], label=changed(rows[2].label, (3, 0, 5), 1))

    finding = only(findings_of(rows))

    assert (finding.severity, str(finding)) == (
        "fault",
        "ben: label outside the scan: 1 voxel beyond the scan",
    )


def test_copy_that_touches_the_border_is_no_finding(findings_of, rows):
    rows[1] = replace(rows[1], label=changed(rows[1].label, (0, 3, 5), 1))

    assert findings_of(rows) == []


@pytest.mark.parametrize(
    ("kept", "rescaling", "ratio"),
    [
        # The scan has 40 labelled voxels; of them `kept` are left in the copy.
        (29, [1.0, 1.0, 1.0], "0.72"),
        (40, [0.9, 0.9, 0.9], "1.37"),  # 40 / (40 * 0.729)
        (40, 1.2, "0.58"),  # one factor for all axes: 40 / (40 * 1.728)
        (40, [2.0, 1.0, 1.0], "0.50"),
    ],
)
def test_label_volume_that_does_not_match_the_rescaling_is_found(
    findings_of, rows, kept, rescaling, ratio
):
    label = rows[1].label.copy()
    label[tuple(np.argwhere(label)[kept:].T)] = 0
    rows[1] = replace(rows[1], label=label, drawn={"rescaling": rescaling})

    finding = only(findings_of(rows))

    assert (finding.case_id, finding.copy) == ("ann", 1)
    assert finding.kind == "label volume"
    assert f"{kept} labelled voxels, {ratio} of the" in finding.message


@pytest.mark.parametrize(
    ("kept", "drawn"),
    [
        (30, {}),  # exactly a quarter less
        (20, {"rescaling": [0.5, 1.0, 1.0]}),
        (27, {"rescaling": [0.9, 0.9, 0.9], "rotation": [3.0, 0.0, 1.0]}),
    ],
)
def test_label_volume_that_matches_the_rescaling_is_no_finding(
    findings_of, rows, kept, drawn
):
    label = rows[1].label.copy()
    label[tuple(np.argwhere(label)[kept:].T)] = 0
    rows[1] = replace(rows[1], label=label, drawn=drawn)

    assert findings_of(rows) == []


def test_copy_is_compared_with_its_scan_in_any_order_of_rows(findings_of):
    scan, copy, *others = clean_rows()
    copy = replace(copy, drawn={"rescaling": [2.0, 1.0, 1.0]})

    assert only(findings_of([copy, *others, scan])).kind == "label volume"


def test_findings_are_in_the_order_of_cases_then_copies(findings_of, rows):
    empty = np.zeros_like(make_label())
    rows = [replace(row, label=empty) for row in rows]
    rows[0] = with_source(rows[0], orientation="RAS", spacing=(4.0, 1.0, 0.5))
    rows[3] = with_source(rows[3], content_checksum="checksum of ben")
    rows[0], rows[1] = rows[1], rows[0]  # a copy before its scan
    rows[0] = replace(rows[0], source=rows[1].source)

    found = [(f.case_id, f.copy, f.kind) for f in findings_of(rows)]

    assert found == [
        ("ann", None, "unusual orientation"),
        ("ann", 0, "no foreground"),
        ("ann", 1, "no foreground"),
        ("ben", 0, "no foreground"),
        ("cid", None, "same scan twice"),
        ("cid", 0, "no foreground"),
    ]


def test_every_row_is_read_once_and_visited(tmp_path):
    read, visited = [], []

    class Recording(Cube):
        def image(self, row, box=None):
            read.append(("image", row))
            return super().image(row, box)

        def label(self, row, box=None):
            read.append(("label", row))
            return super().label(row, box)

    with Recording(write_cube(tmp_path / "cube.h5", clean_rows())) as cube:
        check_cube(cube, lambda row, image, label: visited.append((row, image.shape)))

    assert sorted(read) == [
        (name, row) for name in ("image", "label") for row in range(4)
    ]
    assert visited == [(row, (6, 8, 10)) for row in range(4)]


def test_ignored_voxels_are_no_fault_wherever_they_are(tmp_path, rows):
    # At the border, and half of the scan; without `ignored` an unknown class.
    rows = [replace(row, label=changed(row.label, slice(4, 6), 255)) for row in rows]
    with Cube(write_cube(tmp_path / "cube.h5", rows, ignored=[255])) as cube:
        assert check_cube(cube) == []

    with Cube(write_cube(tmp_path / "plain.h5", rows)) as cube:
        kinds = {finding.kind for finding in check_cube(cube)}
    assert "unknown class" in kinds


def test_scan_of_ignored_voxels_alone_has_no_foreground(tmp_path, rows):
    rows[2] = replace(rows[2], label=np.full_like(rows[2].label, 255))
    with Cube(write_cube(tmp_path / "cube.h5", rows, ignored=[255])) as cube:
        finding = only(check_cube(cube))

    assert (finding.case_id, finding.kind) == ("ben", "no foreground")
