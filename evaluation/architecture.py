"""Drawing the blocks of a U-Net."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from evaluation.figures import new_figure
from system.atomic import atomic_write

BOX = {"boxstyle": "round,pad=0.4", "facecolor": "#eef3fa", "edgecolor": "#35608f"}
ARROW = {"arrowstyle": "->", "color": "#35608f", "shrinkA": 18, "shrinkB": 18}


def draw_architecture(
    blocks: Sequence[tuple[str, int, tuple[int, ...]]], title: str, path: Path
) -> None:
    """Draw the blocks as a U: encoder down the left, decoder up the right.

    Args:
        blocks: Name, filters and sides of each block's output, in order: the
            input, the encoder, the bottleneck, the decoder, the probabilities.
        title: Title of the figure.
        path: PNG to write.
    """
    depth = (len(blocks) - 3) // 2
    figure = new_figure(9, 1.6 + 0.95 * depth)
    axes = figure.subplots()
    places = [(-1.5, 0.0)]
    places += [(-1 + 0.5 * level / max(depth, 1), -level) for level in range(depth)]
    places += [(0, -depth)]
    places += [(-x, y) for x, y in reversed(places[1:-1])]
    places += [(1.5, 0.0)]
    for (name, filters, sides), place in zip(blocks, places, strict=True):
        size = " x ".join(str(side) for side in sides)
        text = f"{name.replace('_', ' ')}\n{size}, {filters}"
        axes.annotate(text, place, ha="center", va="center", fontsize=8, bbox=BOX)
    for first, second in pairwise(places):
        axes.annotate("", second, first, arrowprops=ARROW)
    for level in range(1, depth + 1):
        skip = {**ARROW, "linestyle": "dashed", "shrinkA": 45, "shrinkB": 45}
        axes.annotate("", places[-1 - level], places[level], arrowprops=skip)
    axes.set(xlim=(-1.8, 1.8), ylim=(-depth - 0.6, 0.6))
    axes.set_title(f"{title}: voxels, channels")
    axes.set_axis_off()
    with atomic_write(path) as partial:
        figure.savefig(partial, dpi=120)
