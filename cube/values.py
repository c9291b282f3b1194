"""Validity of what a cube holds as JSON; it may come from an untrusted source."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

import numpy as np

from augment.flags import FLAGS
from system.limits import MAX_INTENSITY, MAX_LABEL, SPACING_RANGE
from system.text import has_control, is_utf8
from volumes.intensity_rule import PROFILE_KINDS

CANONICAL_AXIS = {"L": 0, "R": 0, "P": 1, "A": 1, "I": 2, "S": 2}
MAX_NAME = 1000  # characters
MAX_COUNT = 2**53  # exact as a float
MAX_DEPTH = 8  # of drawn parameters


def is_number(value: object) -> bool:
    """Check whether this is a number, neither infinite nor huge, and no boolean."""
    return type(value) in (int, float) and abs(value) <= MAX_INTENSITY


def is_count(value: object) -> bool:
    """Check whether this counts voxels."""
    return type(value) is int and 0 <= value <= MAX_COUNT


def is_name(value: object) -> bool:
    """Check whether this is the name of a case, a subject or a class."""
    return (
        isinstance(value, str)
        and len(value) <= MAX_NAME
        and is_utf8(value)
        and not has_control(value)
    )


def is_path(value: object) -> bool:
    """Check whether this is text that the system takes for a path."""
    try:
        return isinstance(value, str) and b"\0" not in os.fsencode(value)
    except UnicodeEncodeError:
        return False


def is_spacing(value: object) -> bool:
    """Check whether these are three spacings in mm."""
    low, high = SPACING_RANGE
    return (
        isinstance(value, list | tuple)
        and len(value) == 3
        and all(is_number(side) and low <= side <= high for side in value)
    )


def is_shape(value: object) -> bool:
    """Check whether these are the three sides of a volume in voxels."""
    return (
        isinstance(value, list)
        and len(value) == 3
        and all(is_count(side) and side > 0 for side in value)
    )


def is_names(value: object) -> bool:
    """Check whether these are the names of two classes or more."""
    return (
        isinstance(value, list | tuple)
        and 2 <= len(value) <= 256
        and all(map(is_name, value))
    )


def is_values(value: Sequence) -> bool:
    """Check whether these are the label values of each class."""
    if not all(isinstance(values, list | tuple) for values in value):
        return False
    return all(is_label(number) for values in value for number in values)


def is_label(value: object) -> bool:
    """Check whether this is a value of a label map."""
    return is_count(value) and value <= MAX_LABEL


def is_label_names(value: object) -> bool:
    """Check whether these are names of label values, which JSON has as text."""
    return isinstance(value, dict) and all(
        key.isdecimal() and len(key) < 10 and isinstance(name, str)
        for key, name in value.items()
    )


def is_members(value: Sequence) -> bool:
    """Check whether these are the members of each class; see `Classes`."""
    if not all(members is None or isinstance(members, list) for members in value):
        return False
    members = [member for members in value for member in members or ()]
    return all(is_name(member) or is_label(member) for member in members)


def is_arguments(value: dict) -> bool:
    """Check whether these are flags of makeCube.py: a seed, and limits of transforms.

    A transform that is off has None.
    """
    limits = {name: value[name] for name in FLAGS if value.get(name) is not None}
    return (
        type(value["seed"]) is int
        and value["seed"] >= 0
        and all(
            is_limit(limit, is_range=FLAGS[name].is_range)
            for name, limit in limits.items()
        )
    )


def is_limit(value: object, *, is_range: bool) -> bool:
    """Check whether this is a limit of a transform, or a range; maybe one too large.

    Whoever applies the transform checks that it makes sense.
    """
    if not is_range:
        return is_number(value) and value >= 0
    return (
        isinstance(value, list | tuple)
        and len(value) == 2
        and all(map(is_number, value))
        and 0 < value[0] <= value[1]
    )


def is_left_out(value: object) -> bool:
    """Check whether these are reasons by case id."""
    return isinstance(value, dict) and all(
        is_name(case_id) and isinstance(reason, str)
        for case_id, reason in value.items()
    )


def is_source(value: dict) -> bool:
    """Check whether the source of a row is valid; it may lack what older cubes lack."""
    return value.keys() >= SOURCE_REQUIRED and all(
        is_valid(value[name]) for name, is_valid in _SOURCE.items() if name in value
    )


def is_orientation(value: object) -> bool:
    """Check whether these are three letters such as "RAS"."""
    return (
        isinstance(value, str)
        and len(value) == 3
        and {CANONICAL_AXIS.get(letter) for letter in value} == {0, 1, 2}
    )


def is_normalisation(value: object) -> bool:
    """Check whether this is how a scan was normalised; see `Intensity`."""
    if not isinstance(value, dict):
        return False
    ends = [value.get(name, 0) for name in ("low", "high")]
    is_complete = value.get("kind") != "window" or {"low", "high"} <= value.keys()
    is_known = value.get("kind", "zscore") in ("window", "zscore")
    return is_known and is_complete and all(map(is_number, ends))


def is_profile(value: object) -> bool:
    """Check whether this is the profile of a scan; rows of older cubes have none."""
    return value is None or (
        isinstance(value, dict)
        and set(value) == {"low", "median", "high", "air", "kind"}
        and value["kind"] in PROFILE_KINDS
        and all(is_number(value[name]) for name in value.keys() - {"kind"})
    )


def is_drawn(value: dict) -> bool:
    """Check whether these are drawn parameters: finite, with positive rescaling."""
    try:
        rescaling = np.broadcast_to(value.get("rescaling", 1.0), 3).astype(np.float64)
    except (TypeError, ValueError, OverflowError):
        return False
    return bool((rescaling > 0).all()) and _is_finite(value)


def _is_finite(value: object, depth: int = 0) -> bool:
    """Check whether this is a finite number, text, or lists and dicts of these."""
    if depth > MAX_DEPTH:
        return False
    if value is None or isinstance(value, str):
        return value is None or is_name(value)
    if isinstance(value, dict):
        return all(map(is_name, value)) and all(
            _is_finite(each, depth + 1) for each in value.values()
        )
    if isinstance(value, list) and any(isinstance(v, str | bool | dict) for v in value):
        return all(_is_finite(each, depth + 1) for each in value)
    try:
        return bool(np.isfinite(np.array(value, dtype=np.float64)).all())
    except (TypeError, ValueError, OverflowError):
        return False


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_list_of(is_valid: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, list) and all(map(is_valid, value))


SOURCE_REQUIRED = {"content_checksum", "spacing", "orientation"}
_SOURCE: dict[str, Callable] = {
    "content_checksum": _is_text,
    "image_checksum": _is_text,
    "label_checksum": _is_text,
    "image": is_path,
    "label": is_path,
    "shape": is_shape,
    "spacing": is_spacing,
    "orientation": is_orientation,
    "profile": is_profile,
    "intensity": is_normalisation,
    "label_voxels": is_count,
    "label_names": is_label_names,
    "label_values": _is_list_of(_is_list_of(is_label)),
    "class_voxels": _is_list_of(is_count),
    "ignored_values": _is_list_of(is_label),
    "ignored_voxels": is_count,
}
