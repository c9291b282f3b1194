"""The pictures of a cube: a sheet for every case, and one overview of all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from cube.checks import rows_by_case
from cube.reader import Cube
from system.atomic import replacing
from volumes.drawing import (
    center_of_mass,
    draw_panel_row,
    draw_slice,
    find_slices,
    find_window,
    fit_scale,
    outline_color,
)
from volumes.panels import describe_drawn, draw_overview, draw_sheet, file_names

OVERVIEW = "overview"
THUMBNAIL_HEIGHT = 240  # pixels


class CasePictures:
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
        with replacing(self._folder / f"{name}.png") as path:
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
