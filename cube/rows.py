"""From a scan and its label map to a row of the cube: a pure function."""

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
from volumes.resample import (
    antialias,
    filled_extent,
    mapped_affine,
)

LARGEST = float(np.finfo(np.float16).max)  # beyond it lies infinity


@dataclass(frozen=True)
class CubeSpec:
    """What all rows of a cube have in common.

    Args:
        spacing: Of the cube, in mm.
        shape: Of the cube, (I, J, K).
        classes: Class of each label value, uint8, shape (65536,).
        intensity: Mode of `measure_intensity`.
        compose: The augmentation.
        seed: The one seed.
    """

    spacing: tuple[float, float, float]
    shape: tuple[int, int, int]
    classes: npt.NDArray[np.uint8]
    intensity: tuple
    compose: Compose
    seed: int


@dataclass(frozen=True)
class PreparedCase:
    """A scan made ready: measured and smoothed once for all of its copies.

    Args:
        image: Voxels on the scanner's grid, finite.
        label: Unsigned integers on the same grid.
        grid: The scanner's grid.
        spec: What it is made ready for.
    """

    image: np.ndarray
    label: np.ndarray
    grid: Grid
    spec: CubeSpec

    @cached_property
    def intensity(self) -> Intensity:
        """How the scan is normalised, from its own voxels."""
        return measure_intensity(self.image, self.spec.intensity)

    @cached_property
    def classified(self) -> npt.NDArray[np.uint8]:
        """The class of each voxel."""
        return classify_labels(self.label, self.spec.classes)

    @cached_property
    def target(self) -> Grid:
        """The cube's grid laid over the case."""
        return canonical_grid(self.grid, self.spec.spacing, self.spec.shape)

    @cached_property
    def smoothed(self) -> np.ndarray:
        """The image, blurred where the cube is coarser."""
        return antialias(self.image, self.grid, self.target)


def draw_copy(
    spec: CubeSpec, case_id: str, copy: int
) -> tuple[dict[str, Any], npt.NDArray[np.float64]]:
    """Draw what a copy of a case gets; nothing for copy 0.

    Returns:
        The drawn values, and how output points are pulled, shape (3, 4). An
        elastic entry also reports the smallest Jacobian determinant.
    """
    if copy == 0:
        return {}, np.eye(3, 4)
    drawn = spec.compose.draw(generator_for(spec.seed, case_id, copy))
    through = coordinate_map(drawn, spec.shape, spec.spacing)
    if through.control is not None:
        smallest = smallest_jacobian(through.control, spec.shape, spec.spacing)
        reported = {"smallest_jacobian": round(smallest, 3)}
        drawn = {**drawn, "elastic": {**drawn["elastic"], **reported}}
    return drawn, through.output_to_input


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
        scan: The scan, made ready.
        case_id: Which scan; with the copy number and the spec's seed it
            decides what is drawn.
        subject: Which person.
        split: Which split.
        source: Where the scan came from.
        copy: 0 for the scan itself, 1, 2, ... for augmented copies.

    Returns:
        The row. It depends on the arguments and on nothing else.

    Raises:
        DataError: If the scan lies between the cube's voxels.
    """
    spec, target = case.spec, case.target
    drawn, output_to_input = draw_copy(spec, case_id, copy)
    extent = filled_extent(case.grid, target, output_to_input)
    if np.any(extent[:, 0] >= extent[:, 1]):
        raise DataError(
            f"Case '{case_id}' must be thicker than a voxel of the cube. Received: "
            f"{case.grid}, for a cube of {spec.spacing} mm"
        )
    image, label = replay(
        drawn,
        case.smoothed,
        case.classified,
        source=case.grid,
        target=target,
        intensity=case.intensity,
    )
    return CubeRow(
        image=image.clip(-LARGEST, LARGEST).astype(np.float16),
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
