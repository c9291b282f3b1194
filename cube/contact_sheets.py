"""Pictures of a cube: a contact sheet of every case, and one overview of all cases.

A sheet shows the scan above its augmented copies, each with its drawn parameters; the
overview shows one sagittal slice of every scan.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from cube.checks import rows_by_case
from cube.class_report import ignored_ml
from cube.reader import Cube
from cube.thumbnails import THUMBNAIL_FOLDER, choose_for_overview, write_thumbnail
from system.atomic import atomic_write
from system.text import file_names
from volumes.drawing import (
    IGNORED_COLOR,
    center_of_mass,
    draw_panel_row,
    draw_slice,
    find_slices,
    find_window,
    fit_scale,
    outline_color,
)
from volumes.ignored import split_ignored
from volumes.panels import (
    BACKGROUND_COLOR,
    FAINT_COLOR,
    GAP,
    TEXT_COLOR,
    draw_sheet,
    draw_text,
    font,
    stack_horizontally,
    stack_vertically,
)

OVERVIEW_NAME = "overview"
OVERVIEW_HEIGHT = 240  # pixels of the tallest slice
MIN_CELL_WIDTH = 110  # pixels
SPLIT_COLORS = {
    "train": FAINT_COLOR,
    "validation": (120, 190, 255),
    "test": (255, 190, 100),
}
UNITS = {
    "rotation": "deg",
    "shift": "mm",
    "blur": "mm",
    "displacement": "mm",
    "control_spacing": "mm",
}


class ContactSheets:
    """Draw the rows of a cube one by one, and write a sheet for each case.

    All rows of a case show the same box of the grid, in the scan's intensity window.
    The slices of a copy follow the label's centre, so that they show the same
    anatomy: if image and label map did not move together, the outline is displaced.

    Args:
        cube: An open cube.
        folder: Where the PNGs are written.
    """

    def __init__(self, cube: Cube, folder: Path):
        self._cube, self._folder = cube, folder
        self._names = name_sheets(cube)
        self._rows_by_case = rows_by_case(cube)
        self._of_overview = set(choose_for_overview([*self._rows_by_case]))
        tallest = np.max(np.diff(cube.extents)[..., 0], axis=0)
        self._overview_scale = fit_scale(tallest, cube.spacing, OVERVIEW_HEIGHT)
        self._cells: list[tuple[str, str, Image.Image]] = []
        self._sheet: _CaseSheet | None = None

    def add(self, row: int, image: npt.NDArray, label: npt.NDArray) -> None:
        """Draw a row; rows come case by case, the scan before its copies.

        Args:
            row: Its number in the cube.
            image: Its intensities, shape (I, J, K).
            label: Its classes, of the same shape.
        """
        rows = self._rows_by_case[self._cube.case_ids[row]]
        ignored = None
        if self._cube.ignores:
            label, ignored = split_ignored(label)
        if row == rows[0]:
            self._sheet = _CaseSheet(self._cube, rows, image, label)
            self._add_to_overview(row, image, label, ignored)
        self._sheet.draw(self._title(row), image, label, ignored)
        if row == rows[-1]:
            self._write_sheet(row)

    def write_overview(self) -> None:
        """Write one sagittal slice of every case, or of some evenly spread ones."""
        num_cases, note = len(self._rows_by_case), ""
        if len(self._of_overview) < num_cases:
            note = f"{len(self._of_overview)} of {num_cases} cases; index.html has all"
        self._save(draw_overview(self._cells, note=note), OVERVIEW_NAME)

    def _title(self, row: int) -> str:
        copy = self._cube.copies[row]
        if copy == 0:
            return "scan"
        return f"copy {copy}: {describe_drawn(self._cube.drawn[row]) or 'unchanged'}"

    def _add_to_overview(
        self,
        row: int,
        image: npt.NDArray,
        label: npt.NDArray,
        ignored: npt.NDArray | None,
    ) -> None:
        """Draw a sagittal slice, at a scale that all cases share."""
        cube = self._cube
        box = cube.filled_box(row)
        thumbnail = draw_slice(
            image[box],
            [(label[box], outline_color)],
            0,
            find_slices(label[box])[0],
            cube.spacing,
            window=self._sheet.window,
            mm_per_pixel=self._overview_scale,
            ignored=None if ignored is None else ignored[box],
        )
        case_id = cube.case_ids[row]
        name = f"{self._names[case_id]}.jpg"
        write_thumbnail(thumbnail, self._folder / THUMBNAIL_FOLDER / name)
        if case_id in self._of_overview:
            self._cells.append((case_id, cube.splits[row], thumbnail))

    def _write_sheet(self, row: int) -> None:
        """Write the sheet of the case that has this row."""
        cube = self._cube
        case_id, subject = cube.case_ids[row], cube.subjects[row]
        words = [case_id, cube.splits[row]]
        if subject != case_id:
            words.append(f"subject {subject}")
        words.append(" x ".join(f"{side:.3g}" for side in cube.spacing) + " mm")
        names = dict(enumerate(cube.class_names))
        legend = [
            (names.get(label, f"unknown class {label}"), outline_color(label))
            for label in sorted(self._sheet.labels)
        ]
        volume = ignored_ml(cube, self._rows_by_case[case_id][0])
        if volume:
            legend.append((f"ignored ({volume:.3g} ml in the scan)", IGNORED_COLOR))
        sheet = draw_sheet(self._sheet.rows, title="     ".join(words), legend=legend)
        self._save(sheet, self._names[case_id])

    def _save(self, picture: Image.Image, name: str) -> None:
        with atomic_write(self._folder / f"{name}.png") as path:
            picture.save(path, format="PNG")


class _CaseSheet:
    """The rows of one case drawn so far, and what they share.

    Args:
        cube: An open cube.
        rows: All rows of the case, the scan first.
        image: The scan, shape (I, J, K).
        label: Its label map, of the same shape.
    """

    def __init__(
        self, cube: Cube, rows: list[int], image: npt.NDArray, label: npt.NDArray
    ):
        first = cube.extents[rows, :, 0].min(axis=0)
        last = cube.extents[rows, :, 1].max(axis=0)
        self.box = tuple(map(slice, first, last))
        self.spacing = cube.spacing
        self.window = find_window(image[cube.filled_box(rows[0])])
        self.scale = fit_scale(last - first, cube.spacing)
        label = label[self.box]
        self.offset = find_slices(label) - center_of_mass(label)
        self.rows: list[tuple[str, Image.Image]] = []
        self.labels: set[int] = set()

    def draw(
        self,
        title: str,
        image: npt.NDArray,
        label: npt.NDArray,
        ignored: npt.NDArray | None,
    ) -> None:
        """Draw three slices of a row, each array of shape (I, J, K)."""
        image, label = image[self.box], label[self.box]
        self.labels.update(np.unique(label[label > 0]).tolist())
        panels = draw_panel_row(
            image,
            [(label, outline_color)],
            find_slices(label, center_of_mass(label) + self.offset),
            self.spacing,
            window=self.window,
            mm_per_pixel=self.scale,
            ignored=None if ignored is None else ignored[self.box],
        )
        self.rows.append((title, panels))


def name_sheets(cube: Cube) -> dict[str, str]:
    """Return the name of each case's sheet and thumbnail, without suffix."""
    return file_names(cube.case_ids, reserved=[OVERVIEW_NAME])


