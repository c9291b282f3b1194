"""Whether two scans with the same label map show the same tissue.

Label maps of two persons are never equal, except those of phantoms and atlases. Scans
of one person rise and fall at the same places, in whatever contrast; scans of phantoms
with noise do not.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

SAMPLES = 8192
VOXELS_PER_SAMPLE = 4  # at least, so that the samples of small scans are independent
STEPS_PER_SIDE = 16  # the distance of the compared voxels is this part of a side
MIN_SAMPLES = 64
MIN_AGREEMENT = 0.08  # T1 and T2 of one spine: 0.09 to 0.4
MAX_CURVATURE = 5  # times the median; beyond it lie borders, as of air
DEVIATIONS = 6  # of the agreement of unrelated scans
BLOCK = 512  # scans that are compared with all others at a time


def sample_texture(image: np.ndarray, label: npt.NDArray[np.unsignedinteger]) -> bytes:
    """Return whether an image has a peak or a trough, at random places.

    Args:
        image: Voxels in canonical order, shape (I, J, K).
        label: Label map, of the same shape; only places inside one label count.

    Returns:
        1 where a voxel is brighter than the mean of two neighbours on one line, -1
        where it is darker, 0 where equal, at a steep border or not all in one label:
        up to SAMPLES numbers of 8 bits. The places depend on the shape alone.
    """
    rng = np.random.default_rng(0)
    shape = np.array(image.shape)
    count = max(1, min(SAMPLES, image.size // VOXELS_PER_SAMPLE))
    places = rng.integers(0, shape, (count, 3))
    steps = np.zeros_like(places)
    axes = rng.integers(0, 3, count)
    lengths = np.maximum(1, shape // STEPS_PER_SIDE)
    steps[np.arange(count), axes] = lengths[axes]
    lines = np.stack([places, places - steps, places + steps])  # (3, count, 3)
    is_inside = ((lines >= 0) & (lines < shape)).all(axis=(0, 2))
    index = tuple(np.moveaxis(np.clip(lines, 0, shape - 1), 2, 0))
    values, labels = image[index].astype(np.float64), label[index]
    is_inside &= (labels == labels[0]).all(axis=0)
    curvature = 2 * values[0] - values[1] - values[2]
    is_inside &= curvature != 0
    if is_inside.any():
        steepness = np.abs(curvature)
        is_inside &= steepness <= MAX_CURVATURE * np.median(steepness[is_inside])
    return (np.sign(curvature) * is_inside).astype(np.int8).tobytes()


def find_related(textures: Sequence[bytes]) -> list[tuple[int, int]]:
    """List the pairs of scans whose textures agree, or are opposite.

    Args:
        textures: Of each scan, from `sample_texture`, on grids of one shape.

    Returns:
        Positions of the two, the smaller first. Too few places to tell count as
        unrelated.
    """
    signs = np.stack([np.frombuffer(each, np.int8) for each in textures])
    signs = signs.astype(np.float32)  # whole numbers up to 2**24 are exact
    pairs = []
    for first in range(0, len(signs), BLOCK):
        block = signs[first : first + BLOCK]
        counts = np.abs(block) @ np.abs(signs).T  # (BLOCK, number of scans)
        lowest = np.maximum(MIN_AGREEMENT * counts, DEVIATIONS * np.sqrt(counts))
        related = (np.abs(block @ signs.T) > lowest) & (counts >= MIN_SAMPLES)
        for one, other in np.argwhere(related):
            if first + one < other:
                pairs.append((int(first + one), int(other)))
    return pairs
