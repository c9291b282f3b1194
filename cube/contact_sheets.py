"""The pictures of a cube: a sheet for every case, and one overview of all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from cube.checks import rows_by_case
from cube.reader import Cube
from system.atomic import atomic_write
from system.text import file_names
from volumes.drawing import (
    center_of_mass,
    draw_panel_row,
    draw_slice,
    find_slices,
    find_window,
    fit_scale,
    outline_color,
)
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

OVERVIEW = "overview"
THUMBNAIL_HEIGHT = 240  # pixels


class ContactSheets:
    """Draw rows as they come, and write a case's sheet once it is whole.

    All rows of a case show the same box of the grid, in the scan's window. The
    slices of a copy follow the label's centre, so that they show the same
    anatomy: where image and label did not move together, the outline lies off.

    Args:
        cube: An open cube.
        folder: Where the PNGs go.
    """

    def __init__(self, cube: Cube, folder: Path):
        self._cube, self._folder = cube, folder
        self._names = file_names(cube.case_ids, reserved=[OVERVIEW])
        self._cases = rows_by_case(cube)
        sides = [np.diff(extent)[:, 0] for extent in cube.extents]
        tallest = np.max(sides if sides else [cube.shape], axis=0)
        self._overview_scale = fit_scale(tallest, cube.spacing, THUMBNAIL_HEIGHT)
        self._cells: list[tuple[str, str, Image.Image]] = []
        self._case: _Case | None = None

    def add(self, row: int, image: npt.NDArray, label: npt.NDArray) -> None:
        """Draw a row; rows come case by case, the scan before its copies.

        Args:
            row: Its number in the cube.
            image: Its intensities, shape (I, J, K).
            label: Its classes, of the same shape.
        """
        rows = self._cases[self._cube.case_ids[row]]
        if row == rows[0]:
            self._case = _Case(self._cube, rows, image, label)
            self._add_to_overview(row, image, label)
        image, label = image[self._case.box], label[self._case.box]
        self._case.draw(self._title(row), image, label)
        if row == rows[-1]:
            self._write_sheet(row)

    def write_overview(self) -> None:
        """Write one sagittal slice of every case that was added."""
        self._save(draw_overview(self._cells), OVERVIEW)

    def _title(self, row: int) -> str:
        copy = self._cube.copies[row]
        if copy == 0:
            return "scan"
        return f"copy {copy}: {describe_drawn(self._cube.drawn[row]) or 'unchanged'}"

    def _add_to_overview(self, row: int, image: npt.NDArray, label: npt.NDArray):
        """Draw the sagittal slice, to a scale that all cases share."""
        box = box_around(self._cube.extents[[row]])
        image, label = image[box], label[box]
        thumbnail = draw_slice(
            image,
            [(label, outline_color)],
            0,
            find_slices(label)[0],
            self._cube.spacing,
            window=self._case.window,
            mm_per_pixel=self._overview_scale,
        )
        cube = self._cube
        self._cells.append((cube.case_ids[row], cube.splits[row], thumbnail))

    def _write_sheet(self, row: int) -> None:
        """Put the rows of a case below one another and write them."""
        cube, case = self._cube, self._case
        names = dict(enumerate(cube.class_names))
        legend = [
            (names.get(label, f"unknown class {label}"), outline_color(label))
            for label in sorted(case.labels)
        ]
        case_id, subject = cube.case_ids[row], cube.subjects[row]
        facts = [case_id, cube.splits[row]]
        facts += [f"subject {subject}"] if subject != case_id else []
        facts.append(" x ".join(f"{side:.3g}" for side in cube.spacing) + " mm")
        sheet = draw_sheet(case.rows, title=(5 * " ").join(facts), legend=legend)
        self._save(sheet, self._names[case_id])

    def _save(self, picture: Image.Image, name: str) -> None:
        with atomic_write(self._folder / f"{name}.png") as path:
            picture.save(path, format="PNG")


class _Case:
    """What the rows of one case share, and those drawn so far.

    Args:
        cube: An open cube.
        rows: All rows of the case, the scan first.
        image: The scan, shape (I, J, K).
        label: Its label map, of the same shape.
    """

    def __init__(
        self, cube: Cube, rows: list[int], image: npt.NDArray, label: npt.NDArray
    ):
        self.box = box_around(cube.extents[rows])
        self.spacing = cube.spacing
        self.window = find_window(image[box_around(cube.extents[rows[:1]])])
        self.scale = fit_scale(image[self.box].shape, cube.spacing)
        shown = label[self.box]
        self.offset = find_slices(shown) - center_of_mass(shown)
        self.rows: list[tuple[str, Image.Image]] = []
        self.labels: set[int] = set()

    def draw(self, title: str, image: npt.NDArray, label: npt.NDArray) -> None:
        """Draw one row in the box."""
        self.labels.update(np.unique(label[label > 0]).tolist())
        panels = draw_panel_row(
            image,
            [(label, outline_color)],
            find_slices(label, center_of_mass(label) + self.offset),
            self.spacing,
            window=self.window,
            mm_per_pixel=self.scale,
        )
        self.rows.append((title, panels))


def box_around(extents: npt.NDArray[np.int64]) -> tuple[slice, ...]:
    """Give the smallest box around boxes of shape (n, 3, 2)."""
    first, last = extents[:, :, 0].min(axis=0), extents[:, :, 1].max(axis=0)
    return tuple(slice(int(a), int(b)) for a, b in zip(first, last, strict=True))


def draw_overview(
    cells: Iterable[tuple[str, str, Image.Image]], *, width: int = 1500
) -> Image.Image:
    """Lay out one picture of every case in a grid, titled with case and split.

    Args:
        cells: Case id, split and picture of each case, in reading order.
        width: Pixels that a line of the grid may take; one picture always fits.
    """
    cells = list(cells)
    if not cells:
        return stack_vertically([draw_text([("no cases", FAINT_COLOR)], width, 14)])
    cell_width = max(110, *(picture.width for *_, picture in cells))
    columns = max(1, (width - GAP) // (cell_width + GAP))
    lines = []
    for first in range(0, len(cells), columns):
        blocks = [_draw_cell(*cell, cell_width) for cell in cells[first:][:columns]]
        lines.append(stack_horizontally(blocks, align=0.0))
    return stack_vertically(lines)


def _draw_cell(
    case_id: str, split: str, picture: Image.Image, width: int
) -> Image.Image:
    """Put case and split above a picture, `width` pixels wide."""
    cell = Image.new("RGB", (width, picture.height + 42), BACKGROUND_COLOR)
    draw = ImageDraw.Draw(cell)
    draw.text((0, 2), shorten_to_width(case_id, width, 14), TEXT_COLOR, font(14))
    draw.text((0, 20), split, SPLITS.get(split, TEXT_COLOR), font(12))
    cell.paste(picture, (0, 40))
    return cell


SPLITS = {"train": FAINT_COLOR, "validation": (120, 190, 255), "test": (255, 190, 100)}


UNITS = {
    **{"rotation": "deg", "shift": "mm", "blur": "mm"},
    **{"displacement": "mm", "control_spacing": "mm"},
}


def shorten_to_width(text: str, width: int, size: int) -> str:
    """Cut the middle out of a text that is wider than `width` pixels.

    The ends stay, as case ids often differ in their last characters only.
    """
    if font(size).getlength(text) <= width:
        return text
    for kept in range(len(text) - 1, 1, -1):
        head, tail = text[: (kept + 1) // 2], text[len(text) - kept // 2 :]
        if font(size).getlength(f"{head}...{tail}") <= width:
            return f"{head}...{tail}"
    return "..."


def describe_drawn(drawn: Mapping[str, object]) -> str:
    """Put the drawn parameters of a copy into one line.

    Up to four numbers are written out, more are summed up by the largest
    magnitude. What is empty or off is left out, and so are seeds.

    >>> describe_drawn({"rotation": [4.13, -2.0, 7.9], "rescaling": [1.06] * 3})
    'rotation 4.13 -2 7.9 deg, rescaling 1.06'
    >>> describe_drawn({"flip": False, "noise": {"std": 0.031, "seed": 7}})
    'noise 0.031'
    """
    parts = []
    for name, value in drawn.items():
        figures = "" if name == "seed" else _figures(value)
        if value is True:
            parts.append(name.replace("_", " "))
        elif figures:
            unit = UNITS.get(name, "")
            parts.append(f"{name.replace('_', ' ')} {figures} {unit}".strip())
    return ", ".join(parts)


def _figures(value: object) -> str:
    """Write one drawn value; an empty text for what is empty or off."""
    if value is None or isinstance(value, bool):
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, (int, float)):
        return f"{value:.3g}"
    if isinstance(value, Mapping):
        named = {name: item for name, item in value.items() if name != "seed"}
        if len(named) == 1:
            return _figures(*named.values())
        inner = describe_drawn(named)
        return f"({inner})" if inner else ""
    if any(isinstance(item, (str, bool, Mapping)) for item in value):
        return " ".join(filter(None, map(_figures, value)))
    numbers = np.array(value, dtype=np.float64).ravel()
    if numbers.size > 4:
        return f"up to {np.abs(numbers).max():.3g}"
    distinct = numbers[:1] if len(set(numbers)) == 1 else numbers
    return " ".join(f"{number:.3g}" for number in distinct)
