"""Vertebra numbers of the VerSe data sets, and a default colour for every label.

Reference:
    [Sekuboyina et al., 2021](https://doi.org/10.1016/j.media.2021.102166),
    "VerSe: A vertebrae labelling and segmentation benchmark for multi-detector
    CT images".
"""

from __future__ import annotations

import colorsys

VERTEBRAE: dict[int, str] = {
    **{number: f"C{number}" for number in range(1, 8)},
    **{7 + number: f"T{number}" for number in range(1, 13)},
    **{19 + number: f"L{number}" for number in range(1, 7)},
    28: "T13",
}

# Hues a golden ratio apart make neighbouring labels distinct. Labels 13 or 21 apart
# have nearly the same hue, hence the five lightnesses.
_GOLDEN_RATIO = 0.618033988749895
_LIGHTNESSES = (0.475, 0.59, 0.82, 0.36, 0.705)
_SATURATION = 0.8


def vertebra_name(value: int) -> str | None:
    """Return the name of the vertebra with a VerSe number, or None if unknown."""
    return VERTEBRAE.get(value)


def label_color(value: int) -> tuple[float, float, float]:
    """Return the default colour of a label, the same in every run and file.

    Args:
        value: Label value or class index; 0 is black.

    Returns:
        Red, green and blue, each in [0, 1].
    """
    if value == 0:
        return (0.0, 0.0, 0.0)
    hue = (0.5 + value * _GOLDEN_RATIO) % 1  # label 1 is amber
    lightness = _LIGHTNESSES[value % len(_LIGHTNESSES)]
    red, green, blue = colorsys.hls_to_rgb(hue, lightness, _SATURATION)
    return (round(red, 6), round(green, 6), round(blue, 6))
