"""The drawn parameters of an augmented copy, in words."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

UNITS = {
    "rotation": "deg",
    "shift": "mm",
    "blur": "mm",
    "displacement": "mm",
    "control_spacing": "mm",
}


def describe_drawn(drawn: Mapping[str, object], *, is_short: bool = False) -> str:
    """Describe the drawn parameters of a copy in one line.

    Up to four numbers are listed, more are summarised by the largest magnitude.
    Empty values, transforms that are off, and seeds are left out.

    Args:
        drawn: By transform.
        is_short: Whether only the displacement of an elastic deformation is listed.

    >>> describe_drawn({"rotation": [4.13, -2.0, 7.9], "rescaling": [1.06] * 3})
    'rotation 4.13 -2 7.9 deg, rescaling 1.06'
    >>> describe_drawn({"flip": False, "noise": {"std": 0.031, "seed": 7}})
    'noise 0.031'
    """
    parts = []
    for name, value in drawn.items():
        unit = UNITS.get(name, "")
        if is_short and isinstance(value, Mapping) and "displacement" in value:
            value, unit = value["displacement"], UNITS["displacement"]
        text = "" if name == "seed" else _format_drawn(value)
        if value is True:
            parts.append(name.replace("_", " "))
        elif text:
            parts.append(f"{name.replace('_', ' ')} {text} {unit}".strip())
    return ", ".join(parts)


def _format_drawn(value: object) -> str:
    """Format one drawn value; an empty text for what is empty or off."""
    if value is None or isinstance(value, bool):
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, (int, float)):
        return f"{value:.3g}"
    if isinstance(value, Mapping):
        items = {name: item for name, item in value.items() if name != "seed"}
        if len(items) == 1:
            return _format_drawn(next(iter(items.values())))
        inner = describe_drawn(items)
        return f"({inner})" if inner else ""
    if any(isinstance(item, (str, bool, Mapping)) for item in value):
        return " ".join(filter(None, map(_format_drawn, value)))
    numbers = np.array(value, dtype=np.float64).ravel()
    if numbers.size > 4:
        return f"up to {np.abs(numbers).max():.3g}"
    distinct = numbers[:1] if len(set(numbers)) == 1 else numbers
    return " ".join(f"{number:.3g}" for number in distinct)
