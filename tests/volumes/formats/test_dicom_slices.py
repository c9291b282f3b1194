import numpy as np
import pytest
from support.dicom_files import (
    DIRECTION,
    SERIES,
    SPACING,
    ct_slice,
    ct_slices,
    decimals,
    enhanced_ct,
    needs_pydicom,
    position,
    save,
    write_series,
)

from system.errors import DataError
from volumes.formats.dicom import read_dicom_grid, read_dicom_series

pytestmark = needs_pydicom
ROW, COLUMN, NORMAL = DIRECTION.T
IDENTITY = np.eye(3)


def moved_slices(shifts, direction=DIRECTION):
    """The CT with each slice moved by a vector in LPS mm."""
    slices = ct_slices(direction=direction)
    for index, (one, shift) in enumerate(zip(slices, shifts, strict=True)):
        place = position(index, direction) + shift
        one.ImagePositionPatient = decimals(place)
    return slices


def test_a_tilted_gantry_gives_a_sheared_grid(tmp_path):
    # Each slice 2.5 mm up, and as much times tan(15 degrees) to the front.
    shift = -2.5 * np.tan(np.radians(15))
    shifts = [(0, shift * index, 0) for index in range(5)]
    folder = write_series(tmp_path / "series", moved_slices(shifts, IDENTITY))

    volume = read_dicom_series(folder)

    columns = [(-0.5, 0, 0), (0, -0.8, 0), (0, -shift, 2.5)]
    np.testing.assert_allclose(volume.grid.affine[:3, :3].T, columns, atol=1e-9)
    np.testing.assert_allclose(volume.grid.origin, (30.25, -12.5, 411), atol=1e-9)
    (note,) = volume.notes
    assert "a tilt of 15.0 degrees" in note


def test_a_tilt_of_rounding_is_kept_and_not_noted(tmp_path):
    shifts = [(0, 0.002 * index, 0) for index in range(5)]  # 0.05 degrees
    folder = write_series(tmp_path / "series", moved_slices(shifts, IDENTITY))

    volume = read_dicom_series(folder)

    assert volume.notes == ()
    np.testing.assert_allclose(volume.grid.affine[:3, 2], (0, -0.002, 2.5), atol=1e-9)


def test_a_missing_slice_is_refused_with_both_gaps(tmp_path):
    slices = ct_slices()
    del slices[2]

    with pytest.raises(
        DataError,
        match=r"Received: 5 mm between slices 2 and 3 of 4, .* and 2\.5 mm elsewhere",
    ):
        read_dicom_grid(write_series(tmp_path / "series", slices))


def test_a_slice_in_between_is_refused_with_both_gaps(tmp_path):
    between = ct_slice(7, SOPInstanceUID=f"{SERIES}.50")
    between.ImagePositionPatient = decimals((position(3) + position(4)) / 2)

    with pytest.raises(DataError, match=r"1\.25 mm between slices [45] and [56] of 6"):
        read_dicom_grid(write_series(tmp_path / "series", [*ct_slices(), between]))


@pytest.mark.parametrize("vector", [NORMAL, ROW])
def test_positions_are_even_to_one_percent_of_the_gap(tmp_path, vector):
    def shifts(share):
        return [share * 2.5 * vector * (index == 2) for index in range(5)]

    good = write_series(tmp_path / "good", moved_slices(shifts(0.009)))
    bad = write_series(tmp_path / "bad", moved_slices(shifts(0.011)))

    np.testing.assert_allclose(read_dicom_grid(good).spacing, SPACING, rtol=1e-6)
    with pytest.raises(
        DataError, match=r"to within 1%.*Received: (2\.528 mm|slice 3 of 5)"
    ):
        read_dicom_grid(bad)


def test_slices_on_a_curve_are_refused(tmp_path):
    # Gaps of 2.51, 2.51, 2.49, 2.49 mm differ by less than one percent of 2.5 mm.
    shifts = [NORMAL * shift for shift in (0, 0.016, 0.032, 0.016, 0)]

    with pytest.raises(
        DataError,
        match=r"slice 3 of 5, .* lies 0.032 mm away from it, with gaps of 2.5",
    ):
        read_dicom_grid(write_series(tmp_path / "series", moved_slices(shifts)))


@pytest.mark.parametrize(
    ("keyword", "values"),
    [
        ("TemporalPositionIdentifier", (1, 2)),
        ("EchoNumbers", (1, 2)),
        ("EchoTime", (10.5, 80)),
        ("AcquisitionNumber", (3, 4)),
        ("TriggerTime", (0, 400)),
        ("ImageType", (["ORIGINAL", "M"], ["ORIGINAL", "P"])),
    ],
)
def test_images_at_one_position_are_refused_with_what_differs(
    tmp_path, keyword, values
):
    slices = [
        ct_slice(
            index, **{keyword: value, "SOPInstanceUID": f"{SERIES}.{index}.{echo}"}
        )
        for index in range(5)
        for echo, value in enumerate(values)
    ]

    with pytest.raises(
        DataError,
        match=rf"10 images at 5 positions, which differ in {keyword} \(2 values\)\.",
    ):
        read_dicom_grid(write_series(tmp_path / "series", slices))


