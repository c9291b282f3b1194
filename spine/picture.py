"""Drawing the vertebrae of a scan along the curve of its spine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from spine.body import HEIGHT_SHARES, Body
from spine.curve import Curve, fit_curve
from spine.end_plates import Plate
from spine.measures import Vertebra
from spine.reformat import CORONAL, SAGITTAL, Surface, along_curve
from volumes.geometry import Grid
from volumes.palette import outline_color
from volumes.panels import (
    BACKGROUND_COLOR,
    TEXT_COLOR,
    Color,
    draw_sheet,
    font,
    stack_horizontally,
)
from volumes.sections import add_caption
from volumes.view import find_outline, letter_sides
from volumes.volume import Volume
from volumes.window import find_window

MAX_SIDE = 900  # pixels
FINEST_MM = 0.4  # per pixel
FILL = 0.25  # share of a label's colour inside it, over the scan
ALONE_FILL = 0.45  # without a scan
PLATE_COLOR: Color = (130, 235, 130)
HEIGHT_COLOR: Color = (110, 200, 255)
EDGES_OF = {SAGITTAL: 0, CORONAL: 1}  # whose letters a picture has
LEAST_STEP_MM = 1.0  # between the bodies that the curve passes


def draw_vertebrae(
    label_map: npt.NDArray[np.integer],
    grid: Grid,
    vertebrae: Sequence[Vertebra],
    names: Mapping[int, str],
    curve: Curve,
    *,
    title: str,
    image: Volume | None = None,
) -> Image.Image:
    """Draw the sagittal and the coronal surface along the spine.

    Their sides are lettered as those of planes, since they bend at right angles to
    the picture only.

    Args:
        label_map: Shape of `grid`.
        grid: Of the label map.
        vertebrae: Their measures, from below.
        names: Of the values of the label map.
        curve: Of the spine; bodies that were measured correct it.
        title: Of the picture.
        image: The scan, on any grid; None to draw the label map alone.
    """
    curve = _through_bodies(vertebrae) or curve
    corners = _find_corners(label_map, grid)
    extent = np.ptp(corners, axis=0).max()
    mm_per_pixel = max(FINEST_MM, float(extent) / MAX_SIDE)
    panels = []
    for plane in (SAGITTAL, CORONAL):
        surface = along_curve(curve, corners, plane, mm_per_pixel)
        picture = _paint(surface, label_map, grid, image)
        pen = ImageDraw.Draw(picture)
        for vertebra in vertebrae:
            _draw_vertebra(pen, surface, vertebra, names[vertebra.value])
        letter_sides(picture, EDGES_OF[plane], mm_per_pixel)
        panels.append(add_caption(picture, surface.describe()))
    legend = [("end plates", PLATE_COLOR), ("heights (mm)", HEIGHT_COLOR)]
    row = stack_horizontally(panels, align=0.0)
    return draw_sheet([("", row)], title=title, legend=legend)


def _through_bodies(vertebrae: Sequence[Vertebra]) -> Curve | None:
    """Fit the curve through the middles of bodies if all but a few have one."""
    middles = [v.body.frame.origin for v in vertebrae if v.body]
    apart = [
        point
        for place, point in enumerate(middles)
        if place == 0 or np.linalg.norm(point - middles[place - 1]) >= LEAST_STEP_MM
    ]
    if len(apart) < max(2, len(vertebrae) - 2):
        return None
    return fit_curve(np.array(apart), 60.0)


def _find_corners(
    label_map: npt.NDArray[np.integer], grid: Grid
) -> npt.NDArray[np.float64]:
    """Return the world mm of the corners of the box around all labels."""
    sides = []
    for axis in range(3):
        others = tuple({0, 1, 2} - {axis})
        present = np.flatnonzero(label_map.any(axis=others))
        sides.append((present[0], present[-1]))
    box = np.stack(np.meshgrid(*sides, indexing="ij"), axis=-1).reshape(-1, 3)
    return grid.to_world(box)


def _paint(
    surface: Surface,
    label_map: npt.NDArray[np.integer],
    grid: Grid,
    image: Volume | None,
) -> Image.Image:
    """Return the labels in colour, over the scan if there is one."""
    labels = surface.sample(label_map, grid, order=0)
    grey = np.zeros(labels.shape)
    if image is not None:
        low, high = find_window(image.array)
        values = surface.sample(image.array, image.grid, order=1, outside=low)
        shares = (values.astype(np.float64) - low) / max(high - low, 1e-6)
        grey = 255 * np.clip(shares, 0, 1)
    pixels = np.repeat(grey[..., None], 3, axis=2)
    fill = ALONE_FILL if image is None else FILL
    outline = find_outline(labels)
    for label in np.unique(labels[labels > 0]):
        color, inside = np.array(outline_color(int(label))), labels == label
        pixels[inside] = (1 - fill) * pixels[inside] + fill * color
        pixels[inside & outline] = color
    return Image.fromarray(np.round(pixels).astype(np.uint8))


def _draw_vertebra(
    pen: ImageDraw.ImageDraw, surface: Surface, vertebra: Vertebra, name: str
) -> None:
    """Draw the end plates and heights of a body, and the name beside or on it."""
    point = vertebra.centroid
    if vertebra.body:
        body, point = vertebra.body, vertebra.body.frame.origin
        half = (body.width if surface.plane == CORONAL else body.depth) / 2
        for plate in (body.upper, body.lower):
            _draw_plate(pen, surface, body, plate, half)
        if surface.plane == SAGITTAL:
            _draw_heights(pen, surface, body)
    _write(pen, surface.place(point), name, TEXT_COLOR, 15)


def _draw_plate(
    pen: ImageDraw.ImageDraw, surface: Surface, body: Body, plate: Plate, half: float
) -> None:
    """Draw the trace of an end plate as far as the body reaches."""
    across = body.frame.axes[:, 0 if surface.plane == CORONAL else 1]
    step = across - (across @ plate.normal) * plate.normal
    step *= half / max(float(np.linalg.norm(step)), 1e-6)
    ends = [surface.place(plate.point - step), surface.place(plate.point + step)]
    pen.line(ends, PLATE_COLOR, 2)


def _draw_heights(pen: ImageDraw.ImageDraw, surface: Surface, body: Body) -> None:
    """Draw the three heights, and write the outer two beside the body."""
    for share, height in zip(HEIGHT_SHARES, body.heights, strict=True):
        v = (share - 0.5) * body.depth
        ends = [body.frame.to_world((0, v, side * height / 2)) for side in (-1, 1)]
        pen.line([surface.place(end) for end in ends], HEIGHT_COLOR, 1)
    for side, height in ((1, body.heights[0]), (-1, body.heights[2])):
        place = body.frame.to_world((0, side * (body.depth / 2 + 8), 0))
        _write(pen, surface.place(place), f"{height:.0f}", HEIGHT_COLOR, 12)


def _write(
    pen: ImageDraw.ImageDraw,
    place: tuple[float, float],
    text: str,
    color: Color,
    size: int,
) -> None:
    edge = {"stroke_width": 2, "stroke_fill": BACKGROUND_COLOR}
    pen.text(place, text, color, font(size), anchor="mm", **edge)
