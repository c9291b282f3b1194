"""Dropping the axes of length 1 of a NRRD file that holds one volume.

Some programs store a single volume as a list or time series of one, as in NIfTI.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

SPATIAL_KINDS = ("domain", "space", "none", "???")


def drop_single_axes(
    text: Mapping[str, str], fields: Mapping[str, Any]
) -> tuple[dict[str, str], dict[str, Any], tuple[str, ...]]:
    """Drop axes of length 1 until three are left.

    Axes that are not in space, by their direction or kind, go first, then the last
    ones. Nothing is dropped if this does not leave three axes in space.

    Args:
        text: The header's fields as they are written.
        fields: The parsed ones.

    Returns:
        Both without those axes, and a note that names them.
    """
    sides = fields["sizes"]
    single = [axis for axis, side in enumerate(sides) if side == 1]
    num_extra = len(sides) - 3
    described = [fields[name] for name in ("kinds", "spacings") if name in fields]
    is_consistent = all(len(values) == len(sides) for values in described)
    in_space = is_in_space(fields)
    is_one_volume = all(
        side == 1 for side, spatial in zip(sides, in_space, strict=True) if not spatial
    )
    if not (0 < num_extra <= len(single) and is_consistent and is_one_volume):
        return dict(text), dict(fields), ()
    dropped = sorted(single, key=lambda axis: (in_space[axis], -axis))[:num_extra]
    kept = [axis for axis in range(len(sides)) if axis not in dropped]
    fields = {**fields, "dimension": len(kept)}
    for name in ("sizes", "kinds", "spacings", "space directions"):
        if name in fields and len(fields[name]) == len(sides):
            values = [fields[name][axis] for axis in kept]
            fields[name] = (
                values if isinstance(fields[name], list) else np.array(values)
            )
    vectors = re.findall(r"none|\([^)]*\)", text.get("space directions", ""))
    if len(vectors) == len(sides):
        text = {**text, "space directions": " ".join(vectors[axis] for axis in kept)}
    numbers = " and ".join(str(axis + 1) for axis in sorted(dropped))
    return dict(text), fields, (f"Dropped of length 1: axis {numbers} of the file.",)


def is_in_space(fields: Mapping[str, Any]) -> list[bool]:
    """Return for each axis whether its direction, or else its kind, is one in space."""
    count = len(fields["sizes"])
    rows = fields.get("space directions", ())
    if len(rows) == count:
        missing = [row is None or bool(np.isnan(row).any()) for row in rows]
        if not all(missing):
            return [not is_missing for is_missing in missing]
    kinds = fields.get("kinds", ())
    if len(kinds) == count:
        return [kind.lower() in SPATIAL_KINDS for kind in kinds]
    return [True] * count
