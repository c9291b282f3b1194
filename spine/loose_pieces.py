"""Loose pieces of a mask: which are vertebrae that are partly seen, and which none."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from spine.basins import label_components
from spine.growth import Growth, spread
from volumes.geometry import Grid

# A loose piece is a vertebra that is partly seen, if it lies on the curve.
LEAST_PIECE_ML = 2.0
MAX_PIECE_OFFSET_MM = 20.0
LEAST_PIECE_STEPS = 0.6  # between it and other vertebrae
# Beyond the outer vertebrae, the border of the scan must be why it is seen in part, or
# it must have this share of the volume of its neighbour.
LEAST_OUTER_SHARE = 0.3
OUTER_STEPS = 1.5  # from the centre of a vertebra to the far end of the next
MAX_VERTEBRAE = 60  # far more than there are


def take_loose_pieces(growth: Growth, scan: Grid) -> list[int]:
    """Label the pieces of the mask that no vertebra reached.

    A large piece on the curve, away from all vertebrae, is one of its own, or, beyond
    the outer ones, may be too small for that and is dropped with a note. Others belong
    to the nearest vertebra, if it is near, or to none.

    Args:
        growth: Of the mask.
        scan: Grid of the whole scan, for its borders.

    Returns:
        The labels of the new vertebrae.
    """
    is_loose = (growth.chain.basins.labels > 0) & (growth.labels == 0)
    pieces, count = label_components(is_loose)
    if not count:
        return []
    sizes = np.bincount(pieces.ravel(), minlength=count + 1)
    near = spread(growth.labels, growth.grid)
    found = []
    for number, box in enumerate(ndimage.find_objects(pieces), start=1):
        of_piece = pieces[box] == number
        if sizes[number] * growth.grid.voxel_volume / 1000 >= LEAST_PIECE_ML:
            start = [side.start for side in box]
            center = growth.grid.to_world(np.argwhere(of_piece).mean(axis=0) + start)
            if _is_vertebra(growth, center) and len(growth.centers) < MAX_VERTEBRAE:
                if _is_stray(growth, center, sizes[number], scan):
                    continue
                growth.centers.append(center)
                growth.labels[box][of_piece] = len(growth.centers)
                found.append(len(growth.centers))
                continue
        touched = near[box][of_piece]
        touched = touched[touched > 0]
        if len(touched):
            growth.labels[box][of_piece] = np.bincount(touched).argmax()
    return found


def _is_vertebra(growth: Growth, center: npt.NDArray[np.float64]) -> bool:
    """Return whether a piece lies where a vertebra is missing."""
    _, is_near = growth.curve.nearest(center[None], MAX_PIECE_OFFSET_MM)
    distances = np.linalg.norm(np.array(growth.centers) - center, axis=1)
    return bool(is_near[0] and distances.min() > LEAST_PIECE_STEPS * growth.step)


def _is_stray(
    growth: Growth, center: npt.NDArray[np.float64], size: int, scan: Grid
) -> bool:
    """Return whether an outer piece is too small for its place, and add a note if so.

    A vertebra of which a small part is seen lies at the border of the scan. Where the
    scan shows its place as a whole, a small piece is a part of the sacrum or soft
    tissue.

    Args:
        growth: Of the mask.
        center: World mm of the piece.
        size: Of the piece in voxels of the basins' grid.
        scan: Grid of the whole scan.
    """
    point, _ = growth.curve.nearest(center[None], np.inf)
    steps = center - np.array(growth.centers)
    distances = np.linalg.norm(steps, axis=1)
    nearest = int(distances.argmin())
    usual = np.count_nonzero(growth.labels == nearest + 1)
    direction = steps[nearest] / distances[nearest]
    end = growth.centers[nearest] + OUTER_STEPS * growth.step * direction
    index = scan.to_index(end)
    is_shown = ((index >= 0) & (index <= np.array(scan.shape) - 1)).all()
    is_outer = growth.curve.beyond[point[0]] > 0
    if not (is_outer and is_shown and size < LEAST_OUTER_SHARE * usual):
        return False
    volume = size * growth.grid.voxel_volume / 1000
    note = f"has a piece of {volume:.1f} ml beyond it that is too small for a vertebra"
    growth.notes.setdefault(nearest + 1, []).append(note)
    return True
