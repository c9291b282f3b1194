"""A clean cube of three cases and one augmented copy, small enough to see."""

from dataclasses import replace

import numpy as np

from cube.writer import CubeRow, CubeWriter

SHAPE = (6, 8, 10)
SPACING = (2.0, 1.0, 0.5)
CLASS_NAMES = ("background", "L1", "L2")
CUBE_ATTRIBUTES = {
    "spacing": SPACING,
    "class_names": CLASS_NAMES,
    "label_values": [[], [20], [21]],
    "intensity": ["zscore"],
    "arguments": {"seed": 0},
}


def make_label():
    label = np.zeros(SHAPE, dtype=np.uint8)
    label[2:4, 2:6, 2:5] = 1  # 2 * 4 * 3 = 24 voxels
    label[2:4, 2:6, 5:7] = 2  # 2 * 4 * 2 = 16 voxels
    return label


def make_row(case_id, *, copy=0, split="train", subject=None, drawn=None):
    voxels = np.arange(np.prod(SHAPE)).reshape(SHAPE)
    return CubeRow(
        image=(voxels / 480).astype(np.float16),
        label=make_label(),
        case_id=case_id,
        subject=subject or f"subject of {case_id}",
        copy=copy,
        split=split,
        extent=np.array([[0, 6], [1, 8], [0, 10]]),
        affine=np.diag([*SPACING, 1.0]),
        drawn=drawn or {},
        source={
            "content_checksum": f"checksum of {case_id}",
            "spacing": [0.5, 1.0, 4.0],
            "orientation": "SPL",
        },
    )


def clean_rows():
    return [
        make_row("ann"),
        make_row("ann", copy=1, drawn={"rescaling": [1.0, 1.0, 1.0]}),
        make_row("ben", split="validation"),
        make_row("cid", split="test"),
    ]


def with_source(row, **source):
    """Return a row whose source has other entries."""
    return replace(row, source=row.source | source)


def only(findings):
    """Return the finding of a cube that has one."""
    assert len(findings) == 1, findings
    return findings[0]


def write_cube(path, rows, **attributes):
    """Write a cube with the given attributes instead of the usual ones."""
    attributes = CUBE_ATTRIBUTES | attributes
    with CubeWriter(
        path, shape=SHAPE, num_rows=len(rows), attributes=attributes
    ) as cube:
        for row in rows:
            cube.add(row)
    return path
