"""Painting synthetic scans: tissue over tissue, with partial volume.

Shapes are implicit functions as in `phantom.anatomy`. A voxel is covered by the
fraction of it that lies inside.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from phantom.anatomy import Field
from volumes.geometry import Grid

# MR as in T2-weighted spin echo, arbitrary units; CT in HU.
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

# Standard deviation of a tissue's texture.
GRAIN = {"MR": 45.0, "CT": 30.0}

Box = tuple[slice, slice, slice]


class Canvas:
    """An image and its label map while they are painted.

    Args:
        grid: With axes nearest to right, anterior, superior.
        modality: "MR" or "CT".
        rng: Draws the tissues' values and texture.

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
        """Return the voxels that may lie in a box, in mm of a part's frame.

        Args:
            frame: The part's frame, shape (4, 4).
            low: Least u, v and w, in mm.
            high: Largest u, v and w, in mm.

        Returns:
            A slice per axis; None if no voxels of the grid lie there.
        """
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
        """Return u, v and w, in mm of a part's frame, of the voxels in a box.

        Args:
            box: Slices of the grid.
            frame: The part's frame, shape (4, 4).

        Returns:
            Three arrays of the shape of the box.
        """
        to_part = np.linalg.inv(frame) @ self.grid.affine
        along = np.ogrid[box]
        return [
            sum((row[a] * along[a] for a in range(3)), row[3]).astype(np.float32)
            for row in to_part[:3]
        ]

    def paint(self, box: Box, shape: Field, tissue: str, texture: float = 0.0) -> None:
        """Paint a tissue over the voxels in `box` that `shape` covers.

        Args:
            box: Slices of the grid.
            shape: Distance in mm to the surface, negative inside, shape of the box.
            tissue: A name in `TISSUES`.
            texture: Its standard deviation, as a multiple of `GRAIN`.
        """
        self.cover(box, coverage(shape, footprint(shape)), tissue, texture)

    def cover(self, box: Box, share: Field, tissue: str, texture: float = 0.0) -> None:
        """Paint as `paint`, with an opacity in [0, 1] for each voxel of the box."""
        value = self.tissues[tissue]
        if texture:
            grains = self.fine[box] + 0.7 * self.coarse[box]
            value = value + np.float32(texture * GRAIN[self.modality]) * grains
        self.image[box] += share * (value - self.image[box])


def grain(grid: Grid, scale: float, rng: np.random.Generator) -> Field:
    """Draw a smooth random field, shape (I, J, K), of about unit variance.

    Args:
        grid: Grid of the field.
        scale: Distance in mm of its independent values.
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
        # This keeps the variance at one.
        weight = np.sqrt(share * share + (1 - share) ** 2)
        field = (lower + share * (upper - lower)) / weight
    return field


def footprint(shape: Field) -> Field:
    """Estimate the change of a shape's value across one voxel."""
    reach = sum(np.abs(slope) for slope in np.gradient(shape))
    return np.maximum(reach, np.float32(0.5))


def coverage(shape: Field, reach: Field) -> Field:
    """Estimate the fraction, [0, 1], of each voxel inside the shape."""
    return np.clip(0.5 - shape / reach, 0, 1)


def edge(shape: Field, width: float = 1.2) -> Field:
    """Estimate the fraction inside large shapes, with an edge `width` mm wide."""
    return np.clip(0.5 - shape / np.float32(width), 0, 1)


def ellipse(first: Field, second: Field, half_first, half_second) -> Field:
    """Shape an ellipse with the given half axes in mm."""
    radius = np.sqrt((first / half_first) ** 2 + (second / half_second) ** 2)
    # The minimum of two Python floats would be a float64.
    return (radius - 1) * np.minimum(half_first, half_second, dtype=np.float32)
