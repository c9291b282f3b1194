"""A brush for made-up scans: tissue laid over tissue, with partial volume.

Shapes are implicit functions, about mm to the surface, negative inside. The
brush covers a voxel by the share of it that lies inside.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from phantom.anatomy import Field
from volumes.geometry import Grid

# MR as in a T2-weighted spin echo, arbitrary units; CT in HU.
TISSUES = {
    "MR": {
        "air": 0, "skin": 330, "fat": 640, "muscle": 170, "marrow": 400,
        "cortex": 70, "fluid": 900, "cord": 400, "nucleus": 620, "annulus": 120,
        "ligament": 110, "vessel": 60, "wall": 230, "content": 480, "vein": 600,
        "gas": 15, "fibre": 400, "fatty marrow": 540,
    },
    "CT": {
        "air": -1000, "skin": 30, "fat": -100, "muscle": 50, "marrow": 200,
        "cortex": 800, "fluid": 8, "cord": 38, "nucleus": 85, "annulus": 105,
        "ligament": 45, "vessel": 45, "wall": 35, "content": 15, "vein": 120,
        "gas": -850, "fibre": -15, "fatty marrow": 90,
    },
}  # fmt: skip

# How much a tissue's own grain changes it: one standard deviation.
GRAIN = {"MR": 45.0, "CT": 30.0}

Box = tuple[slice, slice, slice]


class Canvas:
    """An image being painted, with its label map.

    Args:
        grid: Its axes run nearest to right, anterior, superior.
        modality: "MR" or "CT".
        rng: Draws the tissues' values and grain.

    Attributes:
        image: Intensities, shape (I, J, K), float32.
        label_map: Values of the vertebrae, shape (I, J, K), uint8.
    """

    def __init__(self, grid: Grid, modality: str, rng: np.random.Generator):
        self.grid = grid
        self.rng = rng
        self.modality = modality
        share = 0.12 if modality == "MR" else 0.05
        self.tissues = {
            name: value * float(rng.uniform(1 - share, 1 + share))
            for name, value in TISSUES[modality].items()
        }
        self.tissues["air"] = float(TISSUES[modality]["air"])
        self.image = np.full(grid.shape, self.tissues["air"], np.float32)
        self.label_map = np.zeros(grid.shape, np.uint8)
        self.depth = np.zeros(grid.shape, np.float32)  # of the labelled shape
        self.fine = grain(grid, 2.5, rng)
        self.coarse = grain(grid, 9.0, rng)

    def box(self, frame: npt.NDArray, low, high) -> Box | None:
        """Find the voxels that may lie within a box, mm, of a part's frame."""
        bounds = np.array([low, high], float)
        corners = np.array(
            [[bounds[c >> a & 1, a] for a in range(3)] for c in range(8)]
        )
        index = self.grid.to_index(corners @ frame[:3, :3].T + frame[:3, 3])
        first = np.clip(np.floor(index.min(0)) - 1, 0, self.grid.shape).astype(int)
        last = np.clip(np.ceil(index.max(0)) + 2, 0, self.grid.shape).astype(int)
        if (last - first < 2).any():
            return None
        return tuple(slice(a, b) for a, b in zip(first, last, strict=True))

    def coordinates(self, box: Box, frame: npt.NDArray) -> list[Field]:
        """Give u, v and w, mm in a part's frame, of the voxels in a box."""
        to_part = np.linalg.inv(frame) @ self.grid.affine
        along = np.ogrid[box]
        return [
            sum((row[a] * along[a] for a in range(3)), row[3]).astype(np.float32)
            for row in to_part[:3]
        ]

    def paint(self, box: Box, shape: Field, tissue: str, texture: float = 0.0) -> None:
        """Lay a tissue over the voxels in `box` as far as `shape` covers them."""
        self.cover(box, coverage(shape, footprint(shape)), tissue, texture)

    def cover(self, box: Box, share: Field, tissue: str, texture: float = 0.0) -> None:
        """Lay a tissue over the voxels in `box` by the share of each, [0, 1]."""
        value = self.tissues[tissue]
        if texture:
            grains = self.fine[box] + 0.7 * self.coarse[box]
            value = value + np.float32(texture * GRAIN[self.modality]) * grains
        self.image[box] += share * (value - self.image[box])


def grain(grid: Grid, scale: float, rng: np.random.Generator) -> Field:
    """Draw a smooth random field, shape (I, J, K), of about unit variance.

    Args:
        grid: Where it is wanted.
        scale: Distance in mm between its independent values.
        rng: Draws them.
    """
    knots = [
        max(int(np.ceil(n * s / scale)) + 2, 3)
        for n, s in zip(grid.shape, grid.spacing, strict=True)
    ]
    field = rng.standard_normal(knots, dtype=np.float32)
    for axis in range(3):
        place = np.linspace(0, knots[axis] - 1.001, grid.shape[axis])
        left = place.astype(int)
        share = (place - left).astype(np.float32)
        share = share.reshape([-1 if a == axis else 1 for a in range(3)])
        lower, upper = np.take(field, left, axis), np.take(field, left + 1, axis)
        # Divided by the root of the weights' squares, the variance stays one.
        weight = np.sqrt(share * share + (1 - share) ** 2)
        field = (lower + share * (upper - lower)) / weight
    return field


def footprint(shape: Field) -> Field:
    """Measure how far, in the shape's own unit, one voxel reaches across it."""
    reach = sum(np.abs(slope) for slope in np.gradient(shape))
    return np.maximum(reach, np.float32(0.5))


def coverage(shape: Field, reach: Field) -> Field:
    """Estimate the share, [0, 1], of each voxel that lies inside the shape."""
    return np.clip(0.5 - shape / reach, 0, 1)


def edge(shape: Field, width: float = 1.2) -> Field:
    """Estimate the share inside for large shapes, over an edge `width` mm wide."""
    return np.clip(0.5 - shape / np.float32(width), 0, 1)


def ellipse(first: Field, second: Field, half_first, half_second) -> Field:
    """Shape an ellipse with the given half axes in mm, about a distance in mm."""
    radius = np.sqrt((first / half_first) ** 2 + (second / half_second) ** 2)
    # Two plain numbers would make a float64 of their own.
    return (radius - 1) * np.minimum(half_first, half_second, dtype=np.float32)
