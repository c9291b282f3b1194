"""Stacking pictures with titles, legends and lines of coloured text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache

from PIL import Image, ImageDraw, ImageFont

Color = tuple[int, int, int]
Piece = tuple[str, Color]  # a text and its colour

GAP = 10  # pixels between pictures
BACKGROUND_COLOR = (16, 16, 18)
TEXT_COLOR = (228, 228, 228)
FAINT_COLOR = (150, 150, 156)


def draw_sheet(
    rows: Iterable[tuple[str, Image.Image]],
    *,
    title: str,
    legend: Iterable[Piece] = (),
) -> Image.Image:
    """Draw pictures in a column under a title, each below its own line of text.

    Args:
        rows: Text and picture of each row, from top to bottom; the text may be
            empty and wraps after commas.
        title: First line of the sheet.
        legend: Name and colour of each outline, drawn below the title.
    """
    rows = list(rows)
    width = round(max([480, font(18).getlength(title), *(p.width for _, p in rows)]))
    blocks = [draw_text([(title, TEXT_COLOR)], width, 18)]
    blocks.append(draw_text(legend, width, 13, between="     "))
    for text, picture in rows:
        parts = [(part, TEXT_COLOR) for part in re.split(r"(?<=,) ", text) if part]
        blocks += [draw_text(parts, width, 14), picture]
    return stack_vertically([block for block in blocks if block is not None])


def stack_vertically(pictures: Sequence[Image.Image]) -> Image.Image:
    """Return pictures in a column, left-aligned, with a gap all around."""
    width = max(picture.width for picture in pictures) + 2 * GAP
    height = sum(picture.height + GAP for picture in pictures) + GAP
    sheet = Image.new("RGB", (width, height), BACKGROUND_COLOR)
    top = GAP
    for picture in pictures:
        sheet.paste(picture, (GAP, top))
        top += picture.height + GAP
    return sheet


def stack_tightly(pictures: Sequence[Image.Image], gap: int = 0) -> Image.Image:
    """Return pictures in a column, left-aligned, with a gap between them only."""
    width = max(picture.width for picture in pictures)
    height = sum(picture.height + gap for picture in pictures) - gap
    column = Image.new("RGB", (width, height), BACKGROUND_COLOR)
    top = 0
    for picture in pictures:
        column.paste(picture, (0, top))
        top += picture.height + gap
    return column


def stack_in_grid(rows: Sequence[Sequence[Image.Image]]) -> Image.Image:
    """Return pictures in rows whose columns are aligned, with gaps between them."""
    widths = [max(p.width for p in column) for column in zip(*rows, strict=True)]
    heights = [max(picture.height for picture in row) for row in rows]
    extent = sum(widths) + GAP * len(widths) - GAP, sum(heights) + GAP * len(rows) - GAP
    grid = Image.new("RGB", extent, BACKGROUND_COLOR)
    top = 0
    for row, height in zip(rows, heights, strict=True):
        left = 0
        for picture, width in zip(row, widths, strict=True):
            grid.paste(picture, (left, top))
            left += width + GAP
        top += height + GAP
    return grid


def stack_horizontally(
    pictures: Sequence[Image.Image], *, align: float = 0.5
) -> Image.Image:
    """Return pictures in a row, with gaps between them.

    Args:
        pictures: From left to right.
        align: Vertical position of lower pictures: 0 at the top, 1 at the bottom.
    """
    height = max(picture.height for picture in pictures)
    width = sum(picture.width + GAP for picture in pictures) - GAP
    row = Image.new("RGB", (width, height), BACKGROUND_COLOR)
    left = 0
    for picture in pictures:
        row.paste(picture, (left, round(align * (height - picture.height))))
        left += picture.width + GAP
    return row


def draw_text(
    pieces: Iterable[Piece], width: int, size: int, *, between: str = " "
) -> Image.Image | None:
    """Draw coloured pieces of text, wrapped at `width` pixels.

    Returns:
        A picture as wide as its longest line; None if there are no pieces.
    """
    gap = font(size).getlength(between)
    placed, left, line = [], 0.0, 0
    for text, color in pieces:
        length = font(size).getlength(text)
        if placed and left + length > width:
            left, line = 0.0, line + 1
        placed.append((left, line, text, color, left + length))
        left += length + gap
    if not placed:
        return None
    step = round(1.4 * size)
    extent = (round(max(end for *_, end in placed)) + 1, (line + 1) * step)
    block = Image.new("RGB", extent, BACKGROUND_COLOR)
    draw = ImageDraw.Draw(block)
    for left, line, text, color, _ in placed:
        draw.text((left, line * step), text, color, font(size))
    return block


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


@cache
def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Return Pillow's own font, which looks the same on every machine."""
    return ImageFont.load_default(size=size)