def test_a_field_that_changes_between_positions_is_not_named(tmp_path):
    slices = [
        ct_slice(
            index,
            AcquisitionNumber=index,
            SOPInstanceUID=f"{SERIES}.{index}.{number}",
        )
        for index in range(5)
        for number in range(2)
    ]

    with pytest.raises(DataError, match="differ in no field known to tell them apart"):
        read_dicom_grid(write_series(tmp_path / "series", slices))


def test_frames_at_one_position_are_refused_with_what_differs(tmp_path):
    dataset = enhanced_ct(order=[0, 1, 2, 0, 1, 2])
    for number, frame in enumerate(dataset.PerFrameFunctionalGroupsSequence):
        frame.FrameContentSequence[0].TemporalPositionIndex = 1 + number // 3

    with pytest.raises(
        DataError, match=r"6 images at 3 positions, .* TemporalPositionIndex \(2 values"
    ):
        read_dicom_grid(write_series(tmp_path / "series", [dataset]))


def test_copies_of_a_file_are_refused(tmp_path):
    folder = write_series(tmp_path / "series")
    save(ct_slice(1), folder / "copy")

    with pytest.raises(DataError, match=r"Received: 6 files with 5 images\. Remove"):
        read_dicom_grid(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"Rows": 4}, r"'Rows' and 'Columns'\. Received: 4, 4 and 3, 4"),
        (
            {"PixelSpacing": [0.8, 0.501]},
            r"'PixelSpacing'\. Received: 0.8, 0.501 and 0.8, 0.5$",
        ),
        (
            {"ImageOrientationPatient": [1, 0, 0, 0, 1, 0]},
            "agree in field 'ImageOrientationPatient'",
        ),
        ({"FrameOfReferenceUID": "1.2.3"}, "agree in field 'FrameOfReferenceUID'"),
    ],
)
def test_slices_that_disagree_are_refused(tmp_path, changes, message):
    slices = [*ct_slices()[:4], ct_slice(4, **changes)]

    with pytest.raises(DataError, match=message):
        read_dicom_grid(write_series(tmp_path / "series", slices))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"Rows": None}, "field 'Rows' must be given"),
        ({"Columns": 0}, "field 'Columns' must be given"),
        ({"ImageOrientationPatient": None}, "'ImageOrientationPatient' must be given"),
        ({"PixelSpacing": None}, "field 'PixelSpacing' must be given"),
        ({"PixelSpacing": [0, 1]}, "must be 1e-06 to 1e[+]06 mm. Received: 0, 1"),
        ({"PixelSpacing": [1e-7, 1]}, "must be 1e-06 to 1e[+]06 mm"),
        ({"PixelSpacing": [1e7, 1]}, "must be 1e-06 to 1e[+]06 mm"),
        ({"PixelSpacing": [-1, 1]}, "must be 1e-06 to 1e[+]06 mm"),
        ({"ImagePositionPatient": [0, 1e9, 0]}, "'ImagePositionPatient' must be below"),
        (
            {"ImageOrientationPatient": [1, 0, 0, 0, 0, 0]},
            "must hold two unit vectors at right angles",
        ),
        (
            {"ImageOrientationPatient": [1, 0, 0, 0.6, 0.8, 0]},
            "must hold two unit vectors at right angles. Received: 1, 0, 0, 0.6, 0.8",
        ),
    ],
)
def test_slices_without_a_proper_place_are_refused(tmp_path, changes, message):
    folder = write_series(tmp_path / "series", ct_slices(**changes))

    with pytest.raises(DataError, match=message):
        read_dicom_grid(folder)


def test_a_slice_without_position_among_others_is_refused(tmp_path):
    slices = [*ct_slices()[:4], ct_slice(4, ImagePositionPatient=None)]

    for name, chosen in (("one", slices[4:]), ("series", slices)):
        folder = write_series(tmp_path / name, chosen)
        with pytest.raises(DataError, match="'ImagePositionPatient' must be given"):
            read_dicom_grid(folder)


def test_slices_too_far_apart_are_refused(tmp_path):
    slices = ct_slices()[:2]
    slices[1].ImagePositionPatient = decimals(position(0) + 2e6 * NORMAL)

    with pytest.raises(
        DataError, match=r"must describe a grid\. Received: .* 2e\+06 mm"
    ):
        read_dicom_grid(write_series(tmp_path / "series", slices))


def test_a_single_slice_is_as_thick_as_it_says(tmp_path):
    volume = read_dicom_series(write_series(tmp_path / "series", ct_slices()[:1]))

    assert volume.grid.shape == (4, 3, 1)
    np.testing.assert_allclose(volume.grid.spacing, SPACING)
    np.testing.assert_allclose(
        volume.grid.direction[:, 2], NORMAL * (-1, -1, 1), atol=1e-9
    )
    assert "a single slice: its thickness, 2.5 mm" in volume.notes[0]


@pytest.mark.parametrize("thickness", [None, 0, 1e7])
def test_a_single_slice_of_no_thickness_is_refused(tmp_path, thickness):
    folder = write_series(tmp_path / "series", [ct_slice(0, SliceThickness=thickness)])

    with pytest.raises(DataError, match="'SliceThickness' must be 1e-06 to"):
        read_dicom_grid(folder)


def test_frames_without_descriptions_are_refused(tmp_path):
    dataset = ct_slice(0, NumberOfFrames=2, PixelData=b"\0" * 48)

    with pytest.raises(DataError, match="give a position for each of 2 frames"):
        read_dicom_grid(write_series(tmp_path / "series", [dataset]))