def draw_overview(
    cells: Iterable[tuple[str, str, Image.Image]], *, width: int = 1500, note: str = ""
) -> Image.Image:
    """Draw one picture of every case in a grid, titled with case and split.

    Args:
        cells: Case id, split and picture of each case, in reading order.
        width: Maximum width of the grid in pixels; one picture always fits.
        note: A line of text above the grid, if not empty.
    """
    cells = list(cells)
    if not cells:
        return stack_vertically([draw_text([("no cases", FAINT_COLOR)], width, 14)])
    cell_width = max(MIN_CELL_WIDTH, *(picture.width for *_, picture in cells))
    columns = max(1, (width - GAP) // (cell_width + GAP))
    lines = [draw_text([(note, TEXT_COLOR)], width, 18)] if note else []
    for first in range(0, len(cells), columns):
        pictures = [
            _draw_cell(case_id, split, picture, cell_width)
            for case_id, split, picture in cells[first : first + columns]
        ]
        lines.append(stack_horizontally(pictures, align=0.0))
    return stack_vertically(lines)


def _draw_cell(
    case_id: str, split: str, picture: Image.Image, width: int
) -> Image.Image:
    """Draw case and split above a picture, `width` pixels wide."""
    cell = Image.new("RGB", (width, picture.height + 42), BACKGROUND_COLOR)
    draw = ImageDraw.Draw(cell)
    draw.text((0, 2), shorten_to_width(case_id, width, 14), TEXT_COLOR, font(14))
    draw.text((0, 20), split, SPLIT_COLORS.get(split, TEXT_COLOR), font(12))
    cell.paste(picture, (0, 40))
    return cell


def shorten_to_width(text: str, width: int, size: int) -> str:
    """Replace the middle of a text wider than `width` pixels by "...".

    Both ends stay, as case ids often differ only in their last characters.
    """
    if font(size).getlength(text) <= width:
        return text
    for kept in range(len(text) - 1, 1, -1):
        head, tail = text[: (kept + 1) // 2], text[len(text) - kept // 2 :]
        if font(size).getlength(f"{head}...{tail}") <= width:
            return f"{head}...{tail}"
    return "..."


def describe_drawn(drawn: Mapping[str, object]) -> str:
    """Describe the drawn parameters of a copy in one line.

    Up to four numbers are listed, more are summarised by the largest magnitude.
    Empty values, transforms that are off, and seeds are left out.

    >>> describe_drawn({"rotation": [4.13, -2.0, 7.9], "rescaling": [1.06] * 3})
    'rotation 4.13 -2 7.9 deg, rescaling 1.06'
    >>> describe_drawn({"flip": False, "noise": {"std": 0.031, "seed": 7}})
    'noise 0.031'
    """
    parts = []
    for name, value in drawn.items():
        text = "" if name == "seed" else _format_drawn(value)
        if value is True:
            parts.append(name.replace("_", " "))
        elif text:
            unit = UNITS.get(name, "")
            parts.append(f"{name.replace('_', ' ')} {text} {unit}".strip())
    return ", ".join(parts)


def _format_drawn(value: object) -> str:
    """Format one drawn value; an empty text for what is empty or off."""
    if value is None or isinstance(value, bool):
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, (int, float)):
        return f"{value:.3g}"
    if isinstance(value, Mapping):
        items = {name: item for name, item in value.items() if name != "seed"}
        if len(items) == 1:
            return _format_drawn(next(iter(items.values())))
        inner = describe_drawn(items)
        return f"({inner})" if inner else ""
    if any(isinstance(item, (str, bool, Mapping)) for item in value):
        return " ".join(filter(None, map(_format_drawn, value)))
    numbers = np.array(value, dtype=np.float64).ravel()
    if numbers.size > 4:
        return f"up to {np.abs(numbers).max():.3g}"
    distinct = numbers[:1] if len(set(numbers)) == 1 else numbers
    return " ".join(f"{number:.3g}" for number in distinct)
