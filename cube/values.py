"""Validity of what a cube holds as JSON; it may come from an untrusted source."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from system.limits import MAX_INTENSITY, MAX_LABEL, SPACING_RANGE
from volumes.intensity_rule import PROFILE_KINDS

CANONICAL_AXIS = {"L": 0, "R": 0, "P": 1, "A": 1, "I": 2, "S": 2}


def is_spacing(value: Sequence) -> bool:
    """Check whether these are three spacings in mm."""
    low, high = SPACING_RANGE
    return len(value) == 3 and all(low <= side <= high for side in value)


def is_names(value: Sequence) -> bool:
    """Check whether these are the names of two classes or more."""
    return 2 <= len(value) <= 256 and all(isinstance(name, str) for name in value)


def is_values(value: Sequence) -> bool:
    """Check whether these are the label values of each class."""
    if not all(isinstance(values, list | tuple) for values in value):
        return False
    numbers = [number for values in value for number in values]
    return all(type(n) is int and 0 <= n <= MAX_LABEL for n in numbers)  # no booleans


def is_label_names(value: object) -> bool:
    """Check whether these are names of label values, which JSON has as text."""
    return isinstance(value, dict) and all(
        key.isdecimal() and isinstance(name, str) for key, name in value.items()
    )


def is_members(value: Sequence) -> bool:
    """Check whether these are the members of each class; see `Classes`."""
    if not all(members is None or isinstance(members, list) for members in value):
        return False
    members = [member for members in value for member in members or ()]
    return all(isinstance(m, str) or is_values([[m]]) for m in members)


def is_source(value: dict) -> bool:
    """Check whether the source of a row has what `cube.checks` reads."""
    letters, spacing = value.get("orientation"), value.get("spacing")
    counts = value.get("class_voxels", [])
    return (
        isinstance(value.get("content_checksum"), str)
        and isinstance(spacing, list)
        and all(isinstance(side, int | float) for side in spacing)
        and is_spacing(spacing)
        and isinstance(letters, str)
        and len(letters) == 3
        and {CANONICAL_AXIS.get(letter) for letter in letters} == {0, 1, 2}
        and isinstance(value.get("label_values", []), list)
        and is_values(value.get("label_values", []))
        and isinstance(counts, list)
        and isinstance(value.get("label_voxels", 0), int)
        and is_label_names(value.get("label_names", {}))
        and isinstance(value.get("ignored_values", []), list)
        and is_values([value.get("ignored_values", [])])
        and isinstance(value.get("ignored_voxels", 0), int)
        and is_profile(value.get("profile"))
        and isinstance(value.get("intensity", {}), dict)
        and all(isinstance(count, int) and count >= 0 for count in counts)
    )


def is_profile(value: object) -> bool:
    """Check whether this is the profile of a scan; rows of older cubes have none."""
    return value is None or (
        isinstance(value, dict)
        and set(value) == {"low", "median", "high", "air", "kind"}
        and value["kind"] in PROFILE_KINDS
        and all(
            isinstance(number, int | float) and abs(number) <= MAX_INTENSITY
            for name, number in value.items()
            if name != "kind"
        )
    )


def is_drawn(value: dict) -> bool:
    """Check whether these are drawn parameters: finite, with positive rescaling."""
    try:
        rescaling = np.broadcast_to(value.get("rescaling", 1.0), 3).astype(np.float64)
    except (TypeError, ValueError):
        return False
    return bool((rescaling > 0).all()) and _is_finite(value)


def _is_finite(value: object) -> bool:
    """Check whether this is a finite number, text, or lists and dicts of these."""
    if value is None or isinstance(value, str):
        return True
    if isinstance(value, dict):
        return all(map(_is_finite, value.values()))
    if isinstance(value, list) and any(isinstance(v, str | bool | dict) for v in value):
        return all(map(_is_finite, value))
    try:
        return bool(np.isfinite(np.array(value, dtype=np.float64)).all())
    except (TypeError, ValueError):
        return False
