"""The flags of makeCube.py that set each transform, in the order of application.

This module imports nothing heavy, so that `makeCube.py --help` stays fast.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

RANGE = ("LOW", "HIGH")


class Flag(NamedTuple):
    """A flag that limits what a transform draws.

    Args:
        metavar: Name or unit of the value; `RANGE` if the flag takes two.
        description: What the flag sets.
        default: One value or two, or None to leave the transform out.
        largest: Largest value that makes sense, beyond which a value is mistyped; the
            smallest of a range is its inverse. Infinite where the transform checks.
    """

    metavar: str | tuple[str, str]
    description: str
    default: float | tuple[float, float] | None = None
    largest: float = math.inf

    @property
    def is_range(self) -> bool:
        """Whether the flag takes a smallest and a largest value."""
        return self.metavar == RANGE

    def check(self, name: str, value: float | Sequence[float] | None) -> None:
        """Check that a value makes sense; None does.

        Raises:
            ValueError: If it does not; the message starts with the name.
        """
        if value is None:
            return
        low = 1 / self.largest if self.is_range else 0
        values = [value] if isinstance(value, float | int) else value
        if not all(low <= v <= self.largest for v in values):
            received = " ".join(f"{v:g}" for v in values)
            raise ValueError(
                f"{name} must be {low:g} to {self.largest:g}. Received: {received}"
            )

    @property
    def default_text(self) -> str:
        """The default as typed on the command line, such as `0.9 1.1` or `none`."""
        if self.default is None:
            return "none"
        values = self.default if isinstance(self.default, tuple) else (self.default,)
        return " ".join(f"{value:g}" for value in values)


# By `Transform.name`.
FLAGS = {
    "flip": Flag(
        "PROBABILITY",
        "probability of mirroring left and right; off where a class names one side, "
        "unless given",
        0.5,
    ),
    "rescaling": Flag(RANGE, "range of the scale factor", (0.9, 1.1), 1000),
    "rotation": Flag("DEGREES", "largest angle about each axis", 10.0, 360),
    "shift": Flag("MM", "largest distance along each axis", None, 10_000),
    "elastic": Flag(
        "MM", "largest displacement of the control points, which are 32 mm apart", 6.0
    ),
    "blur": Flag("MM", "largest sigma of the Gaussian", 1.0, 100),
    "low_resolution": Flag(
        "FACTOR",
        "largest downsampling factor along one axis, in a quarter of the copies",
        None,
        1000,
    ),
    "contrast_curve": Flag(
        "PROBABILITY",
        "probability of a random curve of intensity, which need not rise",
    ),
    "gamma": Flag(RANGE, "range of the exponent", (0.7, 1.5), 1000),
    "brightness": Flag("OFFSET", "largest offset, in normalised intensity", None, 1e6),
    "contrast": Flag(RANGE, "range of the contrast factor", None, 1000),
    "bias_field": Flag(
        "COEFFICIENT",
        "largest coefficient of an MR bias field; 0.3 is a good start",
        None,
        10,
    ),
    "noise": Flag(
        "STD",
        "largest standard deviation of Gaussian noise, in normalised intensity",
        0.15,
        1e6,
    ),
    "rician_noise": Flag(
        "STD",
        "the same for Rician noise, the noise of MR magnitude images",
        None,
        1e6,
    ),
}
