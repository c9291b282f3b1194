from dataclasses import replace

import numpy as np
import pytest
from support.cubes import clean_rows, make_label, make_row, write_cube

from cube.checks import check_cube
from cube.reader import Cube


@pytest.fixture
def findings_of(tmp_path):
    def check(samples):
        with Cube(write_cube(tmp_path / "cube.h5", samples)) as cube:
            return check_cube(cube)

    return check


def changed(array, index, value):
    array = array.copy()
    array[index] = value
    return array


def with_source(sample, **source):
    return replace(sample, source=sample.source | source)


def only(findings):
    assert len(findings) == 1, findings
    return findings[0]


def test_clean_cube_gives_no_finding(findings_of):
    assert findings_of(clean_rows()) == []


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_intensity_that_is_not_finite_is_found_with_its_count(findings_of, value):
    samples = clean_rows()
    image = changed(samples[1].image, (0, 0, slice(3)), value)
    samples[1] = replace(samples[1], image=image)

    finding = only(findings_of(samples))

    assert (finding.case_id, finding.copy) == ("ann", 1)
    assert finding.kind == "intensity not finite"
    # 3 of 480 voxels are 0.625 %.
    assert finding.message == "3 voxels (0.62 %) NaN or infinite"


def test_constant_image_is_found_though_the_padding_differs(findings_of):
    samples = clean_rows()
    image = np.full_like(samples[2].image, 0.25)
    image[:, 0] = -1  # outside the extent
    samples[2] = replace(samples[2], image=image)

    finding = only(findings_of(samples))

    assert (finding.case_id, finding.kind) == ("ben", "constant image")
    # 6 * 7 * 10 voxels lie in the extent.
    assert finding.message == "all 420 voxels of the scan have intensity 0.25"


def test_image_without_a_finite_voxel_is_not_called_constant(findings_of):
    samples = clean_rows()
    image = np.full_like(samples[2].image, np.nan)
    samples[2] = replace(samples[2], image=image)

    assert only(findings_of(samples)).kind == "intensity not finite"


def test_label_outside_the_classes_is_found_with_its_count(findings_of):
    samples = clean_rows()
    label = changed(samples[3].label, (3, 5, slice(2, 4)), 3)
    samples[3] = replace(samples[3], label=label)

    finding = only(findings_of(samples))

    assert (finding.case_id, finding.copy) == ("cid", 0)
    assert (
        str(finding) == "cid: unknown class: labels must be 0 to 2; found 3 (2 voxels)"
    )


@pytest.mark.parametrize(("row", "case_id", "copy"), [(1, "ann", 1), (3, "cid", 0)])
def test_empty_label_map_is_found_in_its_row(findings_of, row, case_id, copy):
    samples = clean_rows()
    samples[row] = replace(samples[row], label=np.zeros_like(make_label()))

    finding = only(findings_of(samples))

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
def test_foreground_at_the_border_is_found_on_its_side(findings_of, voxel, side):
    samples = clean_rows()
    samples[2] = replace(samples[2], label=changed(samples[2].label, voxel, 1))

    finding = only(findings_of(samples))

    assert finding.case_id == "ben"
    assert finding.kind == "label touches the scan's border"
    assert finding.message == f"{side} (1 voxel)"


def test_foreground_beyond_the_extent_is_found(findings_of):
    samples = clean_rows()
    samples[2] = replace(samples[2], label=changed(samples[2].label, (3, 0, 5), 2))

    assert only(findings_of(samples)).message == "outside (1 voxel)"


def test_copy_that_touches_the_border_is_no_finding(findings_of):
    samples = clean_rows()
    samples[1] = replace(samples[1], label=changed(samples[1].label, (0, 3, 5), 1))

    assert findings_of(samples) == []


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
    findings_of, spacing, value, axis
):
    samples = clean_rows()
    samples[3] = with_source(samples[3], spacing=spacing)

    finding = only(findings_of(samples))

    assert (finding.case_id, finding.copy) == ("cid", None)
    assert finding.kind == "unusual spacing"
    assert finding.message.startswith(f"{value} mm {axis}; the median")


