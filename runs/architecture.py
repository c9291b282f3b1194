"""Drawing the blocks of a U-Net."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch

from evaluation.figures import new_figure
from models.unet import Block
from system.atomic import atomic_write

# In inches: one unit of the axes is one inch.
WIDTH, HEIGHT = 1.4, 0.72  # of a box
STEP_DOWN = 1.15  # from a level to the next
STEP_IN = 0.55  # by which each level is closer to the middle
LABEL_SIZE = 7.5

INK = "#1f3a5f"
FILLS = {"encoder": "#dbe8f5", "decoder": "#fbe3cf", "bottom": "#e4e4ec"}
ARROW = {"arrowstyle": "-|>", "color": INK, "shrinkA": 0, "shrinkB": 0}


class Place(NamedTuple):
    """The centre of a box, in inches, with the points where arrows touch it."""

    x: float
    y: float

    def left(self) -> tuple[float, float]:
        """Return the middle of the left side."""
        return self.x - WIDTH / 2, self.y

    def right(self) -> tuple[float, float]:
        """Return the middle of the right side."""
        return self.x + WIDTH / 2, self.y


def draw_architecture(
    blocks: Sequence[Block], title: str, caption: str, path: Path
) -> None:
    """Draw the blocks as a U: encoder down the left, decoder up the right.

    Args:
        blocks: In order: the input, the encoder, the bottom, the decoder, the
            probabilities; from `models.unet.describe_blocks`.
        title: Title of the figure.
        caption: Sentence below the figure.
        path: PNG to write.
    """
    depth = (len(blocks) - 3) // 2
    places = _place_blocks(depth)
    figure = new_figure(2 * (WIDTH - places[0].x), STEP_DOWN * depth + 2)
    axes = figure.subplots()
    for block, place in zip(blocks, places, strict=True):
        _draw_block(axes, block, place)

    _draw_arrow(axes, places[0].right(), places[1].left())
    _draw_arrow(axes, places[-2].right(), places[-1].left(), "softmax")
    for level in range(1, depth + 1):
        down, up = level, -1 - level
        _draw_step(axes, places[down], places[down + 1], blocks[down].pool, "max pool")
        _draw_step(axes, places[up - 1], places[up], blocks[down].pool, "up-conv")
        _draw_arrow(
            axes, places[down].right(), places[up].left(), "concatenate", style="--"
        )

    edge = places[-1].x + WIDTH / 2 + 0.2
    axes.set(xlim=(-edge, edge), ylim=(-STEP_DOWN * depth - 0.6, 0.6), aspect="equal")
    axes.set_title(title, fontsize=12, color=INK)
    axes.set_axis_off()
    figure.supxlabel(caption, fontsize=8.5, color="0.25")
    with atomic_write(path) as partial:
        figure.savefig(partial, dpi=150, format="png")


def _place_blocks(depth: int) -> list[Place]:
    """Return the place of each block, the bottom one in the middle."""
    left = [
        Place(-(WIDTH * 0.85 + STEP_IN * (depth - 1 - level)), -STEP_DOWN * level)
        for level in range(depth)
    ]
    outer = Place(left[0].x - WIDTH * 1.4 if left else -WIDTH * 1.4, 0)
    right = [Place(-place.x, place.y) for place in reversed((outer, *left))]
    return [outer, *left, Place(0, -STEP_DOWN * depth), *right]


def _draw_block(axes: Axes, block: Block, place: Place) -> None:
    """Draw a box with the name, the sides, the channels and the convolutions."""
    corner = place.x - WIDTH / 2, place.y - HEIGHT / 2
    fill = FILLS.get(block.name.split("_")[0], "white")
    box = FancyBboxPatch(
        corner, WIDTH, HEIGHT, "round,pad=0,rounding_size=0.06", fc=fill, ec=INK
    )
    axes.add_patch(box)
    channels = "channel" if block.filters == 1 else "channels"
    lines = [format_sides(block.sides), f"{block.filters} {channels}"]
    if block.kernel:
        lines.append(f"{block.convolutions} conv {format_sides(block.kernel)}")
    name = block.name.replace("_", " ")
    axes.text(
        place.x,
        place.y + HEIGHT / 2 - 0.06,
        name,
        ha="center",
        va="top",
        fontsize=8.5,
        weight="bold",
        color=INK,
    )
    axes.text(
        place.x,
        place.y - HEIGHT / 2 + 0.07,
        "\n".join(lines),
        ha="center",
        va="bottom",
        fontsize=LABEL_SIZE,
        linespacing=1.25,
    )


def _draw_step(
    axes: Axes, first: Place, second: Place, size: Sequence[int], word: str
) -> None:
    """Draw a vertical arrow between two levels where their boxes overlap."""
    x = (first.x + second.x) / 2
    way = 1 if second.y > first.y else -1
    start = x, first.y + way * HEIGHT / 2
    end = x, second.y - way * HEIGHT / 2
    axes.annotate("", end, start, arrowprops=ARROW)
    side = -1 if x < 0 else 1
    axes.text(
        x + side * 0.08,
        (start[1] + end[1]) / 2,
        f"{word} {format_sides(size)}",
        ha="right" if side < 0 else "left",
        va="center",
        fontsize=LABEL_SIZE,
    )


def _draw_arrow(
    axes: Axes,
    start: tuple[float, float],
    end: tuple[float, float],
    word: str = "",
    style: str = "-",
) -> None:
    """Draw a horizontal arrow with a word on it."""
    axes.annotate("", end, start, arrowprops={**ARROW, "linestyle": style})
    axes.text(
        (start[0] + end[0]) / 2,
        start[1] + 0.05,
        word,
        ha="center",
        va="bottom",
        fontsize=LABEL_SIZE,
    )


def format_sides(sides: Sequence[int]) -> str:
    """Return sides joined by a multiplication sign, such as "48 × 96 × 96"."""
    return " × ".join(str(side) for side in sides)
