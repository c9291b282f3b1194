"""Places for names on a picture, on what they name or beside it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from volumes.panels import font

TEXT_SIZE = 12


def find_largest_part(
    mask: npt.NDArray[np.bool_],
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Return rows and columns of the largest part of a mask that is connected.

    Args:
        mask: Shape (rows, columns), with one pixel or more.

    Returns:
        Row and column of each pixel of the part, shape (N,) each.
    """
    parts = np.zeros(mask.shape, np.int32)
    ndimage.label(mask, output=parts)
    sizes = np.bincount(parts.ravel())
    rows, columns = np.nonzero(parts == sizes[1:].argmax() + 1)
    return rows, columns


def find_room(
    text: str,
    rows: npt.NDArray[np.intp],
    columns: npt.NDArray[np.intp],
    size: tuple[int, int],
    taken: Sequence[tuple[float, float, float, float]],
) -> tuple[float, float, float, float] | None:
    """Return where a text fits that names some pixels: left, top, right, bottom.

    On them if they are as wide as the text, else to their left, which is in front of a
    spine seen from the side, to their right, above or below; None if all of these
    places are taken or off the picture.

    Args:
        text: The name.
        rows: Row of each pixel, shape (N,), not empty.
        columns: Column of each pixel, shape (N,).
        size: Width and height of the picture in pixels.
        taken: Places of other names, each left, top, right, bottom in pixels.
    """
    width, height = font(TEXT_SIZE).getlength(text) + 4, TEXT_SIZE + 4
    x, y = columns.mean() - width / 2, rows.mean() - height / 2
    right, left = columns.max() + 3, columns.min() - width - 3
    places = [(left, y), (right, y), (x, rows.min() - height), (x, rows.max() + 1)]
    if np.ptp(columns) > width and np.ptp(rows) > 2 * height:
        places.insert(0, (x, y))
    for x, y in places:
        box = (x, y, x + width, y + height)
        is_inside = min(x, y) >= 0 and box[2] <= size[0] and box[3] <= size[1]
        if is_inside and not any(_overlap(box, other) for other in taken):
            return box
    return None


def _overlap(first: Sequence[float], second: Sequence[float]) -> bool:
    return all(
        first[axis] < second[axis + 2] and second[axis] < first[axis + 2]
        for axis in (0, 1)
    )
