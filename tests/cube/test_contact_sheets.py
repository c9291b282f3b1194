from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from support.cubes import clean_rows, make_label, write_cube

from cube.contact_sheets import (
    ContactSheets,
    describe_drawn,
    draw_overview,
    shorten_to_width,
)
from cube.reader import Cube
from volumes.palette import outline_color
from volumes.panels import GAP, font


@pytest.fixture
def sheet_of_ann(tmp_path):
    """Return the sheet of the case `ann`, drawn from rows of a cube, as pixels."""

    def draw(rows):
        with Cube(write_cube(tmp_path / "cube.h5", rows)) as cube:
            sheets = ContactSheets(cube, tmp_path)
            for row in cube.rows():
                sheets.add(row, cube.image(row), cube.label(row))
        with Image.open(tmp_path / "ann.png") as picture:
            return np.asarray(picture)

    return draw


def sagittal_panels(sheet):
    """Crop the sagittal pictures of scan and copy from a sheet of two rows."""
    bottom = sheet.shape[0] - GAP
    copy = sheet[bottom - 320 : bottom, GAP : GAP + 320]
    # Between the two is a line of text of 14 * 1.4 = 20 pixels.
    bottom -= 320 + GAP + 20 + GAP
    return sheet[bottom - 320 : bottom, GAP : GAP + 320], copy


def outlined(pixels, label):
    return (pixels == outline_color(label)).all(axis=2)


def test_moved_copy_is_shown_in_the_box_of_scan_and_copy(sheet_of_ann):
    rows = clean_rows()
    moved, extent = np.roll(rows[1].label, 1, axis=1), rows[1].extent.copy()
    extent[1] = 0, 8  # the scan's is 1 to 8, so both are shown from 0 to 8
    rows[1] = replace(rows[1], label=moved, extent=extent)

    scan, copy = sagittal_panels(sheet_of_ann(rows))

    # 8 mm are 320 pixels. Anterior voxels 2 to 5 of 8, leftmost the anterior:
    # the outline begins 2 voxels from the left, the copy's one.
    assert np.flatnonzero(outlined(scan, 1).any(axis=0)).min() == 80
    assert np.flatnonzero(outlined(copy, 1).any(axis=0)).min() == 40


def test_copy_s_slices_follow_its_label(sheet_of_ann):
    rows = clean_rows()
    label = np.zeros_like(make_label())
    label[2, 2:6, 2:7] = 1  # the sagittal slice shown, as it comes first,
    label[3, 2:6, 2:7] = 2  # of two that are as full
    rows[0] = replace(rows[0], label=label)
    moved = np.roll(label, 1, axis=0)
    moved[3, 5, 6] = 0  # the copy's centre is nearer to the other slice
    rows[1] = replace(rows[1], label=moved)

    for panel in sagittal_panels(sheet_of_ann(rows)):
        assert outlined(panel, 1).any()
        assert not outlined(panel, 2).any()


def test_copy_is_shown_in_the_scan_s_window(sheet_of_ann):
    rows = clean_rows()
    image = np.zeros_like(rows[0].image)
    image[4:] = 1
    image[2:4] = 0.25
    image[:, 0] = 50  # outside the extent
    brighter = image.copy()
    brighter[2:4] = 0.75
    brighter[:2] = -50
    rows[0] = replace(rows[0], image=image)
    rows[1] = replace(rows[1], image=brighter)

    scan, copy = sagittal_panels(sheet_of_ann(rows))

    # 0.25 * 255 = 63.75 and 0.75 * 255 = 191.25, at a place without a line.
    assert scan[150, 40].tolist() == [64, 64, 64]
    assert copy[150, 40].tolist() == [191, 191, 191]


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_overview_shows_every_case_once(count):
    colors = [(200, 10 * number, 30) for number in range(count)]
    cells = [
        (f"case {number}", "train", Image.new("RGB", (90, 50 + number), color))
        for number, color in enumerate(colors)
    ]

    sheet = draw_overview(cells, width=3 * (110 + GAP) + GAP)

    assert sheet.width <= 3 * (110 + GAP) + GAP
    counts = {color: number for number, color in sheet.getcolors(maxcolors=2**24)}
    assert [counts[color] for color in colors] == [
        90 * (50 + number) for number in range(count)
    ]


def test_overview_without_cases_shows_a_text():
    colors = draw_overview([]).getcolors(maxcolors=2**24)

    assert len(colors) > 1  # words on the background


def test_long_case_id_is_shortened_in_the_middle():
    text = shorten_to_width("sub-verse0123456789_dir-sag_L1", 120, 14)

    assert text.startswith("sub")
    assert text.endswith("L1")
    assert font(14).getlength(text) <= 120


@pytest.mark.parametrize(
    ("drawn", "sentence"),
    [
        ({}, ""),
        (
            {"rotation": [4.1, -2.0, 7.9], "rescaling": [1.06, 1.06, 1.06]},
            "rotation 4.1 -2 7.9 deg, rescaling 1.06",
        ),
        ({"noise": {"seed": 123, "std": 0.0312}, "flip": True}, "noise 0.0312, flip"),
        (
            {"elastic": {"control_spacing": 32.0, "displacement": 2.5, "seed": 5}},
            "elastic (control spacing 32 mm, displacement 2.5 mm)",
        ),
        ({"shift": [[1, -9], [2, 3], [4, 5]], "flip": False}, "shift up to 9 mm"),
        (
            {"kind": "bias", "order": ["a", "b"], "off": None, "empty": []},
            "kind bias, order a b",
        ),
    ],
)
def test_drawn_parameters_are_described_in_one_line(drawn, sentence):
    assert describe_drawn(drawn) == sentence
