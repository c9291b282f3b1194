"""Draw the effect of each transform: the pictures of docs/augmentation.md.

Example:
    python docs/draw_augmentation.py --output docs/augmentation

The scan is a synthetic phantom, resampled as makeCube.py does it. Each picture
shows the scan, a weak and a strong effect, with the label map outlined in amber;
overview.png shows the scan and seven copies of the default chain. Existing
pictures are replaced.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from augment.compose import compose_default, replay
from augment.spatial import Elastic, smallest_jacobian
from cube.drawn_words import describe_drawn
from cube.rows import CubeSpec, PreparedCase, make_row
from phantom.cases import make_phantom
from system.atomic import atomic_write
from system.shell import script
from volumes.geometry import canonical_grid
from volumes.palette import outline_color
from volumes.panels import (
    BACKGROUND_COLOR,
    TEXT_COLOR,
    draw_text,
    stack_horizontally,
    stack_vertically,
)
from volumes.planes import AXIAL, SAGITTAL, Plane, choose_straight_planes
from volumes.sections import ACROSS, DOWN
from volumes.view import View
from volumes.window import find_window

CASE, SEED = 1, 0  # of the phantom
SPACING = (4.0, 1.5, 1.5)  # mm
WHOLE, CLOSE = 1.0, 0.36  # mm per pixel
HALF_WIDTH = 42.0  # mm on either side of the label's centre, in a close view
COPIES, COLUMNS = 7, 4
GREYS = 63  # per picture: a third of the bytes, without a visible difference


class Figure(NamedTuple):
    """The content of one picture.

    Args:
        draws: Drawn parameters, the weak effect before the strong.
        axis: The plane: 0 sagittal, 1 coronal, 2 axial.
        index: The slice. Defaults to the one that shows the label best.
        scale: In mm per pixel. `CLOSE` shows only the surroundings of the label.
    """

    draws: Sequence[Mapping[str, Any]]
    axis: int = SAGITTAL
    index: int | None = None
    scale: float = WHOLE


def elastic(displacement: float) -> dict[str, Any]:
    """Return drawn parameters that differ only in the displacement."""
    return {"displacement": displacement, "control_spacing": 32.0, "seed": 3}


def noise(std: float) -> dict[str, Any]:
    """Return the drawn parameters of noise."""
    return {"std": std, "seed": 5}


def thick_slices(factor: float) -> dict[str, Any]:
    """Return the drawn parameters of thick axial slices."""
    return {"axis": AXIAL, "factor": factor}


def bias_field(slope: float) -> list[float]:
    """Return the drawn parameters of a field that decreases to the anterior."""
    return [0, 0, -slope, 0, slope / 2, 0]


def figure(name: str, weak: Any, strong: Any, **view: Any) -> Figure:
    """Return the figure of a weak and a strong effect of one transform."""
    return Figure([{name: weak}, {name: strong}], **view)


FIGURES = {
    # Through a whole vertebra, with gas in the bowel on one side only.
    "flip": Figure([{"flip": True}], axis=AXIAL, index=128, scale=0.55),
    "rescaling": figure("rescaling", [1.05] * 3, [0.9] * 3),
    "rescaling_per_axis": figure("rescaling", [1, 1.05, 0.95], [1, 0.85, 1.15]),
    "rotation": figure("rotation", [3, 0, 0], [-10, 0, 0]),
    "shift": figure("shift", [0, 5, 0], [0, 15, -20]),
    "elastic": figure("elastic", elastic(4.0), elastic(12.0)),
    "blur": figure("blur", 0.7, 2.0, scale=CLOSE),
    "low_resolution": figure(
        "low_resolution", thick_slices(2.0), thick_slices(4.0), scale=CLOSE
    ),
    "contrast_curve": figure(
        "contrast_curve",
        {"places": [0, 0.5, 1], "heights": [0, 0.8, 1]},
        {"places": [0, 0.3, 0.6, 1], "heights": [0.9, 0.1, 0.7, 0.3]},
    ),
    "gamma": figure("gamma", 0.85, 1.5),
    "brightness": figure("brightness", 0.2, -0.6),
    "contrast": figure("contrast", 0.85, 1.5),
    "bias_field": figure("bias_field", bias_field(0.15), bias_field(0.5)),
    "noise": figure("noise", noise(0.1), noise(0.4), scale=CLOSE),
    "rician_noise": figure("rician_noise", noise(0.1), noise(0.4)),
}


class Frame(NamedTuple):
    """What all panels of a picture have in common."""

    axis: int
    box: tuple[slice, ...]
    window: tuple[float, float]
    mm_per_pixel: float


def prepare_phantom() -> PreparedCase:
    """Prepare an MR phantom for the cube, with all vertebrae as one class."""
    phantom = make_phantom(CASE, SEED, modality="MR")
    classes = np.minimum(np.arange(2**16), 1).astype(np.uint8)
    shape = canonical_grid(phantom.grid, SPACING).shape
    spec = CubeSpec(SPACING, shape, ("auto",), compose_default(), SEED)
    return PreparedCase(phantom.image, phantom.label_map, phantom.grid, spec, classes)


def apply(
    scan: PreparedCase, drawn: Mapping[str, Any]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint8]]:
    """Return the image and the label map with the drawn parameters applied."""
    return replay(
        drawn,
        scan.smoothed,
        scan.classified,
        source=scan.grid,
        target=scan.target,
        intensity=scan.intensity,
    )


def find_middle(label: npt.NDArray[np.uint8]) -> list[int]:
    """Return the sagittal, the coronal and the axial slice through the label."""
    return [round(plane.places[0]) for plane in choose_straight_planes(label)]


def close_box(label: npt.NDArray[np.uint8]) -> tuple[slice, ...]:
    """Return the box of `HALF_WIDTH` around the slices that show the label best."""
    box = []
    for middle, mm in zip(find_middle(label), SPACING, strict=True):
        margin = round(HALF_WIDTH / mm)
        box.append(slice(max(0, middle - margin), middle + margin + 1))
    return tuple(box)


def describe(scan: PreparedCase, drawn: Mapping[str, Any]) -> str:
    """Describe drawn parameters in one line, with the Jacobian of a deformation."""
    deformation = drawn.get("elastic")
    if deformation:
        shape, spacing = scan.target.shape, scan.target.spacing
        control = Elastic.control(deformation, shape, spacing)
        shown = {
            "displacement": deformation["displacement"],
            "smallest_jacobian": smallest_jacobian(control, shape, spacing),
        }
        drawn = {**drawn, "elastic": shown}
    return describe_drawn(drawn)


def draw_panel(
    title: str, image: npt.NDArray, label: npt.NDArray, index: int, frame: Frame
) -> Image.Image:
    """Draw one slice under its title, the label outlined in amber."""
    plane = Plane(frame.axis, np.array([index - (frame.box[frame.axis].start or 0.0)]))
    spacing = SPACING[DOWN[frame.axis]], SPACING[ACROSS[frame.axis]]
    view = View(
        plane.take(image[frame.box]),
        spacing,
        window=frame.window,
        mm_per_pixel=frame.mm_per_pixel,
    )
    view.outline(plane.take(label[frame.box]), outline_color)
    picture = view.finish(frame.axis, bar=False)
    words = [(part, TEXT_COLOR) for part in re.split(r"(?<=,) ", title)]
    text = draw_text(words, picture.width, 13)
    size = (picture.width, text.height + 4 + picture.height)
    panel = Image.new("RGB", size, BACKGROUND_COLOR)
    panel.paste(text, (0, 0))
    panel.paste(picture, (0, text.height + 4))
    return panel


def draw_figure(scan: PreparedCase, figure: Figure) -> Image.Image:
    """Draw one slice of the scan and of each draw, side by side."""
    image, label = apply(scan, {})
    box = close_box(label) if figure.scale == CLOSE else (slice(None),) * 3
    frame = Frame(figure.axis, box, find_window(image), figure.scale)
    index = figure.index or find_middle(label)[figure.axis]
    panels = [draw_panel("scan", image, label, index, frame)]
    for drawn in figure.draws:
        image, label = apply(scan, drawn)
        panels.append(draw_panel(describe(scan, drawn), image, label, index, frame))
    return stack_vertically([stack_horizontally(panels, align=1.0)])


def draw_overview(scan: PreparedCase) -> Image.Image:
    """Draw the scan and copies of it with the defaults of makeCube.py."""
    panels, window = [], None
    for copy in range(COPIES + 1):
        row = make_row(
            scan, case_id="phantom", subject="", split="train", source={}, copy=copy
        )
        window = find_window(row.image) if window is None else window
        frame = Frame(SAGITTAL, (slice(None),) * 3, window, WHOLE)
        title = f"copy {copy}: {describe(scan, row.drawn)}" if copy else "scan"
        index = find_middle(row.label)[SAGITTAL]
        panels.append(draw_panel(title, row.image, row.label, index, frame))
    lines = [
        panels[first : first + COLUMNS] for first in range(0, len(panels), COLUMNS)
    ]
    return stack_vertically([stack_horizontally(line, align=1.0) for line in lines])


def write_picture(path: Path, picture: Image.Image) -> None:
    """Write a PNG with a palette of few greys and amber."""
    greys = np.linspace(0, 255, GREYS).round().astype(int).repeat(3)
    palette = Image.new("P", (1, 1))
    palette.putpalette([*greys.tolist(), *outline_color(1)])
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
        default=Path(__file__).resolve().parent / "augmentation",
        metavar="FOLDER",
        help="folder for the pictures (default: %(default)s)",
    )
    parser.add_argument(
        "--only",
        nargs="+",
        choices=[*FIGURES, "overview"],
        default=[*FIGURES, "overview"],
        metavar="NAME",
        help="draw only these: %(choices)s",
    )
    return parser.parse_args(argv)


@script
def main(argv: Sequence[str] | None = None) -> int:
    """Draw and write every requested picture."""
    args = parse_args(argv)
    scan = prepare_phantom()
    for name in args.only:
        path = args.output / f"{name}.png"
        shown = FIGURES.get(name)
        picture = draw_figure(scan, shown) if shown else draw_overview(scan)
        write_picture(path, picture)
        print(f"{path}: {path.stat().st_size / 1000:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
