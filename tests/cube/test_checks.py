from dataclasses import replace

import numpy as np
import pytest
from support.cubes import clean_rows, make_label, make_row, write_cube

from cube.checks import check_cube
from cube.reader import Cube


@pytest.fixture
def findings_of(tmp_path):
    def check(rows):
        with Cube(write_cube(tmp_path / "cube.h5", rows)) as cube:
            return check_cube(cube)

    return check


@pytest.fixture
def rows():
    return clean_rows()


def changed(array, index, value):
    array = array.copy()
    array[index] = value
    return array


def with_source(row, **source):
    return replace(row, source=row.source | source)


def only(findings):
    assert len(findings) == 1, findings
    return findings[0]


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
    ("spacing", "value", "axis"),
    [
        # Array axes run S, P, L; the others have 0.5, 1, 4 mm along them.
        ((0.76, 1.0, 4.0), "0.76", "inferior-superior"),
        ((0.5, 0.66, 4.0), "0.66", "posterior-anterior"),
        ((0.5, 1.0, 6.1), "6.1", "right-left"),
    ],
)
def test_spacing_beyond_one_and_a_half_medians_is_found(
    findings_of, rows, spacing, value, axis
):
    rows[3] = with_source(rows[3], spacing=spacing)

    finding = only(findings_of(rows))

    assert (finding.case_id, finding.copy) == ("cid", None)
    assert finding.kind == "unusual spacing"
    assert finding.message.startswith(f"{value} mm {axis}; the median")


def test_spacing_up_to_one_and_a_half_medians_is_no_finding(findings_of, rows):
    rows[3] = with_source(rows[3], spacing=(0.75, 0.67, 6.0))

    assert findings_of(rows) == []


def test_orientation_unlike_that_of_the_majority_is_found(findings_of, rows):
    # The same spacings along the patient's axes, stored in another order.
    rows[0] = with_source(rows[0], orientation="RAS", spacing=(4.0, 1.0, 0.5))

    finding = only(findings_of(rows))

    assert str(finding) == (
        "ann: unusual orientation: stored as RAS; 2 of 3 scans are SPL"
    )


def test_orientations_without_a_majority_are_no_finding(findings_of):
    rows = [*clean_rows(), make_row("dot")]
    for row in (2, 4):  # two of four scans
        rows[row] = with_source(rows[row], orientation="RAS", spacing=(4.0, 1.0, 0.5))

    assert findings_of(rows) == []


def test_same_scan_under_two_names_is_found_with_both_splits(findings_of, rows):
    rows[3] = with_source(rows[3], content_checksum="checksum of ann")

    finding = only(findings_of(rows))

    assert str(finding) == (
        "cid: same scan twice: the same voxels as case ann (test and train)"
    )


def test_subject_in_two_splits_is_found_with_all_its_cases(findings_of, rows):
    rows[3] = replace(rows[3], subject="subject of ann")
    rows.append(make_row("dot", subject="subject of ann"))

    finding = only(findings_of(rows))

    assert (finding.case_id, finding.kind) == ("cid", "subject in two splits")
    assert (
        finding.message
        == "subject subject of ann is in train (ann, dot) and test (cid)"
    )


def test_subject_with_two_cases_in_one_split_is_no_finding(findings_of):
    rows = [*clean_rows(), make_row("dot", subject="subject of ann")]

    assert findings_of(rows) == []


def test_class_that_no_training_scan_holds_is_found_before_all_else(findings_of, rows):
    for number in (0, 1):
        label = np.where(rows[number].label == 2, 0, rows[number].label)
        rows[number] = replace(rows[number], label=label.astype(np.uint8))
    finding = only(findings_of(rows))

    assert str(finding) == (
        "whole cube: class without training scan: no training scan holds class L2, "
        "only ben, cid"
    )


def test_augmented_copy_outside_training_is_found(findings_of):
    rows = [*clean_rows(), make_row("cid", copy=2, split="test")]

    finding = only(findings_of(rows))

    assert str(finding) == (
        "cid, copy 2: augmented copy outside training: split must be train; found test"
    )


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


def test_scan_in_another_unit_is_found_as_a_case(findings_of):
    rows = [make_row(f"c{number}") for number in range(5)]
    units = ["", "", "", "", "air"]
    for number, kind in enumerate(units):
        profile = {"low": -1000, "median": 0, "high": 900, "air": 0, "kind": kind}
        rows[number] = with_source(rows[number], profile=profile)

    finding = only(findings_of(rows))

    assert str(finding) == (
        "c4: intensity disagrees with the cube: values -1000 to 900 are in HU, with "
        "air, unlike 4 of 5 scans"
    )


def test_label_volume_unlike_the_others_is_found_as_a_case(findings_of, rows):
    label = np.zeros_like(make_label())
    label[2, 2, 2:5] = 1  # 3 voxels of 1 mm3, less than a tenth of 40
    rows[2] = replace(rows[2], label=label)

    finding = only(findings_of(rows))

    assert str(finding) == (
        "ben: unusual label volume: 0.003 ml, the median of all cases is 0.04 ml; it "
        "may label few of the structures"
    )


def test_class_volume_unlike_the_others_is_noted_as_a_case(findings_of):
    rows = [make_row(f"c{number}") for number in range(7)]
    merged = (rows[6].label > 0).astype(np.uint8)  # 40 voxels of L1, not 24
    rows[6] = replace(rows[6], label=merged)

    finding = only(findings_of(rows))

    assert (finding.case_id, finding.severity) == ("c6", "note")
    assert str(finding) == (
        "c6: unusual class volume: 0.04 ml of class L1, 1.7 times what the other cases "
        "suggest; a label number may be wrong"
    )


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
