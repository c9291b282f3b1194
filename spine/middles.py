"""Points in the middle of vertebrae, through which the curve of a spine is led."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from spine.basins import CORE_SHARE
from spine.chain import Chain

# To follow a body that may be several, in radii: the step to the next slab, which is
# beyond the end of one vertebra; half the thickness of a slab; how far its middle may
# be to the side; how deep it must be; and how deep voxels must be to matter at all.
SLAB_STEP = 2.0
SLAB_HALF = 0.5
SLAB_REACH = 1.2
BODY_SHARE = 0.6
DEEP_SHARE = 0.25
MAX_SLABS = 60  # far more than there are
MIN_SLABS = 3  # fewer lie within the curve's extension; they may be a dens


def find_middles(
    chain: Chain, labels: npt.NDArray[np.int32]
) -> npt.NDArray[np.float64]:
    """Return points for the curve: the centre of each vertebra, several of a long one.

    The curve through the centre of what is several vertebrae would end too soon, so
    it is followed up and down from there.

    Args:
        chain: Two vertebrae or more.
        labels: Of the vertebrae, shape of the basins' grid.
    """
    grid, depths = chain.basins.grid, chain.basins.depths
    tangents = _tangents(chain.centers)
    middles = []
    for number, box in enumerate(ndimage.find_objects(labels), start=1):
        center, radius = chain.centers[number - 1], float(chain.radii[number - 1])
        is_body = (labels[box] == number) & (depths[box] >= DEEP_SHARE * radius)
        points = grid.to_world(np.argwhere(is_body) + [side.start for side in box])
        of_body = depths[box][is_body]
        up = tangents[number - 1]
        below = _follow(points, of_body, center, radius, -up)
        above = _follow(points, of_body, center, radius, up)
        middles += [*below[::-1], center, *above]
    return np.array(middles)


def _tangents(centers: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return unit vectors upwards along a chain, shape (N, 3)."""
    steps = np.gradient(centers, axis=0)
    return steps / np.linalg.norm(steps, axis=1, keepdims=True)


def _follow(
    points: npt.NDArray[np.float64],
    depths: npt.NDArray[np.float32],
    center: npt.NDArray[np.float64],
    radius: float,
    direction: npt.NDArray[np.float64],
) -> list[npt.NDArray[np.float64]]:
    """Return the middles of slabs of a body, upwards or downwards from its centre.

    Slabs lie at right angles to the spine, which turns from slab to slab. The middles
    are none if they are fewer than `MIN_SLABS`.

    Args:
        points: World mm of deep voxels, shape (M, 3).
        depths: Of those voxels, shape (M,).
        center: World mm, shape (3,).
        radius: Of the largest sphere in the body, mm.
        direction: Unit vector along the spine, upwards or downwards, shape (3,).
    """
    middles, middle = [], center
    for _ in range(MAX_SLABS):
        steps = points - middle
        along = steps @ direction
        aside = np.linalg.norm(steps - along[:, None] * direction, axis=1)
        is_near = np.abs(along - SLAB_STEP * radius) <= SLAB_HALF * radius
        is_near &= aside <= SLAB_REACH * radius
        deepest = depths[is_near].max(initial=0)
        if deepest < BODY_SHARE * radius:
            break
        is_core = is_near & (depths >= CORE_SHARE * deepest)
        middle, before = points[is_core].mean(axis=0), middle
        radius = float(deepest)
        direction = direction + (middle - before) / np.linalg.norm(middle - before)
        direction = direction / np.linalg.norm(direction)
        middles.append(middle)
    return middles if len(middles) >= MIN_SLABS else []
