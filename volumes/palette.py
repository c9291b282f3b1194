"""Colours of classes in pictures: unlike each other, and unlike their neighbours'.

The first seven are those of Okabe and Ito, which people who are colour-blind can tell
apart, but for the blue, which is lightened. Each further colour is the one that differs
most from all before it, and above all from the last few: classes that follow each
other, as levels of the spine do, mostly lie beside each other. Differences are
distances in Oklab, where equal distances look about equal.

Reference:
    Okabe and Ito, 2008, "Color universal design", https://jfly.uni-koeln.de/color/
    Ottosson, 2020, "A perceptual color space for image processing",
    https://bottosson.github.io/posts/oklab/
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from volumes.classes import MAX_CLASSES

Color = tuple[int, int, int]

# Orange, sky blue, green, yellow, vermilion, blue and purple. The blue is lighter than
# theirs, (0, 114, 178), since a dark line is hard to see on grey; to the colour-blind
# the seven are as far apart as theirs.
AFTER_OKABE_ITO: tuple[Color, ...] = (
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (240, 228, 66),
    (213, 94, 0),
    (108, 96, 250),
    (204, 121, 167),
)
# What no class has. To the colour-blind, too, the errors are unlike each other and
# unlike the first seven classes.
NOT_FINITE_COLOR: Color = (255, 0, 255)
FALSE_POSITIVE_COLOR: Color = (200, 0, 0)
FALSE_NEGATIVE_COLOR: Color = (165, 225, 255)
WRONG_CLASS_COLOR: Color = (140, 65, 175)
RESERVED = (
    NOT_FINITE_COLOR,
    FALSE_POSITIVE_COLOR,
    FALSE_NEGATIVE_COLOR,
    WRONG_CLASS_COLOR,
)
LEVELS = (0, 32, 64, 96, 128, 160, 192, 224, 255)  # of the further colours
LIGHTNESSES = (0.58, 0.93)  # in Oklab: light enough for grey, and no white
LEAST_CHROMA = 0.09
NEIGHBORS = 4  # that differ most from a colour
NEIGHBOR_SHARE = 0.3  # of the distance to a neighbour that counts


def outline_color(label: int) -> Color:
    """Return the colour of a class in pictures, 0..255 each.

    Args:
        label: Class or label value from 1; the colours repeat after 255.
    """
    return _colors()[(label - 1) % (MAX_CLASSES - 1)]


@cache
def _colors() -> tuple[Color, ...]:
    """Choose the colours of all classes but the background, one after another."""
    steps = np.stack(np.meshgrid(LEVELS, LEVELS, LEVELS), axis=-1).reshape(-1, 3)
    places = to_oklab(steps)
    low, high = LIGHTNESSES
    is_visible = (places[:, 0] >= low) & (places[:, 0] <= high)
    is_visible &= np.linalg.norm(places[:, 1:], axis=1) >= LEAST_CHROMA
    steps, places = steps[is_visible], places[is_visible]
    colors = list(AFTER_OKABE_ITO)
    taken = to_oklab(np.array([*colors, *RESERVED]))
    distances = np.linalg.norm(places[:, None] - taken, axis=2)
    nearest = distances.min(axis=1)  # to any colour before
    recent = list(distances[:, len(colors) - NEIGHBORS : len(colors)].T)
    while len(colors) < MAX_CLASSES - 1:
        to_neighbors = np.min(recent[-NEIGHBORS:], axis=0)
        best = int(np.minimum(nearest, NEIGHBOR_SHARE * to_neighbors).argmax())
        red, green, blue = steps[best].tolist()
        colors.append((red, green, blue))
        recent.append(np.linalg.norm(places - places[best], axis=1))
        nearest = np.minimum(nearest, recent[-1])
    return tuple(colors)


def to_oklab(colors: npt.NDArray) -> npt.NDArray[np.float64]:
    """Return the lightness and two opponent colours of sRGB colours of 0 to 255.

    Args:
        colors: Red, green and blue, shape (N, 3).
    """
    shares = colors / 255
    linear = np.where(
        shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4
    )
    cones = linear @ np.array(
        [
            [0.4122214708, 0.2119034982, 0.0883024619],
            [0.5363325363, 0.6806995451, 0.2817188376],
            [0.0514459929, 0.1073969566, 0.6299787005],
        ]
    )
    return np.cbrt(cones) @ np.array(
        [
            [0.2104542553, 1.9779984951, 0.0259040371],
            [0.7936177850, -2.4285922050, 0.7827717662],
            [-0.0040720468, 0.4505937099, -0.8086757660],
        ]
    )
