"""The three planes of a scan as pictures, with the label map and reference lines."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw
from scipy import ndimage

from volumes.classes import count_labels
from volumes.palette import outline_color
from volumes.panels import BACKGROUND_COLOR, FAINT_COLOR, font
from volumes.planes import AXIAL, CORONAL, SAGITTAL, Box, Planes, count_along
from volumes.view import ColorOf, View

# The axes that run down and across each picture.
DOWN = (2, 2, 1)
ACROSS = (1, 0, 0)
CAPTION_HEIGHT = 18  # pixels
THICK_MM = 30.0  # of a structure whose projection has its full colour
LEAST_SHARE = 0.5  # of the colour, where a projection is one voxel thick


@dataclass(frozen=True, eq=False)
class Sections:
    """What is drawn of a scan.

    Args:
        image: Intensities, shape (I, J, K), axes to right, anterior, superior.
        labels: Of the same shape, 0 is background.
        planes: In the indices of these arrays.
        spacing: Voxel spacing in mm along I, J, K.
        window: Intensities drawn black and white.
        ignored: Mask of the same shape, drawn hatched; None for none.
    """

    image: npt.NDArray
    labels: npt.NDArray
    planes: Planes
    spacing: tuple[float, float, float]
    window: tuple[float, float]
    ignored: npt.NDArray[np.bool_] | None = None

    def crop(self, box: Box) -> Sections:
        """Return what is drawn of a box; the planes keep their place in the body."""
        sagittal, coronal, axial = (plane.within(box) for plane in self.planes)
        return replace(
            self,
            image=self.image[box],
            labels=self.labels[box],
            planes=(sagittal, coronal, axial),
            ignored=None if self.ignored is None else self.ignored[box],
        )

    def view(self, axis: int, mm_per_pixel: float) -> View:
        """Return the picture of a plane, without labels."""
        plane = self.planes[axis]
        return View(
            plane.take(self.image, smooth=True),
            (self.spacing[DOWN[axis]], self.spacing[ACROSS[axis]]),
            window=self.window,
            mm_per_pixel=mm_per_pixel,
        )

    def draw_plain(self, axis: int, mm_per_pixel: float) -> Image.Image:
        """Draw a plane with lines where the other planes cut it."""
        view = self.view(axis, mm_per_pixel)
        view.draw_lines(self.find_cuts(axis))
        return view.finish(axis)

    def draw_labelled(
        self,
        axis: int,
        mm_per_pixel: float,
        *,
        names: Mapping[int, str] | None = None,
        bar: bool = True,
    ) -> Image.Image:
        """Draw a plane with the outlines of its labels, and their names if given."""
        view, plane = self.view(axis, mm_per_pixel), self.planes[axis]
        labels = plane.take(self.labels)
        if self.ignored is not None:
            view.hatch(plane.take(self.ignored))
        view.outline(labels, outline_color)
        if names:
            view.write_names(labels, names, outline_color)
        return view.finish(axis, bar=bar)

    def draw_projection(
        self, axis: int, mm_per_pixel: float, color_of: ColorOf = outline_color
    ) -> Image.Image:
        """Draw all labels as seen from the side or from the front.

        A label shows wherever it lies, if no larger one lies on the same line: each
        pixel has the colours of the labels on its line, the rarer above the others.
        """
        shape = [self.image.shape[side] for side in (DOWN[axis], ACROSS[axis])]
        view = View(
            np.zeros(shape),
            (self.spacing[DOWN[axis]], self.spacing[ACROSS[axis]]),
            window=(0.0, 1.0),
            mm_per_pixel=mm_per_pixel,
        )
        counts = count_labels(self.labels)
        boxes = ndimage.find_objects(self.labels)
        for label in np.argsort(-counts, kind="stable").tolist():
            if label and counts[label]:
                box, shares = boxes[label - 1], np.zeros(shape)
                rows, columns = (
                    slice(side - box[across].stop, side - box[across].start)
                    for side, across in zip(
                        shape, (DOWN[axis], ACROSS[axis]), strict=True
                    )
                )
                mask = self.labels[box] == label
                shares[rows, columns] = self.opacity(mask, axis)
                view.tint(shares, color_of(label))
        return view.finish(axis)

    def opacity(self, mask: npt.NDArray[np.bool_], axis: int) -> npt.NDArray:
        """Return how opaque the projection of a mask is, 0 to 1, by its thickness."""
        counts = count_along(mask, axis)
        share = LEAST_SHARE + (1 - LEAST_SHARE) * counts * self.spacing[axis] / THICK_MM
        return np.where(counts > 0, np.minimum(share, 1), 0.0)

    def find_cuts(self, axis: int) -> list[npt.NDArray[np.float64]]:
        """Return where the other planes cut the picture of one.

        Returns:
            Row and column in voxels of the points of two lines, shape (N, 2) each.
        """
        down, across = DOWN[axis], ACROSS[axis]
        last_row, last_column = self.image.shape[down] - 1, self.image.shape[across] - 1
        other = self.planes[across]
        if axis == AXIAL:
            height = round(self.planes[AXIAL].places[0])
            rows = np.array([0, last_row])
            column = last_column - self.planes[SAGITTAL].at_height(height)
            columns = np.full(2, column)
            row = last_row - self.planes[CORONAL].at_height(height)
        else:
            heights = np.arange(last_row + 1)
            rows = last_row - heights
            places = np.broadcast_to(other.places, heights.shape)
            columns = last_column - places
            row = last_row - self.planes[AXIAL].places[0]
        level = np.array([[row, 0.0], [row, last_column]])
        return [np.stack([rows, columns], axis=1).astype(np.float64), level]


def add_caption(picture: Image.Image, text: str) -> Image.Image:
    """Return a picture with a line of text below it."""
    width = max(picture.width, math.ceil(font(12).getlength(text)))
    height = picture.height
    captioned = Image.new("RGB", (width, height + CAPTION_HEIGHT), BACKGROUND_COLOR)
    captioned.paste(picture, (0, 0))
    ImageDraw.Draw(captioned).text((0, height + 2), text, FAINT_COLOR, font(12))
    return captioned
