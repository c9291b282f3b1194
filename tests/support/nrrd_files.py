"""NRRD files written out by hand, field by field."""

from __future__ import annotations

from pathlib import Path

import numpy as np

SHAPE = (2, 3, 4)
# Each voxel holds 100 i + 10 j + k, so an index can be read off its value.
VOXELS = np.tensordot((100, 10, 1), np.indices(SHAPE), axes=1).astype(np.int16)

FIELDS = {
    "type": "short",
    "dimension": "3",
    "space": "left-posterior-superior",
    "sizes": "2 3 4",
    "space directions": "(0.5,0,0) (0,1,0) (0,0,2)",
    "kinds": "domain domain domain",
    "endian": "little",
    "encoding": "raw",
    "space origin": "(10,20,30)",
}


def nrrd_bytes(data=None, pairs=(), **changes):
    """A file as text and data; a change to None leaves the field out."""
    fields = {
        **FIELDS,
        **{key.replace("_", " "): text for key, text in changes.items()},
    }
    lines = ["NRRD0005", "# made by hand"]
    lines += [f"{key}: {text}" for key, text in fields.items() if text is not None]
    lines += pairs
    data = VOXELS.tobytes(order="F") if data is None else data
    return "\n".join([*lines, "", ""]).encode() + data


def write(folder: Path, content: bytes, name="scan.nrrd") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path
