"""The sheet of one case: its scan without and with labels, and its augmented copies."""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt
from PIL import Image

from cube.class_report import ignored_ml
from cube.drawn_words import describe_drawn
from cube.reader import Cube
from cube.sheet_layout import (
    MIN_CELL,
    SHEET_HEIGHT,
    SHEET_WIDTH,
    Block,
    Layout,
    fit_sheet,
)
from spine.planes import choose_planes
from system.text import format_ml
from volumes.classes import count_labels
from volumes.ignored import split_ignored
from volumes.legend import draw_legend
from volumes.palette import outline_color
from volumes.panels import (
    FAINT_COLOR,
    GAP,
    TEXT_COLOR,
    draw_text,
    font,
    stack_horizontally,
    stack_in_grid,
    stack_tightly,
    stack_vertically,
)
from volumes.planes import AXIAL, CORONAL, SAGITTAL, Box, find_box
from volumes.sections import CAPTION_HEIGHT, Sections, add_caption
from volumes.structures import vertebra_classes
from volumes.view import IGNORED_COLOR
from volumes.window import find_window_around

MARGIN_MM = 50.0  # around the labels
PLANE_AXES = (SAGITTAL, CORONAL, AXIAL)
MAX_COPIES = 12  # that are drawn
LEAST_MARGIN_MM = 5.0  # if what lies around them is black
LEAST_GREY = 0.05  # share of the window above which a voxel is not black
LEAST_LIT = 0.02  # share of such voxels in a slice that is no rim


