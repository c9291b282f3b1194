"""Planes through a spine, for pictures: they bend along its curve."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from spine.chain import find_chain
from spine.curve import fit_curve
from spine.reformat import depths_at
from volumes.geometry import Grid, affine_from
from volumes.planes import CORONAL, SAGITTAL, Plane, Planes, choose_straight_planes

MIN_VERTEBRAE = 3  # fewer may be anything
EXTENSION_MM = 15.0  # of the curve beyond the outer vertebrae
COARSE_MM = 2.0  # voxels between which some are left out to find the chain


def choose_planes(
    label_map: npt.NDArray,
    spacing: tuple[float, float, float],
    vertebrae: tuple[int, ...] = (),
) -> Planes:
    """Choose a sagittal, a coronal and an axial plane that show a spine.

    Where a chain of vertebrae is found, the sagittal and the coronal plane follow its
    curve, and the axial one goes through its middle vertebra. Elsewhere they are
    straight; see `choose_straight_planes`.

    Args:
        label_map: Classes, shape (I, J, K), axes to right, anterior and superior.
        spacing: In mm along I, J, K.
        vertebrae: Classes that are a vertebra each; all foreground if there are none.
    """
    straight = choose_straight_planes(label_map)
    steps = [max(1, int(COARSE_MM / side)) for side in spacing]
    coarse = label_map[tuple(slice(None, None, step) for step in steps)]
    mask = coarse > 0
    if vertebrae and np.isin(vertebrae, coarse).any():
        mask = np.isin(coarse, vertebrae)
    sides = [side * step for side, step in zip(spacing, steps, strict=True)]
    first, second, third = mask.shape
    chain = find_chain(mask, Grid((first, second, third), affine_from(sides)))
    if chain is None or len(chain) < MIN_VERTEBRAE:
        return straight
    curve = fit_curve(chain.centers, EXTENSION_MM)
    heights = np.arange(label_map.shape[2]) * spacing[2]
    middle = chain.centers[len(chain) // 2, 2] / spacing[2]
    sagittal, coronal = (
        Plane(axis, depths_at(curve, heights, axis) / spacing[axis])
        for axis in (SAGITTAL, CORONAL)
    )
    return sagittal, coronal, Plane(straight[2].axis, np.array([np.rint(middle)]))
