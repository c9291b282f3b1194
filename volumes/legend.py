"""Legends: a swatch of colour and a name for each class, in columns."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw

from volumes.panels import (
    BACKGROUND_COLOR,
    TEXT_COLOR,
    Piece,
    font,
    shorten_to_width,
)
from volumes.view import IGNORED_COLOR

SIZE = 13  # of the text
SWATCH = 12  # pixels
LINE = 18  # pixels from one line to the next
MAX_NAME = 220  # pixels, before a name is shortened in a legend of many
FEW = 12  # names that are shortened only if they are wider than the picture


def draw_legend(entries: Sequence[Piece], width: int) -> Image.Image | None:
    """Draw swatches with names, down the columns.

    Args:
        entries: Name and colour of each class.
        width: Of the picture in pixels, at most.

    Returns:
        The picture; None without entries.
    """
    if not entries:
        return None
    longest = width - SWATCH - 24 if len(entries) <= FEW else MAX_NAME
    names = [shorten_to_width(name, longest, SIZE) for name, _ in entries]
    widest = max(font(SIZE).getlength(name) for name in names)
    cell = round(widest) + SWATCH + 24
    columns = max(1, min(len(entries), width // cell))
    rows = -(-len(entries) // columns)
    columns = -(-len(entries) // rows)
    picture = Image.new("RGB", (columns * cell, rows * LINE), BACKGROUND_COLOR)
    pen = ImageDraw.Draw(picture)
    for number, (name, (_, color)) in enumerate(zip(names, entries, strict=True)):
        left, top = number // rows * cell, number % rows * LINE
        box = (left, top + 2, left + SWATCH, top + 2 + SWATCH)
        if color == IGNORED_COLOR:
            pen.rectangle(box, None, color)
            pen.line((left, top + 2 + SWATCH, left + SWATCH, top + 2), color)
        else:
            pen.rectangle(box, color)
        place = (left + SWATCH + 6, top)
        pen.text(place, name, TEXT_COLOR, font(SIZE))
    return picture
