"""Draw what is measured of a vertebra: the picture of docs/vertebrae.md.

Example:
    python docs/draw_vertebrae.py --output docs/vertebrae.png

The scan is a synthetic phantom, and what is drawn was measured from its label map: the
end plates and heights of a vertebra in its mid-sagittal plane, its depth and width at
mid-height, and the angles between vertebrae. An existing picture is replaced.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from phantom.cases import Phantom, make_phantom
from spine.angles import SAGITTAL, cobb_angle, distance_between
from spine.body import HEIGHT_SHARES, Body
from spine.end_plates import Plate
from spine.frame import Frame
from spine.measures import measure_vertebrae
from system.atomic import atomic_write
from system.shell import script
from volumes.geometry import Grid
from volumes.palette import outline_color
from volumes.panels import (
    BACKGROUND_COLOR,
    TEXT_COLOR,
    Color,
    draw_text,
    font,
    stack_horizontally,
    stack_vertically,
)
from volumes.resample import resample
from volumes.vertebrae import vertebra_name

CASE, SEED = 1, 0  # of the phantom
L1, L3, L5 = 20, 22, 24
GREYS = 40  # a third of the bytes, without a visible difference
OUTLINE, MEASURE, PLATE = outline_color(1), (110, 200, 255), (130, 235, 130)
CLOSE, WIDE = 7.0, 3.4  # pixels per mm


class Panel:
    """A plane of the scan through the origin of a frame.

    Args:
        phantom: The scan.
        frame: Of the plane.
        axes: The frame's axes that run to the left and up in the picture.
        reach: mm to the left, right, top and bottom of the origin.
        scale: Pixels per mm.
    """

    def __init__(
        self,
        phantom: Phantom,
        frame: Frame,
        axes: tuple[int, int],
        reach: tuple[float, float, float, float],
        scale: float,
    ):
        self.frame, self.axes, self.scale = frame, axes, scale
        self.left, right, self.top, bottom = reach
        left, up = frame.axes[:, axes[0]], frame.axes[:, axes[1]]
        affine = np.eye(4)
        affine[:3, :3] = np.stack([-left / scale, -up / scale, np.cross(left, up)], 1)
        affine[:3, 3] = frame.origin + self.left * left + self.top * up
        sides = round(scale * (self.left + right)), round(scale * (self.top + bottom))
        image, labels = resample(
            phantom.image.astype(np.float32),
            phantom.label_map,
            phantom.grid,
            Grid((*sides, 1), affine),
        )
        self.picture = paint(image[..., 0].T, labels[..., 0].T)
        self.pen = ImageDraw.Draw(self.picture)

    def place(self, point: npt.ArrayLike) -> tuple[float, float]:
        """Return the pixel of a point in mm of the frame."""
        across, up = (float(np.asarray(point)[axis]) for axis in self.axes)
        return (self.left - across) * self.scale, (self.top - up) * self.scale

    def line(self, first: npt.ArrayLike, last: npt.ArrayLike, color: Color) -> None:
        """Draw a line between points in mm of the frame."""
        self.pen.line([self.place(first), self.place(last)], color, 2)

    def text(self, point: npt.ArrayLike, text: str, color: Color) -> None:
        """Write centred on a point in mm of the frame."""
        edge = {"stroke_width": 2, "stroke_fill": BACKGROUND_COLOR}
        self.pen.text(self.place(point), text, color, font(14), anchor="mm", **edge)

    def plate(self, plate: Plate, half: float) -> None:
        """Draw the trace of an end plate, mm to either side along the first axis."""
        point = self.frame.to_frame(plate.point)
        normal = self.frame.axes.T @ plate.normal
        across, up = self.axes
        step = np.zeros(3)
        step[across], step[up] = half, -half * normal[across] / normal[up]
        self.line(point - step, point + step, PLATE)

    def titled(self, title: str) -> Image.Image:
        """Return the picture below its title."""
        return stack_vertically([draw_title(title), self.picture])


def draw_title(title: str) -> Image.Image:
    """Return a line of text."""
    picture = draw_text([(title, TEXT_COLOR)], 1000, 15)
    if picture is None:
        raise ValueError(f"A title must not be empty. Received: title={title!r}")
    return picture


def paint(image: npt.NDArray, labels: npt.NDArray) -> Image.Image:
    """Return a picture in grey with the labels outlined, shapes (rows, columns)."""
    low, high = np.quantile(image, (0.01, 0.995))
    grey = (np.clip((image - low) / (high - low), 0, 1) * 190).astype(np.uint8)
    colors = np.repeat(grey[..., None], 3, axis=2)
    inner = np.pad(labels, 1, mode="edge")
    is_edge = (labels != inner[2:, 1:-1]) | (labels != inner[1:-1, 2:])
    colors[is_edge] = OUTLINE
    return Image.fromarray(colors)


def draw_heights(phantom: Phantom, body: Body) -> Image.Image:
    """Draw the mid-sagittal plane of a body, its end plates, heights and depth."""
    panel = Panel(phantom, body.frame, (1, 2), (27, 38, 26, 26), CLOSE)
    panel.plate(body.upper, 24)
    panel.plate(body.lower, 24)
    for share, height in zip(HEIGHT_SHARES, body.heights, strict=True):
        v = (share - 0.5) * body.depth
        panel.line((0, v, -height / 2), (0, v, height / 2), MEASURE)
        panel.text((0, v, 4), f"{height:.1f}", MEASURE)
    front = body.depth / 2
    panel.line((0, -front, 0), (0, front, 0), MEASURE)
    panel.text((0, 5.5, -2), f"depth {body.depth:.1f}", MEASURE)
    panel.text((0, 16, 21), f"wedge {body.wedge_sagittal:+.1f} deg", PLATE)
    return panel.titled("heights: anterior, middle, posterior (mm)")


def draw_width(phantom: Phantom, body: Body) -> Image.Image:
    """Draw the plane at mid-height of a body, its width and depth."""
    panel = Panel(phantom, body.frame, (0, 1), (32, 32, 21, 31), CLOSE)
    side, front = body.width / 2, body.depth / 2
    panel.line((-side, 0, 0), (side, 0, 0), MEASURE)
    panel.line((0, -front, 0), (0, front, 0), MEASURE)
    panel.text((12, 2, 0), f"width {body.width:.1f}", MEASURE)
    panel.text((0, -8, 0), f"depth {body.depth:.1f}", MEASURE)
    return panel.titled("mid-height (mm)")


def draw_spine(phantom: Phantom, bodies: Mapping[int, Body]) -> Image.Image:
    """Draw the patient's sagittal plane, centres, distances and the lordosis."""
    middle = np.mean([body.frame.origin for body in bodies.values()], axis=0)
    panel = Panel(phantom, Frame(middle, np.eye(3)), (1, 2), (62, 76, 98, 98), WIDE)
    first, fifth = bodies[L1], bodies[L5]
    panel.plate(first.upper, 48)
    panel.plate(fifth.lower, 48)
    centres = [panel.frame.to_frame(body.frame.origin) for body in bodies.values()]
    for below, above in pairwise(bodies.values()):
        ends = [panel.frame.to_frame(body.frame.origin) for body in (below, above)]
        panel.line(*ends, MEASURE)
        text = f"{distance_between(below, above):.1f}"
        panel.text(np.mean(ends, axis=0) + np.array((0, 9, 0)), text, MEASURE)
    for value, centre in zip(bodies, centres, strict=True):
        panel.text(centre, f"{vertebra_name(value)}", TEXT_COLOR)
    angle = cobb_angle(fifth, first, SAGITTAL)
    panel.text((0, 36, 70), f"lordosis L1-L5 {angle:.1f} deg", PLATE)
    return panel.titled("distances (mm) and the angle of Cobb")


