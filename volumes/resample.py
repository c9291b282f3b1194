"""Resampling a scan onto the cube's grid, and a prediction back, in one interpolation.

Every spatial step is a coordinate map in mm about the volume's centre. The maps are
composed, and the voxels are sampled once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product

import numpy as np
import numpy.typing as npt

from volumes.filters import gaussian_blur
from volumes.geometry import Grid, canonical_axes
from volumes.sampling import BORDER
from volumes.warp import ControlGrid, warp

# Full width at half maximum of a Gaussian of sigma 1.
FWHM = 2 * np.sqrt(2 * np.log(2))


@dataclass(frozen=True)
class CoordinateMap:
    """The input point of each output point, in mm about the centre.

    An output point p, along the target grid's axes, reads the input at
    `output_to_input @ (p + displacement(p), 1)`. The default is the identity.

    Args:
        output_to_input: Shape (3, 4), or (3, 3) without translation; not singular.
        control: Displacement in mm on a control grid, or None.
    """

    output_to_input: npt.NDArray[np.float64] = field(
        default_factory=lambda: np.eye(3, 4)
    )
    control: ControlGrid | None = None


def mapped_affine(target: Grid, output_to_input: npt.ArrayLike) -> np.ndarray:
    """Compute the affine from target index to the scan's world by `output_to_input`.

    Args:
        target: The grid of the output.
        output_to_input: See `CoordinateMap`.

    Returns:
        Affine of shape (4, 4).
    """
    output_to_input = np.asarray(output_to_input, dtype=np.float64)
    half = (np.array(target.shape) - 1) / 2
    affine = np.eye(4)
    affine[:3, :3] = (
        target.direction @ output_to_input[:, :3] * np.array(target.spacing)
    )
    affine[:3, 3] = target.center - affine[:3, :3] @ half
    if output_to_input.shape[1] == 4:
        affine[:3, 3] += target.direction @ output_to_input[:, 3]
    return affine


def index_map(source: Grid, target: Grid, output_to_input: npt.ArrayLike) -> np.ndarray:
    """Compute the map output index -> mm about the centre -> world -> input index.

    Returns:
        Matrix of shape (3, 4) from target index to source index.
    """
    return (np.linalg.inv(source.affine) @ mapped_affine(target, output_to_input))[:3]


def antialias(image: np.ndarray, source: Grid, target: Grid) -> np.ndarray:
    """Blur an image along the axes on which the target grid is coarser.

    The Gaussian widens a point spread of one source voxel to one target voxel:
    `sigma = sqrt(target^2 - source^2) / FWHM` per axis, in mm.

    Args:
        image: Shape (I, J, K), on `source`.
        source: Grid of the image.
        target: Grid that the image will be sampled on.

    Returns:
        The image itself if no axis gets coarser, else a float32 copy.

    Reference:
        Cardoso et al., 2015, https://doi.org/10.1007/978-3-319-24571-3_81,
        section 2.
    """
    axes, _ = canonical_axes(source)
    target_axes, _ = canonical_axes(target)
    sigmas = [0.0, 0.0, 0.0]
    for axis, target_axis in zip(axes, target_axes, strict=True):
        fine, coarse = source.spacing[axis], target.spacing[target_axis]
        if coarse > fine * 1.01 and image.shape[axis] > 1:
            sigmas[axis] = np.sqrt(coarse**2 - fine**2) / FWHM / fine
    return gaussian_blur(image, sigmas)


def resample(
    image: np.ndarray,
    label: np.ndarray | None,
    source: Grid,
    target: Grid,
    *,
    background: float = 0.0,
    through: CoordinateMap | None = None,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint8]]:
    """Resample a scan and its label map onto another grid.

    Args:
        image: Shape (I, J, K) of `source`, after `antialias`.
        label: Classes, unsigned integers up to 255, on the same grid; or None.
        source: The grid of `image` and `label`.
        target: The grid of the result.
        background: Intensity outside the scan.
        through: Spatial augmentation. Defaults to none.

    Returns:
        The image, float32, and the label map, uint8, on `target`.
    """
    through = CoordinateMap() if through is None else through
    matrix = index_map(source, target, through.output_to_input)
    control = through.control
    if control is not None:
        per_mm = matrix[:, :3] / np.array(target.spacing)
        values = np.einsum("ab,b...->a...", per_mm, control.values)
        control = ControlGrid(values, control.step)
    return warp(
        image,
        label,
        matrix,
        target.shape,
        background=background,
        control=control,
    )


def filled_extent(
    source: Grid, target: Grid, output_to_input: npt.ArrayLike | None = None
) -> npt.NDArray[np.int64]:
    """Compute the box of the target grid that the scan fills.

    Args:
        source: Grid of the scan.
        target: Grid that it is sampled on.
        output_to_input: As of `mapped_affine`; None for the identity.

    Returns:
        First and one-past-last index along each axis, shape (3, 2). The box
        encloses the scan's eight outer corners; a displacement is ignored.
    """
    matrix = index_map(
        source, target, np.eye(3) if output_to_input is None else output_to_input
    )
    sides = np.array(source.shape)
    outer = np.array(list(product((-1, 1), repeat=3)))
    corners = (sides - 1) / 2 + outer * ((sides - 1) / 2 + BORDER)
    found = np.linalg.solve(matrix[:, :3], (corners - matrix[:, 3]).T).T
    low = np.ceil(found.min(axis=0))
    high = np.floor(found.max(axis=0)) + 1
    box = np.stack([low, high], axis=1)
    return np.clip(box, 0, np.array(target.shape)[:, None]).astype(np.int64)
