from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from support.cubes import clean_rows, make_label, write_cube

from cube.case_sheet import CaseSheet, choose_window, find_lit_box
from cube.contact_sheets import ContactSheets
from cube.reader import Cube
from cube.sheet_layout import SHEET_HEIGHT, SHEET_WIDTH, Block, fit_sheet
from volumes.palette import outline_color
from volumes.planes import SAGITTAL


@pytest.fixture
def sheets_of(tmp_path):
    """Return the sheet and the overview of a cube with some rows, as pixels."""

    def draw(rows, case_id="ann", **attributes):
        path = write_cube(tmp_path / "cube.h5", rows, **attributes)
        with Cube(path) as cube:
            sheets = ContactSheets(cube, tmp_path)
            for row in cube.rows():
                sheets.add(row, cube.image(row), cube.label(row))
            sheets.write_overview()
        pictures = []
        for name in (case_id, "overview"):
            with Image.open(tmp_path / f"{name}.png") as picture:
                pictures.append(np.asarray(picture))
        return pictures

    return draw


def drawn_in(pixels, color):
    return (pixels == color).all(axis=2)


@pytest.mark.slow
def test_sheet_fits_a_screen_and_has_every_class(sheets_of):
    sheet, overview = sheets_of(clean_rows())

    assert sheet.shape[0] <= SHEET_HEIGHT + 20
    assert sheet.shape[1] <= SHEET_WIDTH
    for label in (1, 2):
        # More than a swatch of 13 x 13, which the legend has.
        assert drawn_in(sheet, outline_color(label)).sum() > 13 * 13 + 100
        assert drawn_in(overview, outline_color(label)).any()


def test_a_label_off_all_planes_is_seen_in_the_projections(sheets_of):
    rows = clean_rows()[2:3]
    label = make_label()
    label[5, 7, 9] = 3  # at the border, where no plane goes
    rows[0] = replace(rows[0], label=label)

    sheet, _ = sheets_of(rows, "ben")

    # 2 mm from the side: 0.5 + 0.5 * 2 / 30 of its colour.
    share = 0.5 + 0.5 * 2 / 30
    color = [round(share * side) for side in outline_color(3)]
    assert drawn_in(sheet, color).sum() > 100


def test_copy_is_shown_in_the_box_of_the_scan(sheets_of, tmp_path):
    rows = clean_rows()
    moved = np.roll(rows[1].label, 1, axis=1)
    extent = np.array([[0, 6], [0, 8], [0, 10]])
    rows = [replace(row, extent=extent) for row in rows]
    rows[1] = replace(rows[1], label=moved)
    with Cube(write_cube(tmp_path / "cube.h5", rows)) as cube:
        sheet = CaseSheet(cube, [0, 1], cube.image(0), cube.label(0))

        scan = sheet._sections(cube.image(0), cube.label(0)).crop(sheet._box)
        copy = sheet._sections(cube.image(1), cube.label(1)).crop(sheet._box)

    # Anterior is left: voxels 2 to 5 of 8 begin 2 from the left, the copy's 1.
    first = [
        np.flatnonzero(part.planes[SAGITTAL].take(part.labels).any(axis=0))[0]
        for part in (scan, copy)
    ]
    assert first == [2, 1]


@pytest.mark.parametrize(("num_copies", "planes"), [(1, 3), (24, 2)])
def test_few_copies_have_an_axial_plane_too(tmp_path, num_copies, planes):
    scan, copy = clean_rows()[:2]
    rows = [scan, *(replace(copy, copy=n) for n in range(1, num_copies + 1))]
    with Cube(write_cube(tmp_path / "cube.h5", rows)) as cube:
        sheet = CaseSheet(cube, list(cube.rows()), cube.image(0), cube.label(0))

    assert len(sheet._copy_axes) == planes


def test_scan_normalised_by_a_window_is_drawn_in_it(tmp_path):
    rows = clean_rows()
    rows[0].source["intensity"] = {"kind": "window", "low": -200.0, "high": 1000.0}
    with Cube(write_cube(tmp_path / "cube.h5", rows)) as cube:
        assert choose_window(cube, 0, cube.image(0), cube.label(0)) == (-1, 1)
        low, high = choose_window(cube, 2, cube.image(2), cube.label(2))

    # Of intensities from 0 to 1, by their percentiles.
    assert 0 < low < 0.1
    assert 0.9 < high < 1


def test_dark_rims_are_left_out():
    image = np.zeros((10, 20, 30), np.float16)
    image[2:9, 5:15, 10:30] = 0.5
    image[0, 0, 0] = 1  # a single voxel is no picture

    box = find_lit_box(image, (0.0, 1.0))

    assert box == (slice(2, 9), slice(5, 15), slice(10, 30))
    dark = find_lit_box(np.zeros((2, 3, 4)), (0.0, 1.0))
    assert dark == (slice(0, 2), slice(0, 3), slice(0, 4))


@pytest.mark.parametrize("num_copies", [0, 1, 3, 8, 24])
@pytest.mark.parametrize("size_mm", [(60, 120, 250), (460, 460, 640), (450, 300, 120)])
def test_scan_and_copies_fit_their_sheet(num_copies, size_mm):
    width, depth, height = size_mm
    scan = Block(3 * depth + 5 * width, max(height, depth), 70, 18)
    copy = Block(width + depth, height, 10, 0)

    layout = fit_sheet([scan], copy, [800.0] * num_copies, (1780, 1000))

    across = layout.scan_scale * scan.width_mm + scan.width
    down = layout.scan_scale * scan.height_mm + scan.height
    if num_copies:
        rows = -(-num_copies // layout.columns)
        wide = layout.columns * (layout.copy_scale * copy.width_mm + copy.width + 10)
        tall = rows * (layout.copy_scale * copy.height_mm + 10)
        if layout.is_beside:
            across, down = across + wide, max(down, tall)
        else:
            across, down = max(across, wide), down + tall
        assert layout.copy_scale > 0.1
    assert across <= 1780
    assert down <= 1000


def test_copies_are_named_with_what_was_drawn(tmp_path):
    rows = clean_rows()
    with Cube(write_cube(tmp_path / "cube.h5", rows)) as cube:
        sheet = CaseSheet(cube, [0, 1], cube.image(0), cube.label(0))

        assert sheet._describe(1) == "copy 1: rescaling 1"
