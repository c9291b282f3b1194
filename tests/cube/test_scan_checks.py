from dataclasses import replace

import numpy as np
import pytest
from support.cubes import (
    clean_rows,
    make_label,
    make_row,
    only,
    with_source,
    write_cube,
)

from cube.reader import Cube
from cube.scan_checks import check_mirroring


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


PSOAS_LEFT = [[], ["psoas left"], [2]]


@pytest.mark.parametrize(
    ("members", "flip", "found"),
    [
        (PSOAS_LEFT, 0.5, "psoas, L1 right"),
        ([[], ["psoas left", "psoas right"], None], 0.5, ""),
        (PSOAS_LEFT, None, ""),
        # The label map names 20 and 21.
        ([[], [20], []], 0.5, "psoas"),
        ([[], [], [20, 21]], 0.5, ""),
    ],
)
def test_mirrored_copies_of_one_side_are_found(tmp_path, rows, members, flip, found):
    names = {"20": "muscle left", "21": "muscle right"}
    rows[0] = with_source(rows[0], label_names=names)
    rows[1] = replace(rows[1], drawn={"flip": True})
    found_by_check = mirroring_of(tmp_path / "c.h5", rows, members, flip=flip)

    assert len(found_by_check) == bool(found)
    for finding in found_by_check:
        assert (finding.kind, finding.is_fault) == ("left and right are swapped", True)
        assert finding.message.endswith(f"as {found}; found 0.5")


@pytest.mark.parametrize(
    ("drawn", "origin"), [({"flip": None}, {}), ({"flip": True}, {"flip": 0.5})]
)
def test_mirroring_that_is_not_drawn_or_that_was_asked_for_is_a_note(
    tmp_path, rows, drawn, origin
):
    rows[1] = replace(rows[1], drawn=drawn)

    finding = only(mirroring_of(tmp_path / "c.h5", rows, PSOAS_LEFT, origin=origin))

    assert str(finding) == (
        "whole cube: left and right may be swapped: --flip 0.5 mirrors copies, in the "
        "cube or by --augment online, though these classes name one side: psoas, L1 "
        "right"
    )
    assert not finding.is_fault


def mirroring_of(path, rows, members, *, flip=0.5, origin=None):
    """Return what is found in a cube of the classes psoas and L1 right."""
    write_cube(
        path,
        rows,
        class_names=["background", "psoas", "L1 right"],
        class_members=members,
        arguments={"seed": 0, "flip": flip},
        origin=origin or {},
    )
    with Cube(path) as cube:
        return list(check_mirroring(cube))


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
