"""The identity of a cube: its content, wherever it and its scans lie.

Two cubes are the same if they were built alike from the same voxels: the digest has
no path, no name of a file, no package version, and no checksum of a file's bytes where
there is one of its voxels. Numbers are rounded, as processors differ in the last bits.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence

from augment.flags import FLAGS

DIGITS = 6
# What a row's source holds about files and their reading, beside the scan itself.
FILE_FACTS = (
    "image",
    "label",
    "image_checksum",
    "label_voxels",
    "label_names",
    "notes",
)
CONTENT_ATTRIBUTES = (
    "spacing",
    "class_names",
    "label_values",
    "class_members",
    "intensity",
)


def content_digest(
    attributes: Mapping[str, object],
    shape: Sequence[int],
    columns: Mapping[str, Sequence],
) -> str:
    """Return the SHA-256 of what a cube holds.

    Args:
        attributes: Of the cube, decoded. Of the arguments, the seed counts, which
            also decides the folds, and the transforms, which a training may apply.
        shape: Of a row.
        columns: By name, a value for each row, JSON-safe; "drawn" and "source" as JSON,
            of which the facts of `FILE_FACTS` have no effect.
    """
    arguments = attributes["arguments"]
    drawn = [_parse(text) for text in columns["drawn"]]
    sources = [_content_of(_parse(text)) for text in columns["source"]]
    ignored = {"ignored": attributes["ignored"]} if attributes.get("ignored") else {}
    content = {
        **ignored,
        **{name: attributes.get(name) for name in CONTENT_ATTRIBUTES},
        "shape": list(shape),
        "arguments": [arguments.get(name) for name in ("seed", *FLAGS)],
        **{name: list(values) for name, values in columns.items()},
        "drawn": drawn,
        "source": sources,
    }
    return hashlib.sha256(json.dumps(_rounded(content)).encode()).hexdigest()


def _parse(text: str) -> object:
    """Parse JSON; return the text itself if it is none, as a damaged cube may hold."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _content_of(source: object) -> object:
    """Return what a source says of the scan, without its files."""
    if not isinstance(source, Mapping):
        return source
    left_out = list(FILE_FACTS)
    if "label_content_checksum" in source:
        left_out.append("label_checksum")
    return {name: source[name] for name in sorted(source) if name not in left_out}


def _rounded(value: object) -> object:
    """Return JSON-safe content with its floats rounded."""
    if isinstance(value, float):
        return f"{value:.{DIGITS}g}"
    if isinstance(value, Mapping):
        return {name: _rounded(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(each) for each in value]
    return value