def draw(phantom: Phantom) -> Image.Image:
    """Draw all panels from the measures of a phantom's label map."""
    values = range(L5, L1 - 1, -1)
    vertebrae = measure_vertebrae(phantom.label_map, phantom.grid, values)
    bodies = {v.value: v.body for v in vertebrae if v.body is not None}
    column = [draw_heights(phantom, bodies[L3]), draw_width(phantom, bodies[L3])]
    pictures = [draw_spine(phantom, bodies), stack_vertically(column)]
    return stack_horizontally(pictures, align=0.0)


def write_picture(path: Path, picture: Image.Image) -> None:
    """Write a PNG with a palette of few greys and the colours of the lines."""
    greys = np.linspace(0, 255, GREYS).round().astype(int).repeat(3).tolist()
    palette = Image.new("P", (1, 1))
    palette.putpalette([*greys, *OUTLINE, *MEASURE, *PLATE])
    picture = picture.quantize(palette=palette, dither=Image.Dither.NONE)
    with atomic_write(path) as partial:
        picture.save(partial, format="PNG", optimize=True)


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path(__file__).resolve().parent / "vertebrae.png",
        metavar="FILE",
        help="the picture (default: %(default)s)",
    )
    return parser.parse_args(argv)


@script
def main(argv: Sequence[str] | None = None) -> int:
    """Draw and write the picture."""
    args = parse_args(argv)
    write_picture(args.output, draw(make_phantom(CASE, SEED, modality="MR")))
    print(f"{args.output}: {args.output.stat().st_size / 1000:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
