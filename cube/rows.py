"""Making a row of the cube from a scan and its label map, as a pure function."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from augment.compose import Compose, coordinate_map, generator_for, replay
from augment.spatial import smallest_jacobian
from cube.writer import CubeRow
from system.errors import DataError
from volumes.classes import classify_labels
from volumes.geometry import Grid, canonical_grid
from volumes.intensity import Intensity, measure_intensity
from volumes.resample import antialias, filled_extent, mapped_affine

MAX_FLOAT16 = float(np.finfo(np.float16).max)  # larger values become infinite


@dataclass(frozen=True)
class CubeSpec:
    """What all rows of a cube have in common.

    Args:
        spacing: Voxel spacing in mm along right, anterior, superior.
        shape: Grid of every row, (I, J, K).
        intensity: Mode of `measure_intensity`.
        compose: The augmentation.
        seed: Seed of the augmentation.
    """

    spacing: tuple[float, float, float]
    shape: tuple[int, int, int]
    intensity: tuple
    compose: Compose
    seed: int


@dataclass(frozen=True)
class PreparedCase:
    """A scan and its label map, measured and smoothed once for all copies.

    Args:
        image: Voxels on the scanner's grid, finite.
        label: Unsigned integers on the same grid.
        grid: The scanner's grid.
        spec: What all rows of the cube have in common.
        classes: Class of each value of this label map, from `build_lookup`.
    """

    image: np.ndarray
    label: np.ndarray
    grid: Grid
    spec: CubeSpec
    classes: npt.NDArray[np.uint8]

    @cached_property
    def intensity(self) -> Intensity:
        """Normalisation of the scan, measured on its own voxels."""
        return measure_intensity(self.image, self.spec.intensity)

    @cached_property
    def classified(self) -> npt.NDArray[np.uint8]:
        """Class of each voxel, shape (I, J, K)."""
        return classify_labels(self.label, self.classes)

    @cached_property
    def target(self) -> Grid:
        """Grid of the cube, centred on the scan."""
        return canonical_grid(self.grid, self.spec.spacing, self.spec.shape)

    @cached_property
    def smoothed(self) -> np.ndarray:
        """Image, (I, J, K), blurred along the axes on which the cube is coarser."""
        return antialias(self.image, self.grid, self.target)


def draw_copy(
    spec: CubeSpec, case_id: str, copy: int
) -> tuple[dict[str, Any], npt.NDArray[np.float64]]:
    """Draw the augmentation of a copy; copy 0 is not augmented.

    Returns:
        The drawn values, and the affine map from output to input points, shape
        (3, 4). An elastic entry also reports the smallest Jacobian determinant.
    """
    if copy == 0:
        return {}, np.eye(3, 4)
    drawn = spec.compose.draw(generator_for(spec.seed, case_id, copy))
    mapping = coordinate_map(drawn, spec.shape, spec.spacing)
    if mapping.control is not None:
        smallest = smallest_jacobian(mapping.control, spec.shape, spec.spacing)
        elastic = {**drawn["elastic"], "smallest_jacobian": round(smallest, 3)}
        drawn = {**drawn, "elastic": elastic}
    return drawn, mapping.output_to_input


def draw_extent(
    spec: CubeSpec, case_id: str, grid: Grid, copy: int
) -> npt.NDArray[np.int64]:
    """Return the box that a row's scan will fill, before it is made.

    Args:
        spec: What all rows of the cube have in common.
        case_id: Name of the case.
        grid: The scanner's grid.
        copy: 0 for the scan itself, 1, 2, ... for augmented copies.
    """
    target = canonical_grid(grid, spec.spacing, spec.shape)
    if copy == 0:
        return filled_extent(grid, target)
    drawn = spec.compose.draw(generator_for(spec.seed, case_id, copy))
    affine = {name: value for name, value in drawn.items() if name != "elastic"}
    mapping = coordinate_map(affine, spec.shape, spec.spacing)
    return filled_extent(grid, target, mapping.output_to_input)


def make_row(
    case: PreparedCase,
    *,
    case_id: str,
    subject: str,
    split: str,
    source: dict,
    copy: int,
) -> CubeRow:
    """Make one row of the cube: the scan itself, or one augmented copy.

    Args:
        case: The scan and its label map.
        case_id: Name of the case; with the copy number and the seed of the
            specification it decides what is drawn.
        subject: The person.
        split: "train", "validation" or "test".
        source: Where the scan came from.
        copy: 0 for the scan itself, 1, 2, ... for augmented copies.

    Returns:
        The row, which depends on the arguments alone.

    Raises:
        DataError: If the scan lies between the cube's voxels.
    """
    spec, target = case.spec, case.target
    drawn, output_to_input = draw_copy(spec, case_id, copy)
    extent = filled_extent(case.grid, target, output_to_input)
    if copy == 0:
        _check_extent(extent, case, case_id)
    image, label = replay(
        drawn,
        case.smoothed,
        case.classified,
        source=case.grid,
        target=target,
        intensity=case.intensity,
    )
    return CubeRow(
        image=image.clip(-MAX_FLOAT16, MAX_FLOAT16).astype(np.float16),
        label=label,
        case_id=case_id,
        subject=subject,
        copy=copy,
        split=split,
        extent=extent,
        affine=mapped_affine(target, output_to_input),
        drawn=drawn,
        source=source,
    )


def _check_extent(
    extent: npt.NDArray[np.int64], case: PreparedCase, case_id: str
) -> None:
    """Check that a scan fills voxels of the cube, rather than lie between two."""
    if np.any(extent[:, 0] >= extent[:, 1]):
        raise DataError(
            f"Case '{case_id}' must be thicker than a voxel of the cube. Received: "
            f"{case.grid}, for a cube of {case.spec.spacing} mm"
        )