class CaseSheet:
    """The rows of one case drawn so far, and what they share.

    All rows show the same box of the grid, in the scan's intensity window. The planes
    of a copy follow its label map, so that they show the same anatomy: if image and
    label map did not move together, the outline is displaced.

    Args:
        cube: An open cube.
        rows: All rows of the case, the scan first.
        image: The scan, shape (I, J, K).
        label: Its label map, of the same shape.
    """

    def __init__(
        self, cube: Cube, rows: list[int], image: npt.NDArray, label: npt.NDArray
    ):
        self._cube, self._rows = cube, rows
        self._vertebrae = vertebra_classes(cube.class_names)
        self._window = choose_window(cube, rows[0], image, label)
        self._labels: set[int] = set()
        self._box = self._choose_box(image, label)
        self._copies = rows[1 : MAX_COPIES + 1]
        self.scan = self._sections(image, label)
        self._layout = self._fit()
        self._scan_row = self._draw_scan()
        self._cells: list[Image.Image] = []

    def add_copy(self, row: int, image: npt.NDArray, label: npt.NDArray) -> None:
        """Draw a copy, each array of shape (I, J, K)."""
        if row not in self._copies:
            return
        sections = self._sections(image, label).crop(self._box)
        scale = 1 / self._layout.copy_scale
        pictures = [
            sections.draw_labelled(axis, scale, bar=axis == SAGITTAL)
            for axis in self._copy_axes
        ]
        picture = stack_horizontally(pictures, align=0.0)
        self._cells.append(self._add_words(row, picture))

    def finish(self) -> Image.Image:
        """Return the sheet: title, legend, the scan and its copies."""
        blocks = [*self._head(), self._scan_row]
        if self._cells:
            columns = self._layout.columns
            lines = [
                stack_horizontally(self._cells[first : first + columns], align=0.0)
                for first in range(0, len(self._cells), columns)
            ]
            copies = stack_tightly(lines, gap=GAP)
            if self._layout.is_beside:
                blocks[-1] = stack_horizontally([blocks[-1], copies], align=0.0)
            else:
                blocks.append(copies)
        return stack_vertically(blocks)

    def _sections(self, image: npt.NDArray, label: npt.NDArray) -> Sections:
        """Return what is drawn of a row, uncropped."""
        ignored = None
        if self._cube.ignores:
            label, ignored = split_ignored(label)
        self._labels.update(np.flatnonzero(count_labels(label[self._box])).tolist())
        self._labels.discard(0)
        planes = choose_planes(label, self._cube.spacing, self._vertebrae)
        spacing = self._cube.spacing
        return Sections(image, label, planes, spacing, self._window, ignored)

    def _choose_box(self, image: npt.NDArray, label: npt.NDArray) -> Box:
        """Choose what all rows show: the labels with a margin, without dark rims."""
        cube = self._cube
        first = cube.extents[self._rows, :, 0].min(axis=0).tolist()
        last = cube.extents[self._rows, :, 1].max(axis=0).tolist()
        filled = (
            slice(first[0], last[0]),
            slice(first[1], last[1]),
            slice(first[2], last[2]),
        )
        image, label = image[filled], label[filled]
        labels = find_box(label.shape, cube.spacing, [label], LEAST_MARGIN_MM)
        if not label.any():
            labels = None
        around = find_box(label.shape, cube.spacing, [label], MARGIN_MM)
        lit = find_lit_box(image, self._window)
        sides = []
        for axis, outer in enumerate(filled):
            start = max(around[axis].start, lit[axis].start)
            stop = min(around[axis].stop, lit[axis].stop)
            if labels is not None:
                start = min(start, labels[axis].start)
                stop = max(stop, labels[axis].stop)
            sides.append(slice(outer.start + start, outer.start + stop))
        return (sides[0], sides[1], sides[2])

    def _fit(self) -> Layout:
        """Choose the layout by the size of the box that all rows show."""
        width, depth, height = (
            (side.stop - side.start) * mm
            for side, mm in zip(self._box, self._cube.spacing, strict=True)
        )
        tall = max(height, depth)
        in_a_row = Block(3 * depth + 5 * width, tall, 7 * GAP, CAPTION_HEIGHT)
        in_two = Block(
            depth + 2 * width + max(depth, width),
            2 * tall,
            3 * GAP,
            2 * CAPTION_HEIGHT + GAP,
        )
        # Of a copy: sagittal and coronal, and axial where that makes nothing smaller.
        two = Block(width + depth, height, GAP, 0)
        three = Block(2 * width + depth, tall, 2 * GAP, 0)
        head = sum(block.height + GAP for block in self._head()) + 2 * GAP
        texts = [font(12).getlength(self._describe(row)) for row in self._copies]
        size = SHEET_WIDTH - 2 * GAP, SHEET_HEIGHT - head
        layouts = [
            fit_sheet([in_a_row, in_two], copy, texts, size) for copy in (two, three)
        ]
        has_room = layouts[1].merit >= layouts[0].merit
        self._copy_axes = PLANE_AXES[: 3 if has_room else 2]
        return layouts[has_room]

    def _draw_scan(self) -> Image.Image:
        """Draw the scan's planes, each without and with labels, and projections."""
        sections, scale = self.scan.crop(self._box), 1 / self._layout.scan_scale
        names = dict(enumerate(self._cube.class_names))
        if len(names) <= 2:
            names = {}
        plain, labelled = [], []
        for axis, plane in enumerate(self.scan.planes):
            picture = sections.draw_plain(axis, scale)
            plain.append(add_caption(picture, plane.describe()))
            picture = sections.draw_labelled(axis, scale, names=names)
            labelled.append(add_caption(picture, "labels"))
        from_side, from_front = (
            add_caption(sections.draw_projection(axis, scale), f"all labels, {side}")
            for axis, side in ((SAGITTAL, "side view"), (CORONAL, "front view"))
        )
        if self._layout.arrangement == 0:
            pairs = zip(plain, labelled, strict=True)
            pictures = [picture for pair in pairs for picture in pair]
            return stack_horizontally([*pictures, from_side, from_front], align=0.0)
        rows = [[*plain, from_side], [*labelled, from_front]]
        return stack_in_grid(rows)

    def _head(self) -> list[Image.Image]:
        """Draw title and legend."""
        cube, row = self._cube, self._rows[0]
        case_id, subject = cube.case_ids[row], cube.subjects[row]
        words = [case_id, cube.splits[row]]
        if subject != case_id:
            words.append(f"subject {subject}")
        words.append(" x ".join(f"{side:.3g}" for side in cube.spacing) + " mm")
        intensity = cube.sources[row].get("intensity", {})
        if intensity.get("kind") == "window":
            words.append(f"window {intensity['low']:.4g} to {intensity['high']:.4g}")
        left_out = len(self._rows) - 1 - len(self._copies)
        if left_out > 0:
            words.append(f"{left_out} more copies are not drawn")
        names = dict(enumerate(cube.class_names))
        entries = [
            (names.get(label, f"unknown class {label}"), outline_color(label))
            for label in sorted(self._labels)
        ]
        volume = ignored_ml(cube, row)
        if volume:
            entries.append(
                (f"ignored ({format_ml(volume)} ml in the scan)", IGNORED_COLOR)
            )
        width = SHEET_WIDTH - 2 * GAP
        title = draw_text(
            [(word, TEXT_COLOR) for word in words], width, 18, between="     "
        )
        legend = draw_legend(entries, width)
        return [block for block in (title, legend) if block is not None]

    def _describe(self, row: int) -> str:
        """Describe a copy by its number and drawn parameters."""
        drawn = describe_drawn(self._cube.drawn[row], is_short=True) or "unchanged"
        return f"copy {self._cube.copies[row]}: {drawn}"

    def _add_words(self, row: int, picture: Image.Image) -> Image.Image:
        """Return a copy's picture below its number and drawn parameters."""
        pieces = re.split(r"(?<=,) ", self._describe(row))
        width = max(picture.width, MIN_CELL)
        words = draw_text([(part, FAINT_COLOR) for part in pieces], width, 12)
        return picture if words is None else stack_tightly([words, picture])


def choose_window(
    cube: Cube, row: int, image: npt.NDArray, label: npt.NDArray
) -> tuple[float, float]:
    """Choose the normalised intensities that are drawn black and white.

    They are the window that normalised the scan, if a window did, so that bone is not
    white throughout in CT; else percentiles around the labels.

    Args:
        cube: An open cube.
        row: Of the scan.
        image: Its intensities, shape (I, J, K).
        label: Its label map, of the same shape.
    """
    kind = cube.sources[row].get("intensity", {}).get("kind", cube.intensity[0])
    if kind == "window":
        return -1.0, 1.0
    filled = cube.filled_box(row)
    return find_window_around(image[filled], label[filled], cube.spacing)


def find_lit_box(image: npt.NDArray, window: tuple[float, float]) -> Box:
    """Return the box of a volume without rims of slices that are drawn black.

    Args:
        image: Intensities, shape (I, J, K).
        window: Intensities drawn black and white.
    """
    low, high = window
    lit = image > low + LEAST_GREY * (high - low)
    sides = []
    for axis in range(3):
        others = tuple({0, 1, 2} - {axis})
        shares = lit.mean(axis=others)
        bright = np.flatnonzero(shares >= LEAST_LIT)
        ends = (bright[0], bright[-1] + 1) if bright.size else (0, len(shares))
        sides.append(slice(int(ends[0]), int(ends[1])))
    return (sides[0], sides[1], sides[2])
