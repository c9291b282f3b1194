"""Keeping the spine in a predicted label map, and dropping what lies elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from spine.basins import label_components, part_of
from spine.chain import Chain, find_chain
from spine.curve import Curve, fit_curve
from volumes.geometry import Grid, canonical_grid
from volumes.resample import resample

# Half axes in mm of the tube around the curve of a spine that holds whole vertebrae
# with their processes. The bodies of 49 MR scans lie within 37 mm to the side and 23
# mm before and behind the curve, the vertebrae of 3 CT scans within 46, 20 and 64 mm.
LATERAL_MM = 50.0
ANTERIOR_MM = 30.0
POSTERIOR_MM = 72.0
END_MM = 20.0  # rounds the ends of the tube, a vertebra beyond those of the chain
INNER = 0.25  # value of the ellipse up to which the tube's inner half reaches
# A component stays if this share of what it has in the tube lies in the inner half, or,
# in a spine with spinous processes, if nearly all of it lies in the tube.
LEAST_INNER_SHARE = 0.25
LEAST_TUBE_SHARE = 0.9
BODIES_REACH_MM = 30.0  # bodies never reach so far back, whole vertebrae do
LEAST_BACK_SHARE = 0.05
# All is kept if the chain has fewer vertebrae, or would drop a larger share of the
# prediction; a short chain that drops much has missed most of the spine. It lacks
# vertebrae as well if much lies in line with it, beyond its ends: more than this share
# of what is kept for each vertebra, as a long chain is rarely wrong. Set on predictions
# of networks in their first 500 to 800 steps.
MIN_VERTEBRAE = 3
SHORT_CHAIN = 4
MAX_DROPPED_OF_SHORT = 0.1
MAX_DROPPED = 0.8
MAX_BEYOND_PER_VERTEBRA = 0.04
IN_LINE = 0.5  # value of the ellipse
SEARCH_MM = 150.0  # beyond the ends of the chain
COARSE_MM = 4.0  # grid on which the tube is computed
SLAB_VOXELS = 20_000_000  # voxels whose zones are computed at a time
# Zones around a chain.
OUTSIDE, OUTER, BACK, INSIDE, BEYOND = range(5)


@dataclass(frozen=True, eq=False)
class Kept:
    """A label map of which the spine was kept.

    Args:
        classes: Shape (I, J, K); 0 is the background.
        dropped_ml: Volume of what was dropped.
        warning: Why all was kept; "" where the spine alone was.
    """

    classes: npt.NDArray[np.uint8]
    dropped_ml: float = 0.0
    warning: str = ""


def keep_spine(
    classes: npt.NDArray[np.uint8], grid: Grid, levels: Sequence[int] = ()
) -> Kept:
    """Keep what lies along the chain of vertebrae, of every class.

    The chain is found in all classes together and in each by itself, and the one of
    the highest score is taken, whatever the classes are called. Where the chain is
    short, or too much would be dropped, all is kept with a warning.

    Args:
        classes: Shape of `grid`; 0 is the background.
        grid: Of any spacing and direction.
        levels: Classes that are one vertebra each, in which alone the chain is
            sought; none if the classes are of other kinds.
    """
    boxes = ndimage.find_objects((classes > 0).view(np.uint8))
    if not boxes:
        return Kept(classes)
    box, part = boxes[0], part_of(grid, boxes[0])
    found = classes[box]
    chain = _find_best_chain(found, part, levels)
    num_vertebrae = 0 if chain is None else len(chain)
    if chain is None or num_vertebrae < MIN_VERTEBRAE:
        return Kept(
            classes,
            warning="all of the prediction was kept, since a chain of at least "
            f"{MIN_VERTEBRAE} vertebrae must be found. Received: {num_vertebrae}",
        )
    is_kept, beyond = _select(found > 0, part, chain)
    dropped = (found > 0) & ~is_kept
    share = np.count_nonzero(dropped) / np.count_nonzero(found)
    most = MAX_DROPPED_OF_SHORT if num_vertebrae <= SHORT_CHAIN else MAX_DROPPED
    if share > most or beyond > MAX_BEYOND_PER_VERTEBRA * num_vertebrae:
        return Kept(
            classes,
            warning="all of the prediction was kept, since the chain of "
            f"{num_vertebrae} vertebrae that was found leaves out too much: "
            f"{share:.0%} of the volume",
        )
    kept = classes.copy()
    kept[box][dropped] = 0
    voxel_ml = grid.voxel_volume / 1000
    return Kept(kept, float(np.count_nonzero(dropped) * voxel_ml))


def _find_best_chain(
    classes: npt.NDArray[np.uint8], grid: Grid, levels: Sequence[int]
) -> Chain | None:
    """Return the chain of the highest score in all classes, or in one of them."""
    if levels:
        return find_chain(np.isin(classes, levels), grid)
    masks = [classes > 0]
    present = np.unique(classes[masks[0]])
    if len(present) > 1:
        masks += [classes == number for number in present]
    chains = [find_chain(mask, grid) for mask in masks]
    found = [chain for chain in chains if chain is not None]
    return max(found, key=lambda chain: chain.score, default=None)


def _select(
    mask: npt.NDArray[np.bool_], grid: Grid, chain: Chain
) -> tuple[npt.NDArray[np.bool_], float]:
    """Select the part of a mask that belongs to the chain.

    Returns:
        The part, and the volume in line with the chain but beyond its ends, as a
        share of the part.
    """
    zones = _find_zones(grid, chain)
    components, count = label_components(mask)
    num_zones, rows = BEYOND + 1, count + 1
    pairs = components[mask] * num_zones + zones[mask]
    table = np.bincount(pairs, minlength=rows * num_zones).reshape(rows, num_zones)
    of_tube = table[:, [OUTER, BACK, INSIDE]].sum(axis=1)
    belongs = table[:, INSIDE] >= LEAST_INNER_SHARE * np.maximum(of_tube, 1)
    of_spine = table[belongs].sum(axis=0)
    if of_spine[BACK] >= LEAST_BACK_SHARE * of_tube[belongs].sum():
        belongs |= of_tube >= LEAST_TUBE_SHARE * np.maximum(table.sum(axis=1), 1)
    belongs[0] = False  # the background
    is_kept = belongs[components] & (zones != OUTSIDE) & (zones != BEYOND)
    num_kept = max(1, int(of_tube[belongs].sum()))
    return is_kept, float(table[:, BEYOND].sum() / num_kept)


def _find_zones(grid: Grid, chain: Chain) -> npt.NDArray[np.uint8]:
    """Return the zone around a chain in which each voxel of a grid lies.

    The tube is measured on a coarse grid and interpolated slab by slab.
    """
    steps = np.linalg.norm(np.diff(chain.centers, axis=0), axis=1)
    curves = (
        fit_curve(chain.centers, mm) for mm in (float(np.median(steps)), SEARCH_MM)
    )
    coarse = canonical_grid(grid, (COARSE_MM,) * 3)
    (tube, front), (line, _) = (_measure_tube(coarse, curve) for curve in curves)
    zones = np.zeros(grid.shape, np.uint8)
    thickness = max(1, SLAB_VOXELS // (grid.shape[1] * grid.shape[2]))
    for first in range(0, grid.shape[0], thickness):
        planes = slice(first, min(first + thickness, grid.shape[0]))
        rest = (slice(0, grid.shape[1]), slice(0, grid.shape[2]))
        slab = part_of(grid, (planes, *rest))
        in_tube, in_front, in_line = (
            resample(values, None, coarse, slab)[0] for values in (tube, front, line)
        )
        zone = zones[planes]
        zone[in_line <= IN_LINE] = BEYOND
        zone[in_tube <= 1] = OUTER
        zone[(in_tube <= 1) & (in_front < -BODIES_REACH_MM)] = BACK
        zone[in_tube <= INNER] = INSIDE
    return zones


def _measure_tube(
    grid: Grid, curve: Curve
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Measure where the voxels of a grid lie in the tube around a curve.

    Returns:
        The value of the tube's ellipse, which is 1 on its surface, and the distance
        in mm in front of the curve, each of the grid's shape.
    """
    indices = np.moveaxis(np.indices(grid.shape), 0, -1).reshape(-1, 3)
    reach = 1.5 * max(LATERAL_MM, POSTERIOR_MM)
    right, front, along = curve.offsets(grid.to_world(indices), reach).T
    depth = np.where(front > 0, ANTERIOR_MM, POSTERIOR_MM)
    # The offset along the curve is 0 but beyond its ends.
    ellipse = (right / LATERAL_MM) ** 2 + (front / depth) ** 2 + (along / END_MM) ** 2
    ellipse, front = np.minimum(ellipse, 4), np.clip(front, -reach, reach)
    return (
        ellipse.reshape(grid.shape).astype(np.float32),
        front.reshape(grid.shape).astype(np.float32),
    )
