"""The words of --intensity, which makeCube.py and predict.py share."""

# No numpy here: the scripts parse their flags before they import it.

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence

from system.errors import UsageError
from system.limits import MAX_INTENSITY

LEAST_WIDTH = 1e-6  # of a window, whatever the unit; ADC maps span a thousandth


def add_intensity_flag(group: argparse._ActionsContainer, automatic: str) -> None:
    """Add --intensity, which takes one word or three, to a parser.

    Args:
        group: A parser or a group of its flags.
        automatic: What `auto`, the default, means to the script.
    """
    group.add_argument(
        "--intensity",
        nargs="+",
        default=["auto"],
        metavar="WORD",
        help=f"auto (default: {automatic}), zscore, or window LOW HIGH in HU",
    )


def parse_intensity(words: Sequence[str]) -> tuple:
    """Convert the words of --intensity to a mode of `measure_intensity`, or `auto`.

    Raises:
        UsageError: If the words are others, or the window is empty, endless, or of a
            width or place that no scan has.
    """
    if list(words) in (["auto"], ["zscore"]):
        return tuple(words)
    try:
        low, high = (float(word) for word in words[1:])
    except ValueError:
        low = high = 0.0
    if words[0] != "window" or not -math.inf < low < high < math.inf:
        raise UsageError(
            "--intensity takes auto, zscore, or window LOW HIGH. "
            f"Received: {' '.join(words)}"
        )
    if high - low < LEAST_WIDTH or max(-low, high) > MAX_INTENSITY:
        raise UsageError(
            f"The window of --intensity must be {LEAST_WIDTH:g} wide or more, from "
            f"-{MAX_INTENSITY:g} to {MAX_INTENSITY:g} at most. Received: {low:g} to "
            f"{high:g}"
        )
    return ("window", low, high)


def describe_intensity(mode: Sequence) -> str:
    """Describe a mode of normalisation in words, as "window -200 to 1000 HU"."""
    if mode[0] == "window":
        return f"window {mode[1]:g} to {mode[2]:g} HU"
    if mode[0] == "zscore":
        return "z-score of each scan"
    return "window -200 to 1000 HU for a scan that reaches below -500, else z-score"
