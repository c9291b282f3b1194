"""The flags of makeCube.py that set each transform, in the order of application.

This module imports nothing heavy, so that `makeCube.py --help` stays fast.
"""

from __future__ import annotations

from typing import NamedTuple


class Flag(NamedTuple):
    """A flag that sets how strong a transform is at most; None turns it off.

    Args:
        metavar: Unit or quantity, as shown by `--help`.
        description: What the value is.
        default: One number, or (smallest, largest) if `is_range`.
        is_range: Whether the flag takes two values.
    """

    metavar: str
    description: str
    default: float | tuple[float, float] | None = None
    is_range: bool = False

    @property
    def default_text(self) -> str:
        """The default as it is typed, such as `0.9 1.1` or `none`."""
        if self.default is None:
            return "none"
        values = self.default if isinstance(self.default, tuple) else (self.default,)
        return " ".join(f"{value:g}" for value in values)


# By the name of the transform. `Transform.name` refers to it.
FLAGS = {
    "flip": Flag("PROBABILITY", "probability of mirroring left and right", 0.5),
    "rescaling": Flag(
        "FACTOR", "smallest and largest scale factor", (0.9, 1.1), is_range=True
    ),
    "rotation": Flag("DEGREES", "largest angle about each axis", 10.0),
    "shift": Flag("MM", "largest translation along each axis"),
    "elastic": Flag("MM", "largest displacement of a B-spline control point", 6.0),
    "blur": Flag("MM", "largest sigma of the Gaussian blur", 1.0),
    "low_resolution": Flag(
        "FACTOR",
        "largest downsampling factor along one axis, in a quarter of the copies",
    ),
    "gamma": Flag(
        "EXPONENT", "smallest and largest exponent", (0.7, 1.5), is_range=True
    ),
    "brightness": Flag("OFFSET", "largest change of the normalised intensity"),
    "contrast": Flag("FACTOR", "smallest and largest factor", is_range=True),
    "bias_field": Flag(
        "COEFFICIENT", "largest coefficient of an MR bias field, such as 0.3"
    ),
    "noise": Flag(
        "STD",
        "largest standard deviation of Gaussian noise, in normalised intensity",
        0.15,
    ),
    "rician_noise": Flag(
        "STD",
        "largest standard deviation of Rician (MR) noise, in normalised intensity",
    ),
}
