"""Label maps of bodies and vertebrae whose measures are known by hand."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from phantom.anatomy import body_shape, vertebra_shape
from volumes.geometry import Grid, affine_from


def oblique_grid(centre, spacing, angles, half=(45, 45, 45), permute=(0, 1, 2)):
    """Build a grid around world mm, turned by degrees about x, y and z.

    Args:
        centre: World mm of its middle.
        spacing: mm along right, anterior and superior, before the turn.
        angles: Degrees.
        half: Half of its sides in mm.
        permute: Order of the array axes; the first of them is reversed.
    """
    turn = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    order = list(permute)
    direction = turn[:, order] * (-1, 1, 1)
    spacing = np.array(spacing)[order]
    shape = np.ceil(2 * np.array(half)[order] / spacing).astype(int)
    affine = affine_from(spacing, direction=direction)
    affine[:3, 3] = centre - affine[:3, :3] @ ((shape - 1) / 2)
    return Grid(tuple(shape), affine)


def in_frame(grid, frame):
    """Return u, v and w of every voxel in mm of a frame, shape (4, 4)."""
    index = np.moveaxis(np.indices(grid.shape), 0, -1)
    to_frame = np.linalg.inv(frame)
    points = grid.to_world(index) @ to_frame[:3, :3].T + to_frame[:3, 3]
    return np.moveaxis(points, -1, 0)


def wedge_box(grid, frame, sides, sagittal=0.0, coronal=0.0):
    """Return the mask of a box whose end plates lean apart by angles in degrees."""
    u, v, w = in_frame(grid, frame)
    width, depth, height = sides
    slope_v, slope_u = np.tan(np.radians([sagittal / 2, coronal / 2]))
    top = height / 2 + slope_v * v + slope_u * u
    return (np.abs(u) < width / 2) & (np.abs(v) < depth / 2) & (np.abs(w) < top)


def paint_parts(grid, parts, *, with_arch):
    """Return a label map of a phantom's vertebrae, with smooth surfaces."""
    label_map = np.zeros(grid.shape, np.uint8)
    shape = vertebra_shape if with_arch else body_shape
    for part in parts:
        u, v, w = (c.astype(np.float32) for c in in_frame(grid, part.frame))
        label_map[shape(part, u, v, w) < 0] = part.value
    return label_map