def test_spacing_up_to_one_and_a_half_medians_is_no_finding(findings_of):
    samples = clean_rows()
    samples[3] = with_source(samples[3], spacing=(0.75, 0.67, 6.0))

    assert findings_of(samples) == []


def test_orientation_unlike_the_majority_is_found_alone(findings_of):
    samples = clean_rows()
    # The same spacings along the patient's axes, stored in another order.
    samples[0] = with_source(samples[0], orientation="RAS", spacing=(4.0, 1.0, 0.5))

    finding = only(findings_of(samples))

    assert str(finding) == (
        "ann: unusual orientation: stored as RAS; 2 of 3 scans are SPL"
    )


def test_orientations_without_a_majority_are_no_finding(findings_of):
    samples = [*clean_rows(), make_row("dot")]
    for row in (2, 4):  # two of four scans
        samples[row] = with_source(
            samples[row], orientation="RAS", spacing=(4.0, 1.0, 0.5)
        )

    assert findings_of(samples) == []


def test_same_scan_under_two_names_is_found_with_both_splits(findings_of):
    samples = clean_rows()
    samples[3] = with_source(samples[3], content_checksum="checksum of ann")

    finding = only(findings_of(samples))

    assert str(finding) == (
        "cid: same scan twice: the same voxels as case ann (test and train)"
    )


def test_subject_in_two_splits_is_found_with_all_its_cases(findings_of):
    samples = clean_rows()
    samples[3] = replace(samples[3], subject="subject of ann")
    samples.append(make_row("dot", subject="subject of ann"))

    finding = only(findings_of(samples))

    assert (finding.case_id, finding.kind) == ("cid", "subject in two splits")
    assert (
        finding.message
        == "subject subject of ann is in train (ann, dot) and test (cid)"
    )


def test_subject_with_two_cases_in_one_split_is_no_finding(findings_of):
    samples = [*clean_rows(), make_row("dot", subject="subject of ann")]

    assert findings_of(samples) == []


def test_augmented_copy_outside_training_is_found(findings_of):
    samples = [*clean_rows(), make_row("cid", copy=2, split="test")]

    finding = only(findings_of(samples))

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
def test_label_volume_unlike_the_rescaling_is_found(
    findings_of, kept, rescaling, ratio
):
    samples = clean_rows()
    label = samples[1].label.copy()
    label[tuple(np.argwhere(label)[kept:].T)] = 0
    samples[1] = replace(samples[1], label=label, drawn={"rescaling": rescaling})

    finding = only(findings_of(samples))

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
def test_label_volume_that_follows_the_rescaling_is_no_finding(
    findings_of, kept, drawn
):
    samples = clean_rows()
    label = samples[1].label.copy()
    label[tuple(np.argwhere(label)[kept:].T)] = 0
    samples[1] = replace(samples[1], label=label, drawn=drawn)

    assert findings_of(samples) == []


def test_copy_is_compared_with_its_scan_wherever_that_stands(findings_of):
    scan, copy, *others = clean_rows()
    copy = replace(copy, drawn={"rescaling": [2.0, 1.0, 1.0]})

    assert only(findings_of([copy, *others, scan])).kind == "label volume"


def test_findings_stand_in_the_order_of_cases_then_copies(findings_of):
    samples = clean_rows()
    empty = np.zeros_like(make_label())
    samples = [replace(sample, label=empty) for sample in samples]
    samples[0] = with_source(samples[0], orientation="RAS", spacing=(4.0, 1.0, 0.5))
    samples[3] = with_source(samples[3], content_checksum="checksum of ben")
    samples[0], samples[1] = samples[1], samples[0]  # a copy before its scan
    samples[0] = replace(samples[0], source=samples[1].source)

    found = [(f.case_id, f.copy, f.kind) for f in findings_of(samples)]

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
