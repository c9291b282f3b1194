"""Basins of a mask: its parts around the largest spheres that fit into it.

The distance to the background is flooded from its peaks downwards. Where two basins
meet, they become one unless the pass between them is clearly lower than both peaks, so
that a vertebral body is one basin and two bodies that touch are two.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from spine.nearest import find_nearest
from system.compiled import compiled_for_one_thread
from volumes.filters import gaussian_blur
from volumes.geometry import Grid, canonical_grid
from volumes.resample import resample

FINEST_MM = 1.0  # of the grid of the basins: finer ones find the same vertebrae
MAX_BASIN_VOXELS = 6_000_000  # of that grid, which bounds time and memory
BLUR_MM = 1.0  # sigma that removes the ripple of a distance between voxels
# Basins merge where the pass is less than this below the lower peak.
LEAST_PROMINENCE_MM = 1.0
LEAST_PROMINENCE_SHARE = 0.12
CORE_SHARE = 0.7  # of the peak: deeper voxels decide where a basin's centre is
MARGIN = 2  # background voxels around the mask


@dataclass(frozen=True, eq=False)
class Basins:
    """The basins of a mask, on an isotropic grid of their own.

    Args:
        grid: Of `labels`: around the mask, along the scan's own axes.
        labels: Number of each voxel's basin, from 1, shape (I, J, K); 0 outside.
        depths: Distance to the background in mm, slightly blurred, shape (I, J, K).
        radii: Largest depth of each basin in mm, shape (N,).
        centers: World mm of each basin's core, shape (N, 3).
        volumes_ml: Volume of each basin, shape (N,).
    """

    grid: Grid
    labels: npt.NDArray[np.int32]
    depths: npt.NDArray[np.float32]
    radii: npt.NDArray[np.float64]
    centers: npt.NDArray[np.float64]
    volumes_ml: npt.NDArray[np.float64]


def find_basins(mask: npt.NDArray[np.bool_], grid: Grid) -> Basins | None:
    """Divide a mask into basins.

    Args:
        mask: Shape of `grid`.
        grid: Of any spacing and direction.

    Returns:
        The basins; None if no voxel of the mask is left on the basins' grid.
    """
    box = ndimage.find_objects(mask.view(np.uint8))
    if not box:
        return None
    inside, coarse = _resample_mask(mask[box[0]], part_of(grid, box[0]))
    if not inside.any():
        return None
    depths = _measure_depths(inside, coarse.spacing[0])
    depths = gaussian_blur(depths, [BLUR_MM / coarse.spacing[0]] * 3)
    depths *= inside
    labels = np.full(depths.shape, -1, np.int32)
    order = np.flatnonzero(inside)
    order = order[np.argsort(-depths.ravel()[order], kind="stable")]
    parents = _flood(depths, order, LEAST_PROMINENCE_MM, LEAST_PROMINENCE_SHARE, labels)
    _number(parents, labels)
    return _describe(labels, depths, order, coarse)


def part_of(grid: Grid, box: tuple[slice, ...]) -> Grid:
    """Return the grid of a box of a volume."""
    affine = grid.affine.copy()
    affine[:3, 3] = grid.to_world([side.start for side in box])
    first, second, third = (side.stop - side.start for side in box)
    return Grid((first, second, third), affine)


def label_components(mask: npt.NDArray[np.bool_]) -> tuple[npt.NDArray[np.int32], int]:
    """Number the components of a mask, whose voxels share faces; return their count."""
    components = np.zeros(mask.shape, np.int32)
    count = ndimage.label(mask, output=components)
    return components, int(cast(int, count))


def _resample_mask(
    mask: npt.NDArray[np.bool_], grid: Grid
) -> tuple[npt.NDArray[np.bool_], Grid]:
    """Return a mask on an isotropic grid with a margin of background."""
    spacing = max(FINEST_MM, min(grid.spacing))
    target = canonical_grid(grid, (spacing,) * 3)
    excess = np.prod(target.shape, dtype=float) / MAX_BASIN_VOXELS
    if excess > 1:
        target = canonical_grid(grid, (spacing * np.cbrt(excess),) * 3)
    affine = target.affine.copy()
    affine[:3, 3] = target.to_world((-MARGIN,) * 3)
    first, second, third = (side + 2 * MARGIN for side in target.shape)
    target = Grid((first, second, third), affine)
    share, _ = resample(mask.view(np.uint8), None, grid, target)
    return share >= 0.5, target


def _measure_depths(
    inside: npt.NDArray[np.bool_], spacing: float
) -> npt.NDArray[np.float32]:
    """Compute the distance to the background in mm, component by component.

    Far less space is searched in the boxes of a spine and some blobs than in the box
    around them all.
    """
    depths = np.zeros(inside.shape, np.float32)
    components, _ = label_components(inside)
    boxes = ndimage.find_objects(components)
    parts = [tuple(slice(s.start - 1, s.stop + 1) for s in box) for box in boxes]
    if sum(inside[part].size for part in parts) > inside.size:  # nested boxes
        parts, components = [(slice(None),) * 3], inside
    for number, part in enumerate(parts, start=1):
        of_part = components[part] == number
        planes = zip(depths[part], of_part, find_nearest(of_part), strict=True)
        for plane, inside_plane, (_, distances) in planes:
            # The surface is half a voxel from the centre of the next voxel outside.
            plane[inside_plane] = (distances[inside_plane] - 0.5) * spacing
    return depths


@compiled_for_one_thread
def _flood(depths, order, least_mm, least_share, labels):
    """Flood a mask from its deepest voxels to the flattest, and merge basins that meet.

    Args:
        depths: Shape (I, J, K).
        order: Flat indices of the voxels of the mask, which touches no border.
        least_mm: A pass less deep than this below the lower peak is no border,
        least_share: nor one less than this share of the lower peak below it.
        labels: -1 everywhere; receives the peak, from 0, of each voxel of the mask.

    Returns:
        For each peak, one of the same basin; the peak itself if none is higher.
    """
    flat, numbers = depths.ravel(), labels.reshape(-1)
    row, plane = depths.shape[2], depths.shape[1] * depths.shape[2]
    steps = (-plane, plane, -row, row, -1, 1)
    parents = np.empty(order.size, np.int32)
    peaks = np.empty(order.size, np.float32)
    count = 0
    for voxel in order:
        highest = -1
        for step in steps:
            basin = numbers[voxel + step]
            if basin < 0:
                continue
            while parents[basin] != basin:
                parents[basin] = parents[parents[basin]]
                basin = parents[basin]
            if highest < 0 or basin == highest:
                highest = basin
                continue
            low, high = basin, highest
            if peaks[low] > peaks[high]:
                low, high = high, low
            if peaks[low] - flat[voxel] < max(least_mm, least_share * peaks[low]):
                parents[low] = high
            highest = high
        if highest < 0:
            highest = count
            parents[count], peaks[count] = count, flat[voxel]
            count += 1
        numbers[voxel] = highest
    return parents[:count]


@compiled_for_one_thread
def _number(parents, labels):
    """Number basins from 1.

    Args:
        parents: As `_flood` returns them.
        labels: As `_flood` leaves them; receives the numbers, and 0 outside the mask.
    """
    numbers, count = labels.reshape(-1), parents.size
    final = np.zeros(count + 1, np.int32)  # the last one is that of the background
    found = 0
    for basin in range(count):
        if parents[basin] == basin:
            found += 1
            final[basin] = found
    for basin in range(count):
        root = basin
        while parents[root] != root:
            root = parents[root]
        final[basin] = final[root]
    for voxel in range(numbers.size):
        numbers[voxel] = final[numbers[voxel]]


def _describe(labels, depths, order, grid: Grid) -> Basins:
    """Compute radius, centre and volume of each basin from its voxels."""
    numbers, of_voxel = labels.ravel()[order], depths.ravel()[order]
    num_basins = int(numbers.max())
    radii = np.zeros(num_basins + 1)
    np.maximum.at(radii, numbers, of_voxel)
    is_core = of_voxel >= CORE_SHARE * radii[numbers]
    cores = numbers[is_core]
    indices = np.unravel_index(order[is_core], labels.shape)
    sums = [np.bincount(cores, axis, num_basins + 1)[1:] for axis in indices]
    sizes = np.bincount(cores, minlength=num_basins + 1)[1:, None]
    volumes = np.bincount(numbers, minlength=num_basins + 1)[1:]
    return Basins(
        grid,
        labels,
        depths,
        radii[1:],
        grid.to_world(np.stack(sums, axis=1) / sizes),
        volumes.astype(np.float64) * (grid.voxel_volume / 1000),
    )
