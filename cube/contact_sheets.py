"""Pictures of a cube: a contact sheet of every case, and one overview of the cases.

A sheet shows the scan above its augmented copies, each with its drawn parameters; the
overview shows one sagittal slice of every scan, or of 48 evenly spread ones.
"""

from __future__ import annotations

from pathlib import Path

import numpy.typing as npt
from PIL import Image

from cube.case_sheet import CaseSheet
from cube.checks import rows_by_case
from cube.overview import draw_overview
from cube.reader import Cube
from cube.thumbnails import THUMBNAIL_FOLDER, choose_for_overview, write_thumbnail
from system.atomic import atomic_write, report_write_errors
from system.text import file_names
from volumes.planes import SAGITTAL
from volumes.sections import Sections

OVERVIEW_NAME = "overview"
OVERVIEW_SIDE = 240  # pixels of a slice, at most
PNG_LEVEL = 3  # of 9: half the time of the usual 6, and no more bytes


class ContactSheets:
    """Draw the rows of a cube one by one, and write a sheet for each case.

    Args:
        cube: An open cube.
        folder: Where the PNGs are written.
    """

    def __init__(self, cube: Cube, folder: Path):
        self._cube, self._folder = cube, folder
        self._names = name_sheets(cube)
        self._rows_by_case = rows_by_case(cube)
        self._of_overview = set(choose_for_overview([*self._rows_by_case]))
        self._cells: list[tuple[str, str, Image.Image]] = []
        self._sheet: CaseSheet | None = None

    def add(self, row: int, image: npt.NDArray, label: npt.NDArray) -> None:
        """Draw a row; rows come case by case, the scan before its copies.

        Args:
            row: Its number in the cube.
            image: Its intensities, shape (I, J, K).
            label: Its classes, of the same shape.
        """
        case_id = self._cube.case_ids[row]
        rows = self._rows_by_case[case_id]
        if row == rows[0]:
            self._sheet = CaseSheet(self._cube, rows, image, label)
            self._add_to_overview(row, self._sheet.scan)
        else:
            self._sheet.add_copy(row, image, label)
        if row == rows[-1]:
            self._save(self._sheet.finish(), self._names[case_id])

    def write_overview(self) -> None:
        """Write one sagittal slice of every case, or of some evenly spread ones."""
        num_cases, note = len(self._rows_by_case), ""
        if len(self._of_overview) < num_cases:
            note = f"{len(self._of_overview)} of {num_cases} cases; index.html has all"
        self._save(draw_overview(self._cells, note=note), OVERVIEW_NAME)

    def remove_others(self) -> None:
        """Remove what an earlier check drew of cases that this cube does not hold.

        These are the sheets of which the folder holds a thumbnail as well.
        """
        drawn = {OVERVIEW_NAME, *self._names.values()}
        for thumbnail in (self._folder / THUMBNAIL_FOLDER).glob("*.jpg"):
            sheet = self._folder / f"{thumbnail.stem}.png"
            if thumbnail.stem not in drawn and sheet.is_file():
                with report_write_errors(sheet):
                    sheet.unlink()
                    thumbnail.unlink()

    def _add_to_overview(self, row: int, scan: Sections) -> None:
        """Draw the sagittal plane of a scan; its scale bar shows its size."""
        cube = self._cube
        scan = scan.crop(cube.filled_box(row))
        _, depth, height = scan.image.shape
        longest = max(depth * cube.spacing[1], height * cube.spacing[2])
        thumbnail = scan.draw_labelled(SAGITTAL, longest / OVERVIEW_SIDE)
        case_id = cube.case_ids[row]
        name = f"{self._names[case_id]}.jpg"
        write_thumbnail(thumbnail, self._folder / THUMBNAIL_FOLDER / name)
        if case_id in self._of_overview:
            self._cells.append((case_id, cube.splits[row], thumbnail))

    def _save(self, picture: Image.Image, name: str) -> None:
        with atomic_write(self._folder / f"{name}.png") as path:
            picture.save(path, format="PNG", compress_level=PNG_LEVEL)


def name_sheets(cube: Cube) -> dict[str, str]:
    """Return the name of each case's sheet and thumbnail, without suffix."""
    return file_names(cube.case_ids, reserved=[OVERVIEW_NAME])
