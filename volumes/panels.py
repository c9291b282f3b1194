"""Sheets of pictures: stacks and grids with titles and legends, in plain Pillow."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

Color = tuple[int, int, int]
Piece = tuple[str, Color]  # a few words and their colour

GAP = 10  # pixels between pictures
BACKGROUND = (16, 16, 18)
TEXT = (228, 228, 228)
FAINT = (150, 150, 156)
SPLITS = {"train": FAINT, "validation": (120, 190, 255), "test": (255, 190, 100)}
UNITS = {
    **{"rotation": "deg", "shift": "mm", "blur": "mm"},
    **{"displacement": "mm", "control_spacing": "mm"},
}


def draw_sheet(
    rows: Iterable[tuple[str, Image.Image]],
    *,
    title: str,
    legend: Iterable[Piece] = (),
) -> Image.Image:
    """Stack pictures under one title, each below its own line of text.

    Args:
        rows: Text and picture of each row, from top to bottom; the text may be
            empty, and breaks after commas where the sheet is full.
        title: First line of the sheet.
        legend: Name and colour of each outline, written below the title.
    """
    rows = list(rows)
    width = round(max([480, font(18).getlength(title), *(p.width for _, p in rows)]))
    blocks = [draw_text([(title, TEXT)], width, 18)]
    blocks.append(draw_text(legend, width, 13, between="     "))
    for text, picture in rows:
        parts = [(part, TEXT) for part in re.split(r"(?<=,) ", text) if part]
        blocks += [draw_text(parts, width, 14), picture]
    return stack([block for block in blocks if block is not None])


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
        return stack([draw_text([("no cases", FAINT)], width, 14)])
    cell_width = max(110, *(picture.width for *_, picture in cells))
    columns = max(1, (width - GAP) // (cell_width + GAP))
    lines = []
    for first in range(0, len(cells), columns):
        blocks = [_draw_cell(*cell, cell_width) for cell in cells[first:][:columns]]
        lines.append(beside(blocks, align=0.0))
    return stack(lines)


def _draw_cell(
    case_id: str, split: str, picture: Image.Image, width: int
) -> Image.Image:
    """Put case and split above a picture, `width` pixels wide."""
    cell = Image.new("RGB", (width, picture.height + 42), BACKGROUND)
    draw = ImageDraw.Draw(cell)
    draw.text((0, 2), shorten(case_id, width, 14), TEXT, font(14))
    draw.text((0, 20), split, SPLITS.get(split, TEXT), font(12))
    cell.paste(picture, (0, 40))
    return cell


def stack(pictures: Sequence[Image.Image]) -> Image.Image:
    """Put pictures below one another, left-aligned, with a gap all around."""
    width = max(picture.width for picture in pictures) + 2 * GAP
    height = sum(picture.height + GAP for picture in pictures) + GAP
    sheet = Image.new("RGB", (width, height), BACKGROUND)
    top = GAP
    for picture in pictures:
        sheet.paste(picture, (GAP, top))
        top += picture.height + GAP
    return sheet


def beside(pictures: Sequence[Image.Image], *, align: float = 0.5) -> Image.Image:
    """Put pictures next to one another, with gaps between them.

    Args:
        pictures: From left to right.
        align: Where the lower ones stand: 0 at the top, 1 at the bottom.
    """
    height = max(picture.height for picture in pictures)
    width = sum(picture.width + GAP for picture in pictures) - GAP
    row = Image.new("RGB", (width, height), BACKGROUND)
    left = 0
    for picture in pictures:
        row.paste(picture, (left, round(align * (height - picture.height))))
        left += picture.width + GAP
    return row


def draw_text(
    pieces: Iterable[Piece], width: int, size: int, *, between: str = " "
) -> Image.Image | None:
    """Write coloured pieces of text, a new line where `width` pixels are full.

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
    block = Image.new("RGB", extent, BACKGROUND)
    draw = ImageDraw.Draw(block)
    for left, line, text, color, _ in placed:
        draw.text((left, line * step), text, color, font(size))
    return block


@cache
def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Give Pillow's own font, so that a sheet looks alike on every machine."""
    return ImageFont.load_default(size=size)


def shorten(text: str, width: int, size: int) -> str:
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


def file_names(case_ids: Iterable[str], reserved: Iterable[str] = ()) -> dict[str, str]:
    """Give every case a file name that any file system takes, without suffix.

    Args:
        case_ids: In the order in which names are handed out.
        reserved: Names that are taken already.

    Returns:
        Name of each case id: letters, digits, dots, dashes and underlines, not
        starting with a dot, no two alike even where case does not count.
    """
    names, taken = {}, {name.lower() for name in reserved}
    for case_id in dict.fromkeys(case_ids):
        stem = re.sub(r"[^\w.-]", "_", case_id)[:100]
        stem = re.sub(r"^\.+|\.+$|^$", "_", stem)
        name, number = stem, 1
        while name.lower() in taken:
            number += 1
            name = f"{stem}_{number}"
        taken.add(name.lower())
        names[case_id] = name
    return names
