"""One picture of the cases of a cube, or of some of many, in a grid."""

from __future__ import annotations

from collections.abc import Iterable

from PIL import Image, ImageDraw

from volumes.panels import (
    BACKGROUND_COLOR,
    FAINT_COLOR,
    GAP,
    TEXT_COLOR,
    draw_text,
    font,
    shorten_to_width,
    stack_horizontally,
    stack_vertically,
)

MIN_CELL_WIDTH = 110  # pixels
SPLIT_COLORS = {
    "train": FAINT_COLOR,
    "validation": (120, 190, 255),
    "test": (255, 190, 100),
}


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
