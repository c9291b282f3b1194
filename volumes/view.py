"""A picture of a plane of voxels, painted layer by layer.

The plane is in display orientation, see `volumes.planes`. Pixels are square, whatever
the voxels are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from volumes.name_places import TEXT_SIZE, find_largest_part, find_room
from volumes.palette import NOT_FINITE_COLOR
from volumes.panels import TEXT_COLOR, Color, font

# Left, right, top and bottom of a sagittal, a coronal and an axial picture.
EDGES = ("APSI", "RLSI", "RLAP")
IGNORED_COLOR: Color = (255, 255, 200)
HATCH_STEP = 7  # pixels
CASING: Color = (0, 0, 0)  # around lines and text
LINE_COLOR: Color = (120, 220, 230)  # where the other planes cut
DASH = 6  # pixels
PIXELS_PER_OUTLINE = 450  # a picture twice as high has outlines of two pixels
BAR_LENGTHS = (1, 2, 5, 10, 20, 50, 100, 200)  # mm
MAX_NAMES = 26  # that are written on a picture
MAX_BAR_SHARE = 0.4  # of the picture's width
LETTER_ROOM = 18  # pixels, of the letter beside the scale bar

ColorOf = Callable[[int], Color]


class View:
    """A picture of one plane.

    Args:
        plane: Intensities, shape (rows, columns). Values that are not finite are
            magenta.
        spacing: Distance in mm between its rows and between its columns.
        window: Intensities drawn black and white; if empty, all is mid-grey.
        mm_per_pixel: Side of a pixel in mm.
    """

    def __init__(
        self,
        plane: npt.NDArray,
        spacing: tuple[float, float],
        *,
        window: tuple[float, float],
        mm_per_pixel: float,
    ):
        self._mm_per_pixel = mm_per_pixel
        self._rows, self._columns = (
            _source_pixels(side, mm, mm_per_pixel)
            for side, mm in zip(plane.shape, spacing, strict=True)
        )
        self._scale = np.array(self.shape) / plane.shape  # pixels per voxel
        values = plane.astype(np.float32)
        grey = Image.fromarray(_shade(values, window))
        height, width = self.shape
        grey = grey.resize((width, height), Image.Resampling.BICUBIC)
        self.pixels = np.repeat(np.asarray(grey)[:, :, np.newaxis], 3, axis=2)
        is_finite = np.isfinite(values)
        if not is_finite.all():
            self.pixels[~self._enlarge_mask(is_finite)] = NOT_FINITE_COLOR

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return len(self._rows), len(self._columns)

    def hatch(self, mask: npt.NDArray[np.bool_]) -> None:
        """Hatch a mask of the plane's shape."""
        row, column = np.ogrid[: self.shape[0], : self.shape[1]]
        is_line = (row + column) % HATCH_STEP == 0
        self.pixels[self._enlarge_mask(mask) & is_line] = IGNORED_COLOR

    def tint(self, shares: npt.NDArray[np.float64], color: Color) -> None:
        """Mix a colour into each pixel, by shares of the plane's shape, 0 to 1."""
        share = shares[np.ix_(self._rows, self._columns)]
        inside = share > 0
        share = share[inside, np.newaxis]
        mixed = self.pixels[inside] * (1 - share) + np.array(color) * share
        self.pixels[inside] = np.round(mixed).astype(np.uint8)

    def fill(self, labels: npt.NDArray, color_of: ColorOf, share: float) -> None:
        """Mix the colour of each label into its pixels.

        Args:
            labels: Of the plane's shape, 0 is background.
            color_of: Returns the colour of a label.
            share: Of the colour, 0 to 1.
        """
        enlarged = self._enlarge(labels)
        for label in np.unique(enlarged[enlarged > 0]):
            inside = enlarged == label
            color = share * np.array(color_of(int(label)))
            self.pixels[inside] = np.round((1 - share) * self.pixels[inside] + color)

    def outline(self, labels: npt.NDArray, color_of: ColorOf) -> None:
        """Draw a line just inside the border of each label.

        Args:
            labels: Of the plane's shape, 0 is background.
            color_of: Returns the colour of a label.
        """
        enlarged = self._enlarge(labels)
        for _ in range(max(1, round(self.shape[0] / PIXELS_PER_OUTLINE))):
            lines = find_outline(enlarged)
            for label in np.unique(enlarged[lines]):
                self.pixels[lines & (enlarged == label)] = color_of(int(label))
            enlarged = np.where(lines, 0, enlarged)

    def draw_lines(self, lines: Sequence[npt.NDArray[np.float64]]) -> None:
        """Draw dashed lines.

        Args:
            lines: Voxel row and column of their points, shape (N, 2).
        """
        for line in lines:
            points = (line + 0.5) * self._scale - 0.5
            lengths = np.linalg.norm(np.diff(points, axis=0), axis=1)
            along = np.concatenate([[0.0], np.cumsum(lengths)])
            steps = np.arange(along[-1])
            steps = steps[steps % (2 * DASH) < DASH]
            row, column = (
                np.floor(np.interp(steps, along, points[:, axis]) + 0.5).astype(np.intp)
                for axis in (0, 1)
            )
            height, width = self.shape
            inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
            self.pixels[row[inside], column[inside]] = LINE_COLOR

    def write_names(
        self, labels: npt.NDArray, names: Mapping[int, str], color_of: ColorOf
    ) -> None:
        """Write the names of the largest labels on them, or beside the small ones.

        A name that has no room is left out.

        Args:
            labels: Of the plane's shape, 0 is background.
            names: By label; others have none.
            color_of: Returns the colour of a label.
        """
        enlarged = self._enlarge(labels)
        picture = Image.fromarray(self.pixels)
        pen, taken = ImageDraw.Draw(picture), []
        present, sizes = np.unique(enlarged[enlarged > 0], return_counts=True)
        present = present[np.argsort(-sizes, kind="stable")].tolist()
        for label in [label for label in present if label in names][:MAX_NAMES]:
            rows, columns = find_largest_part(enlarged == label)
            text, color = names[label], color_of(label)
            box = find_room(text, rows, columns, picture.size, taken)
            if box is not None:
                taken.append(box)
                _write(pen, (box[0] + 2, box[1] + 1), text, color)
        self.pixels = np.asarray(picture).copy()

    def finish(self, axis: int, *, bar: bool = True) -> Image.Image:
        """Return the picture with lettered sides and a scale bar.

        Args:
            axis: 0 sagittal, 1 coronal, 2 axial.
            bar: Whether to draw the scale bar.
        """
        picture = Image.fromarray(self.pixels)
        letter_sides(picture, axis, self._mm_per_pixel if bar else None)
        return picture

    def _enlarge_mask(self, mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        return mask[np.ix_(self._rows, self._columns)]

    def _enlarge(self, labels: npt.NDArray) -> npt.NDArray:
        """Return the label of each pixel, with smooth borders; none is lost."""
        enlarged = np.zeros(self.shape, labels.dtype)
        nearest = np.zeros(self.shape, np.uint8)
        for label in np.unique(labels[labels > 0]):
            mask = labels == label
            window, source = self._window_around(mask)
            share = Image.fromarray(mask.astype(np.uint8) * np.uint8(255)).resize(
                (window[1].stop - window[1].start, window[0].stop - window[0].start),
                Image.Resampling.BILINEAR,
                box=source,
            )
            shares = np.asarray(share)
            inside = (shares >= 128) & (shares > nearest[window])
            if not inside.any():
                inside = mask[np.ix_(self._rows[window[0]], self._columns[window[1]])]
            enlarged[window][inside] = label
            nearest[window][inside] = shares[inside]
        return enlarged

    def _window_around(
        self, mask: npt.NDArray[np.bool_]
    ) -> tuple[tuple[slice, slice], tuple[float, float, float, float]]:
        """Return the pixels around a mask, and their box in voxels for Pillow."""
        window, edges = [], []
        for axis, pixels in enumerate(self.shape):
            filled = np.flatnonzero(mask.any(axis=1 - axis))
            scale = self._scale[axis]
            first = max(0, int(np.floor((filled[0] - 1) * scale)))
            last = min(pixels, int(np.ceil((filled[-1] + 2) * scale)))
            window.append(slice(first, last))
            edges.append((first / scale, min(last / scale, mask.shape[axis])))
        (top, bottom), (left, right) = edges
        return (window[0], window[1]), (left, top, right, bottom)


def letter_sides(picture: Image.Image, axis: int, mm_per_pixel: float | None) -> None:
    """Letter the sides of a picture, and draw a scale bar.

    Args:
        picture: Drawn on.
        axis: 0 sagittal, 1 coronal, 2 axial.
        mm_per_pixel: Side of a pixel in mm; None for no scale bar.
    """
    pen, (width, height) = ImageDraw.Draw(picture), picture.size
    end = _draw_bar(pen, picture.size, mm_per_pixel) if mm_per_pixel else 0
    places = (
        ((3, height / 2), "lm"),
        ((width - 3, height / 2), "rm"),
        ((width / 2, 3), "mt"),
        ((max(width / 2, end + LETTER_ROOM / 2), height - 3), "mb"),
    )
    for letter, (place, anchor) in zip(EDGES[axis], places, strict=True):
        _write(pen, place, letter, TEXT_COLOR, anchor=anchor)


def _draw_bar(
    pen: ImageDraw.ImageDraw, size: tuple[int, int], mm_per_pixel: float
) -> float:
    """Draw a scale bar at the lower left: a white line and its length.

    Returns:
        The pixels from the left that it takes; 0 if there is no room for it and a
        letter beside it, or it would be shorter than a pixel.
    """
    width, height = size
    longest = MAX_BAR_SHARE * width * mm_per_pixel
    fitting = [length for length in BAR_LENGTHS if length <= longest]
    if not fitting:
        return 0
    text, pixels = f"{fitting[-1]} mm", round(fitting[-1] / mm_per_pixel)
    end = 8 + max(pixels, font(TEXT_SIZE).getlength(text))
    if not pixels or end + LETTER_ROOM > width:
        return 0
    pen.rectangle((5, height - 8, 6 + pixels, height - 4), CASING)
    pen.rectangle((6, height - 7, 5 + pixels, height - 5), (255, 255, 255))
    _write(pen, (6, height - 10), text, TEXT_COLOR, anchor="lb")
    return end


def find_outline(labels: npt.NDArray) -> npt.NDArray[np.bool_]:
    """Find the foreground pixels that touch another label, or the border.

    Args:
        labels: Labels of one picture, shape (rows, columns), 0 is background.

    Returns:
        Mask of shape (rows, columns); edges count as touching, corners do not.
    """
    padded = np.pad(labels, 1)
    shifted = (padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:])
    differs = np.any([neighbor != labels for neighbor in shifted], axis=0)
    return differs & (labels > 0)


def _write(
    pen: ImageDraw.ImageDraw,
    place: tuple[float, float],
    text: str,
    color: Color,
    *,
    anchor: str = "la",
) -> None:
    """Write a text with a dark edge."""
    edge = {"stroke_width": 2, "stroke_fill": CASING}
    pen.text(place, text, color, font(TEXT_SIZE), anchor=anchor, **edge)


def _source_pixels(
    side: int, spacing: float, mm_per_pixel: float
) -> npt.NDArray[np.int64]:
    """Return the voxel under the centre of each pixel along a picture's side."""
    pixels = max(1, round(side * spacing / mm_per_pixel))
    return ((np.arange(pixels) + 0.5) * side / pixels).astype(np.int64)


def _shade(
    plane: npt.NDArray[np.float32], window: tuple[float, float]
) -> npt.NDArray[np.uint8]:
    """Turn intensities into grey values of 0 to 255."""
    low, high = window
    if not high > low:
        return np.full(plane.shape, 128, dtype=np.uint8)
    shares = np.clip((np.nan_to_num(plane, nan=low) - low) / (high - low), 0, 1)
    return np.round(255 * shares).astype(np.uint8)
