"""The tiles in which a scan is predicted: their size, places, weights and voxels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np
import numpy.typing as npt

from models.batches import patch_box
from models.defaults import patch_multiples
from models.metadata import ModelMetadata

# Voxels beyond each side of a scan that is smaller than the patch. In MR cropped to
# three vertebrae UNet-2D had .07 to .16 more Dice with them, UNet-3D none.
CONTEXT = {"unet2d": 16, "unet3d": 0}


def tile_starts(low: int, high: int, tile: int, overlap: float) -> list[int]:
    """Compute where tiles along an axis start, so that they cover [low, high).

    Args:
        low: First voxel to cover.
        high: The voxel behind the last one, above `low`.
        tile: Side of a tile in voxels.
        overlap: Share of a tile that its neighbour covers as well, in [0, 1).

    Returns:
        First index of each tile. The tiles are evenly spaced and neighbours overlap
        by at least the share `overlap`. A single tile that covers all is centred.
    """
    length = high - low
    if length <= tile:
        return [low - (tile - length) // 2]
    steps = int(np.ceil((length - tile) / max(1, int(tile * (1 - overlap)))))
    return np.linspace(low, high - tile, steps + 1).round().astype(int).tolist()


def fit_tile(
    metadata: ModelMetadata, extent: npt.NDArray[np.int64]
) -> tuple[int, int, int]:
    """Return the patch size, shortened along each axis to what a scan needs.

    The voxels that pad a tile beyond the scan change the mean and deviation that the
    instance norm divides by. UNet-2D needs some of them, `CONTEXT`, as its deepest
    level sees little but the zeros around a small slice.

    Args:
        metadata: Of the network.
        extent: Box to predict, shape (3, 2), at least one voxel.

    Returns:
        Sides in voxels: those of the box with the context, rounded up to what the
        network can halve, where they are smaller than those of the patch.
    """
    depth = metadata.architecture["depth"]
    multiples = np.array(patch_multiples(metadata.model, metadata.spacing, depth))
    sides = extent[:, 1] - extent[:, 0] + 2 * CONTEXT[metadata.model]
    needed = -(-sides // multiples) * multiples
    needed[0] = max(needed[0], 2)  # a tile of one slice is UNet-2D's
    return tuple(np.minimum(needed, metadata.patch_size).tolist())


def importance_map(tile: Sequence[int]) -> npt.NDArray[np.float32]:
    """Return a tile's Gaussian weights, shape `tile`, from 1e-3 to 1.

    The standard deviation is an eighth of the tile's side.

    Reference:
        [Isensee et al., 2021](https://doi.org/10.1038/s41592-020-01008-z).
    """
    weight = np.ones((1, 1, 1))
    for axis, side in enumerate(tile):
        distance = (np.arange(side) - (side - 1) / 2) / (side / 8)
        line = np.exp(-0.5 * distance**2)
        weight = weight * line.reshape([-1 if a == axis else 1 for a in range(3)])
    return np.maximum(weight, 1e-3).astype(np.float32)


def place_tiles(
    extent: npt.NDArray[np.int64], tile: Sequence[int], overlap: float
) -> npt.NDArray[np.int64]:
    """Return where the tiles lie in the box to predict.

    Args:
        extent: The box in a grid, shape (3, 2), at least one voxel.
        tile: Its sides (I, J, K); slices of side 1 are not overlapped.
        overlap: Share of a tile that its neighbour covers as well, in [0, 1).

    Returns:
        First index of each tile, counted from the box, shape (n, 3); negative where
        the tile begins before the box.
    """
    starts = [
        tile_starts(low, high, side, 0.0 if side == 1 else overlap)
        for (low, high), side in zip(extent.tolist(), tile, strict=True)
    ]
    return np.array(list(product(*starts))) - extent[:, 0]


def cut_tiles(
    image: npt.NDArray, firsts: npt.NDArray[np.int64], tile: Sequence[int]
) -> Iterator[tuple[tuple[slice, ...], tuple[slice, ...], npt.NDArray]]:
    """Cut tiles from a scan, padded beyond it.

    Args:
        image: Shape (I, J, K).
        firsts: First index of each tile, shape (n, 3), from `place_tiles`.
        tile: Its sides. Slices are padded by their mirror image, others by their edge.

    Yields:
        The box in the image, the same box in the tile, and the voxels of the tile.
    """
    mode = "symmetric" if tile[0] == 1 else "edge"
    for first in firsts:
        box, pads = patch_box(first, tile, image.shape)
        patch = np.pad(image[box], pads, mode=mode) if np.any(pads) else image[box]
        valid = tuple(
            slice(before, side - after)
            for (before, after), side in zip(pads, tile, strict=True)
        )
        yield box, valid, patch
