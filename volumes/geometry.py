"""Grids: the mapping between voxel indices and patient coordinates.

World coordinates are RAS+ in mm everywhere behind the readers: x to the
patient's right, y to the anterior, z to the superior. Arrays are (I, J, K).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
import numpy.typing as npt
from nibabel.orientations import aff2axcodes, io_orientation

from system.limits import MAX_LENGTH, SPACING_RANGE

# Largest distance of two corners, as a fraction of a voxel, at which grids are the
# same: rounded headers pass, real shifts do not.
SHARED_GRID_TOLERANCE = 0.02
# Largest cosine between axes that are taken to be at right angles: 0.1 degree.
RIGHT_ANGLE_TOLERANCE = math.sin(math.radians(0.1))


def affine_from(
    spacing: Sequence[float],
    origin: npt.ArrayLike = (0.0, 0.0, 0.0),
    direction: npt.ArrayLike | None = None,
) -> npt.NDArray[np.float64]:
    """Build the affine that maps voxel indices to world coordinates.

    Args:
        spacing: Distance in mm between voxel centres along axes I, J, K.
        origin: World coordinates in mm of the centre of voxel (0, 0, 0).
        direction: Direction cosines, shape (3, 3). Column `a` is the world
            direction of array axis `a`. Defaults to the identity.

    Returns:
        Affine of shape (4, 4), float64, so that `world = affine @ (i, j, k, 1)`.

    Raises:
        ValueError: If a spacing is not positive.
    """
    if not all(side > 0 for side in spacing):
        raise ValueError(
            "Spacing must be positive along every axis. "
            f"Received: spacing={tuple(spacing)}"
        )
    affine = np.eye(4)
    affine[:3, :3] = np.eye(3) if direction is None else direction
    affine[:3, :3] *= spacing  # scales column a by spacing[a]
    affine[:3, 3] = origin
    return affine


@dataclass(frozen=True, eq=False)
class Grid:
    """The lattice of voxel centres of a volume.

    Args:
        shape: Number of voxels along I, J, K; each at least 1.
        affine: Voxel index to world mm, shape (4, 4), not singular.

    Raises:
        ValueError: If a side is empty, the affine is not finite or singular, or a
            length is beyond `system.limits`.
    """

    shape: tuple[int, int, int]
    affine: npt.NDArray[np.float64]

    def __post_init__(self):
        affine = np.array(self.affine, dtype=np.float64)
        affine.flags.writeable = False
        object.__setattr__(self, "affine", affine)
        object.__setattr__(self, "shape", tuple(int(side) for side in self.shape))
        if len(self.shape) != 3 or min(self.shape) < 1:
            raise ValueError(
                "A grid needs three sides of at least one voxel. "
                f"Received: shape={self.shape}"
            )
        is_finite = (np.abs(affine) < MAX_LENGTH).all()  # False for NaN
        lengths = np.linalg.norm(affine[:3, :3] if is_finite else np.eye(3), axis=0)
        low, high = SPACING_RANGE
        if not (is_finite and (lengths >= low).all() and (lengths <= high).all()):
            raise ValueError(
                f"The affine must be finite, below {MAX_LENGTH:g} mm, with columns of "
                f"{low:g} to {high:g} mm. Received: affine={affine.tolist()}"
            )
        if (lengths * self.shape).max() > MAX_LENGTH:
            raise ValueError(
                f"A grid's sides must be at most {MAX_LENGTH:g} mm long. Received: "
                f"shape={self.shape}, spacing={lengths.tolist()}"
            )
        if abs(np.linalg.det(affine[:3, :3] / lengths)) < 1e-3:
            raise ValueError(
                "The three axes must not lie in one plane. "
                f"Received: directions={(affine[:3, :3] / lengths).tolist()}"
            )

    @cached_property
    def spacing(self) -> tuple[float, float, float]:
        """Distance in mm between voxel centres along I, J, K."""
        return tuple(np.linalg.norm(self.affine[:3, :3], axis=0).tolist())

    @cached_property
    def origin(self) -> tuple[float, float, float]:
        """World coordinates in mm of the centre of voxel (0, 0, 0)."""
        return tuple(self.affine[:3, 3].tolist())

    @cached_property
    def direction(self) -> npt.NDArray[np.float64]:
        """Direction cosines, shape (3, 3); column `a` belongs to array axis `a`."""
        return self.affine[:3, :3] / self.spacing

    @cached_property
    def voxel_volume(self) -> float:
        """Volume of a voxel in mm3, of slanted ones as well."""
        box = math.prod(self.spacing)
        share = abs(float(np.linalg.det(self.direction)))
        return box if share > 1 - 1e-9 else box * share  # not its rounding

    @cached_property
    def is_right_angled(self) -> bool:
        """Whether the axes are at right angles, within 0.1 degree."""
        cosines = self.direction.T @ self.direction - np.eye(3)
        return bool(np.abs(cosines).max() <= RIGHT_ANGLE_TOLERANCE)

    @cached_property
    def steps(self) -> npt.NDArray[np.float64]:
        """The vector in mm of a step along each array axis, as columns, shape (3, 3).

        For distances, which do not depend on how the axes lie in the world: diagonal
        if they are at right angles, else those of the affine.
        """
        if self.is_right_angled:
            return np.diag(self.spacing)
        return self.affine[:3, :3].copy()

    @cached_property
    def orientation(self) -> str:
        """Axis codes such as "RAS": the nearest direction of each array axis."""
        return "".join(aff2axcodes(self.affine))

    @cached_property
    def center(self) -> npt.NDArray[np.float64]:
        """World coordinates in mm of the volume's centre, index `(n - 1) / 2`."""
        return self.to_world((np.array(self.shape) - 1) / 2)

    def to_world(self, indices: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Map voxel indices, shape (..., 3), to world mm of the same shape."""
        return np.asarray(indices) @ self.affine[:3, :3].T + self.affine[:3, 3]

    def to_index(self, points: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Map world mm, shape (..., 3), to fractional voxel indices."""
        inverse = np.linalg.inv(self.affine)
        return np.asarray(points) @ inverse[:3, :3].T + inverse[:3, 3]

    def corners(self) -> npt.NDArray[np.float64]:
        """World mm of the eight outermost voxel centres, shape (8, 3)."""
        last = np.array(self.shape) - 1
        return self.to_world(np.array(list(product((0, 1), repeat=3))) * last)

    def __str__(self) -> str:
        def figures(values):
            return "(" + ", ".join(f"{value + 0.0:.6g}" for value in values) + ")"

        axes = " ".join(figures(axis) for axis in self.direction.T.round(5))
        return (
            f"shape {self.shape}, spacing {figures(self.spacing)} mm, "
            f"origin {figures(self.origin)} mm, orientation {self.orientation}, "
            f"axes {axes}"
        )


def largest_corner_distance(first: Grid, second: Grid) -> float:
    """Compute the largest distance of two grids' corresponding corners in mm.

    It is infinite for grids of different shape, whose voxels do not correspond.
    """
    if first.shape != second.shape:
        return float("inf")
    return float(np.linalg.norm(first.corners() - second.corners(), axis=1).max())


def share_a_grid(first: Grid, second: Grid) -> bool:
    """Return whether all corners agree within 2 % of a voxel along each axis."""
    if first.shape != second.shape:
        return False
    apart = first.to_index(second.corners()) - first.to_index(first.corners())
    return bool(np.abs(apart).max() <= SHARED_GRID_TOLERANCE)


def canonical_axes(grid: Grid) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the array axes of `grid` nearest to right, anterior and superior.

    Returns:
        The array axis of each canonical axis, shape (3,), and its sign, shape (3,):
        +1 if it runs in the canonical direction, -1 if in the opposite one.
    """
    orientation = io_orientation(grid.affine)  # row a: canonical axis, sign
    axes = np.argsort(orientation[:, 0])
    return axes, orientation[axes, 1].astype(np.int64)


def canonical_spacing(grid: Grid) -> tuple[float, float, float]:
    """Return the spacing in mm along right, anterior and superior."""
    axes, _ = canonical_axes(grid)
    right, anterior, superior = (float(grid.spacing[axis]) for axis in axes)
    return right, anterior, superior


def canonical_grid(
    grid: Grid, spacing: Sequence[float], shape: Sequence[int] | None = None
) -> Grid:
    """Build a grid with a scan's centre, axes to R, A, S, and a new spacing.

    The axes follow the scan's own, so an oblique scan stays upright in its own
    frame and sagittal slices stay sagittal. Sheared axes are replaced by the nearest
    orthonormal ones in the least-squares sense.

    Args:
        grid: The scan's grid.
        spacing: Distance in mm between voxel centres of the new grid.
        shape: Number of voxels of the new grid. Defaults to the smallest shape that
            covers the scan including its voxel borders.

    Returns:
        A grid with orthonormal axes nearest to RAS, centred on the scan.
    """
    axes, signs = canonical_axes(grid)
    left, _, right = np.linalg.svd(grid.direction[:, axes] * signs)
    direction = left @ right
    if shape is None:
        sides = _sides_along(grid, axes, direction)
        shape = [max(math.ceil(side), 1) for side in sides / spacing - 1e-3]
    affine = affine_from(spacing, direction=direction)
    half = affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    affine[:3, 3] = grid.center - half
    right, anterior, superior = shape
    return Grid((right, anterior, superior), affine)


def _sides_along(
    grid: Grid, axes: npt.NDArray[np.int64], direction: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Return the lengths in mm of the box along `direction` that holds a scan.

    Each is the sum of what the array axes contribute, of which there is one, on the
    same line, where the axes are at right angles.
    """
    if grid.is_right_angled:
        return np.array(grid.shape)[axes] * np.array(grid.spacing)[axes]
    return np.abs(direction.T @ grid.affine[:3, :3]) @ np.array(grid.shape)


def canonical_view(array: np.ndarray, grid: Grid) -> np.ndarray:
    """Return a view whose axes run to the right, anterior and superior.

    Args:
        array: Shape of `grid`.
        grid: Position of the array.

    Returns:
        A view with permuted and reversed axes; nothing is copied or interpolated.
    """
    axes, signs = canonical_axes(grid)
    turned = array.transpose(axes)
    return turned[tuple(slice(None, None, int(sign)) for sign in signs)]
