"""The places of a sheet's pictures: the scan in a row, its copies in a grid.

A sheet fits a screen. The scan's row is at the top or at the left, the copies below or
beside it, whichever shows both larger.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from volumes.panels import GAP

SHEET_WIDTH, SHEET_HEIGHT = 1800, 1125  # pixels, at most
MIN_CELL = 200  # pixels, so that the text above a copy is wrapped to few lines
TEXT_LINE = 17  # pixels
WRAPPED_SHARE = 0.7  # of a line that is filled, as text wraps after commas
MAX_PIXELS_PER_MM = 40.0  # of tiny scans
MIN_SCALE = 0.05  # pixels per mm, of too many copies
MAX_COPY_SHARE = 0.8  # of the scan's scale
SHARES = [step / 20 for step in range(6, 17)]  # of the sheet, for the scan


@dataclass(frozen=True)
class Block:
    """Pictures side by side.

    Args:
        width_mm: Of all pictures together.
        height_mm: Of the tallest.
        width: Pixels of what lies between them.
        height: Pixels of the text above or below them.
    """

    width_mm: float
    height_mm: float
    width: int
    height: int

    def fit(self, width: float, height: float) -> float:
        """Return the pixels per mm at which the block fills a place."""
        across = (width - self.width) / self.width_mm
        down = (height - self.height) / self.height_mm
        return min(across, down, MAX_PIXELS_PER_MM)


@dataclass(frozen=True)
class Layout:
    """The scales of a sheet and the places of its copies.

    Args:
        arrangement: Index of the block that was chosen for the scan.
        scan_scale: Pixels per mm of the scan's pictures.
        copy_scale: Pixels per mm of the copies' pictures.
        columns: Of the grid of copies; 0 without copies.
        is_beside: Whether the copies are to the right of the scan, not below.
    """

    arrangement: int
    scan_scale: float
    copy_scale: float = 0.0
    columns: int = 0
    is_beside: bool = False

    @property
    def merit(self) -> float:
        """The product of both scales, or that of the scan without copies."""
        return self.scan_scale * (self.copy_scale or 1.0)


def fit_sheet(
    scans: Sequence[Block],
    copy: Block,
    texts: Sequence[float],
    size: tuple[float, float],
) -> Layout:
    """Choose the layout of a sheet: the largest product of both scales.

    Args:
        scans: Arrangements of the scan's pictures.
        copy: The pictures of one copy.
        texts: Width in pixels of the text above each copy, if it were one line.
        size: Width and height of the sheet in pixels, without title and legend.
    """
    layouts = []
    for number, scan in enumerate(scans):
        if not texts:
            layouts.append(Layout(number, scan.fit(*size)))
        for is_beside, share in product((False, True), SHARES if texts else ()):
            across, down = (share, 1.0) if is_beside else (1.0, share)
            scale = scan.fit(across * size[0], down * size[1])
            used = scale * scan.width_mm + scan.width + GAP
            tall = scale * scan.height_mm + scan.height + GAP
            rest = (size[0] - used, size[1]) if is_beside else (size[0], size[1] - tall)
            for columns, copy_scale in _fit_copies(copy, texts, rest):
                smaller = min(copy_scale, MAX_COPY_SHARE * scale)
                layouts.append(Layout(number, scale, smaller, columns, is_beside))
    return max(layouts, key=lambda layout: layout.merit)


def _fit_copies(
    copy: Block, texts: Sequence[float], place: tuple[float, float]
) -> Iterator[tuple[int, float]]:
    """Return numbers of columns of a grid of copies, with the scale of each."""
    for columns in range(1, len(texts) + 1):
        rows = -(-len(texts) // columns)
        width, height = place[0] / columns - GAP, place[1] / rows - GAP
        if width >= MIN_CELL or columns == 1:
            lines = count_lines(max(texts), width)
            scale = copy.fit(width, height - lines * TEXT_LINE)
            yield columns, max(scale, MIN_SCALE)


def count_lines(text: float, width: float) -> int:
    """Return how many lines a text of some pixels takes, wrapped at some width."""
    return math.ceil(text / max(WRAPPED_SHARE * width, 1.0))
