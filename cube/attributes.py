"""The attributes of a cube, all checked when it is opened."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import h5py

from cube.values import (
    is_arguments,
    is_left_out,
    is_members,
    is_names,
    is_path,
    is_spacing,
    is_values,
)
from system.errors import DataError
from system.text import is_utf8, short_repr
from volumes.ignored import IGNORED
from volumes.intensity import is_mode

ATTRIBUTES = (
    "spacing",
    "class_names",
    "label_values",
    "intensity",
    "arguments",
    "versions",
)
# Attributes that other cubes lack, with what these are taken to hold: those of version
# 1, and those without voxels to ignore.
OPTIONAL_ATTRIBUTES: dict[str, object] = {"class_members": None, "ignored": ()}
# Attributes that say how a cube was built, and have no part in its identity.
RECORDS: dict[str, object] = {
    "left_out": {},
    "origin": {},
    "built_in": "",
    "request": None,
}

_IS_VALID: dict[str, Callable] = {
    "spacing": is_spacing,
    "class_names": is_names,
    "label_values": is_values,
    "intensity": is_mode,
    "arguments": is_arguments,
    "versions": lambda value: isinstance(value, dict),
    "class_members": lambda value: value is None or is_members(value),
    "ignored": lambda value: bool(value) and is_members([value]),
    "left_out": is_left_out,
    "origin": lambda value: is_path(value.get("pairs", "")),
    "built_in": is_path,
    "request": lambda value: value is None or isinstance(value, str),
}


def read_attributes(file: h5py.File, path: Path) -> dict[str, object]:
    """Read the attributes, which must describe the same number of classes.

    Args:
        file: Open for reading.
        path: Path of the file, for messages.

    Returns:
        Value of each attribute by its name; those that the file lacks have the values
        of `OPTIONAL_ATTRIBUTES` and `RECORDS`.

    Raises:
        DataError: If one is invalid, or two disagree.
    """
    attributes = OPTIONAL_ATTRIBUTES | RECORDS
    for name in (*ATTRIBUTES, *attributes):
        if name in file.attrs:
            attributes[name] = _read_attribute(file, name, path)
    members = attributes["class_members"]
    if members is not None and len(members) != len(attributes["class_names"]):
        raise DataError(
            f"{path} must have structures for each class. Received: {len(members)} for "
            f"{len(attributes['class_names'])}"
        )
    if attributes["ignored"] and len(attributes["class_names"]) > IGNORED:
        raise DataError(
            f"{path} must have at most {IGNORED} classes, as it ignores voxels. "
            f"Received: {len(attributes['class_names'])}"
        )
    if len(attributes["class_names"]) != len(attributes["label_values"]):
        raise DataError(
            f"{path} must have label values for each class. Received: "
            f"{len(attributes['label_values'])} for {len(attributes['class_names'])}"
        )
    return attributes


def _read_attribute(file: h5py.File, name: str, path: Path) -> object:
    """Read an attribute, which is JSON."""
    text = file.attrs[name]
    try:
        value = json.loads(text)
        is_valid = isinstance(text, str) and is_utf8(text) and _IS_VALID[name](value)
    except (TypeError, ValueError, LookupError, AttributeError, RecursionError):
        is_valid = False
    if not is_valid:
        raise DataError(
            f"{path} must hold a valid `{name}`. Received: {short_repr(text)}"
        )
    return value
