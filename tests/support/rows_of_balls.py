"""Masks of balls, of which the answers are known: a spine of them, and blobs."""

import numpy as np

from volumes.geometry import Grid, affine_from

# I -> inferior, J -> anterior, K -> right, turned by 20 degrees.
COS, SIN = np.cos(np.pi / 9), np.sin(np.pi / 9)
DIRECTION = [[0, SIN, COS], [0, COS, -SIN], [-1, 0, 0]]
SPACING = (1.5, 2.0, 3.0)


def grid_around(centers, margin=24.0):
    """Return an oblique, anisotropic grid around points in world mm."""
    points = np.atleast_2d(centers)
    low, high = points.min(axis=0) - margin, points.max(axis=0) + margin
    corners = np.array([low, high])
    corners = np.stack(np.meshgrid(*corners.T), axis=-1).reshape(-1, 3)
    start = Grid((1, 1, 1), affine_from(SPACING, (0, 0, 0), DIRECTION))
    indices = start.to_index(corners)
    origin = start.to_world(np.floor(indices.min(axis=0)))
    sides = np.ceil(np.ptp(indices, axis=0)).astype(int) + 1
    return Grid(tuple(sides), affine_from(SPACING, origin, DIRECTION))


def mark_balls(grid, centers, radii):
    """Return a mask of balls; centres and radii in world mm."""
    mask = np.zeros(grid.shape, bool)
    radii = np.broadcast_to(radii, len(centers))
    for center, radius in zip(centers, radii, strict=True):
        middle, reach = grid.to_index(center), radius / np.array(grid.spacing)
        low = np.maximum(np.floor(middle - reach), 0).astype(int)
        high = np.minimum(np.ceil(middle + reach) + 1, grid.shape).astype(int)
        box = tuple(map(slice, low, np.maximum(high, low)))
        places = grid.to_world(np.moveaxis(np.mgrid[box], 0, -1))
        mask[box] |= np.linalg.norm(places - center, axis=-1) <= radius
    return mask


def spine_of(count, step=30.0):
    """Return the centres of balls from below, each 4 mm more to the right."""
    number = np.arange(count)[:, None]
    return np.array([10.0, -20.0, 400.0]) + number * [4.0, 0.0, step]
