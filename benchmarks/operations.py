"""The operations to time, with the same parameters for all libraries."""

from __future__ import annotations

DEGREES = (8.0, -6.0, 5.0)  # about each axis
FACTOR = 1.05
DISPLACEMENT = 6.0  # mm, the largest of a control point
CONTROL_SPACING = 32.0  # mm
SIGMA = 1.0  # mm, of the blur
EXPONENT = 1.2
STD = 0.1

_AFFINE = {"rescaling": [FACTOR] * 3, "rotation": list(DEGREES)}
_ELASTIC = {
    "elastic": {
        "displacement": DISPLACEMENT,
        "control_spacing": CONTROL_SPACING,
        "seed": 1,
    }
}
# As `augment.replay` takes them; the chain is makeCube.py's default.
DRAWN = {
    "affine": _AFFINE,
    "elastic": _ELASTIC,
    "chain": {
        "flip": True,
        **_AFFINE,
        **_ELASTIC,
        "blur": SIGMA,
        "gamma": EXPONENT,
        "noise": {"std": STD, "seed": 1},
    },
}
OPERATIONS = ("affine", "elastic", "blur", "noise", "chain")
# How many times as fast as the fastest of the four libraries.
TARGETS = {"affine": 8.0, "elastic": 20.0, "chain": 8.0}
