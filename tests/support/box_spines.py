"""Spines of boxes, whose vertebrae are known by hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from volumes.geometry import Grid, affine_from

# mm to the right, anterior and superior; gaps are discs.
WIDTH, DEPTH, HEIGHT, GAP = 40, 32, 24, 8
STEP = HEIGHT + GAP
MARGIN = 12


def box_spine(
    heights: Sequence[int] = (HEIGHT,) * 5, spacing: Sequence[float] = (2, 2, 2)
) -> tuple[np.ndarray, Grid]:
    """Return a label map of boxes, 1 the lowest, and its grid, whose axes are RAS.

    Args:
        heights: Of the boxes from below, in mm; 0 leaves a place empty.
        spacing: In mm; divides all lengths.
    """
    places = [
        round(mm / side) for mm, side in zip((WIDTH, DEPTH), spacing, strict=False)
    ]
    margins = [round(MARGIN / side) for side in spacing]
    starts, top = [], MARGIN
    for height in heights:
        starts.append(top)
        top += (height or HEIGHT) + GAP
    shape = (
        places[0] + 2 * margins[0],
        places[1] + 2 * margins[1],
        round((top - GAP + MARGIN) / spacing[2]),
    )
    label_map = np.zeros(shape, np.uint8)
    for number, (start, height) in enumerate(
        zip(starts, heights, strict=True), start=1
    ):
        rows = slice(round(start / spacing[2]), round((start + height) / spacing[2]))
        label_map[
            margins[0] : margins[0] + places[0],
            margins[1] : margins[1] + places[1],
            rows,
        ] = number
    return label_map, Grid(shape, affine_from(spacing))


def fill_disc(label_map: np.ndarray, below: int, value: int) -> None:
    """Give the whole disc above a box, on a grid of 2 mm, a value, in place."""
    box = label_map == below
    rows = np.flatnonzero(box.any(axis=(0, 1)))
    section = box[:, :, rows[0]]
    for row in range(rows[-1] + 1, rows[-1] + 1 + GAP // 2):
        label_map[:, :, row][section] = value
