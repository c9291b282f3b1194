"""Predicting a whole scan in tiles, and resampling the result to the scan's grid."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import keras
import numpy as np
import numpy.typing as npt

from models.metadata import ModelMetadata
from models.tiles import cut_tiles, fit_tile, importance_map, place_tiles
from volumes.geometry import Grid, canonical_grid
from volumes.intensity import measure_intensity
from volumes.resample import antialias, filled_extent, resample
from volumes.volume import Segment

VOXELS_PER_CALL = 600_000  # limit for a batch of tiles, which bounds the memory
SLAB_VOXELS = 20_000_000  # voxels of the scan's grid that are resampled at a time


def predict_image(
    model: keras.Model,
    image: npt.NDArray,
    extent: npt.NDArray[np.int64],
    tile: Sequence[int],
    *,
    num_classes: int,
    overlap: float = 0.5,
) -> npt.NDArray[np.float32]:
    """Predict class probabilities on the cube's grid, tile by tile.

    The model is called on a few tiles at a time and their results are summed in
    place, since `model.predict` would keep the results of all tiles in memory.

    Args:
        model: Compiled, of rank 3, or of rank 2 where `tile[0]` is 1.
        image: Normalised intensity, shape (I, J, K).
        extent: Box to predict, shape (3, 2), at least one voxel. Everything
            outside it is background.
        tile: (I, J, K), from `fit_tile`. Beyond the box, slices are padded by their
            mirror image, and tiles of UNet-3D by their edge.
        num_classes: Channels of the model, background included.
        overlap: Share of a tile that its neighbour covers as well, in [0, 1).

    Returns:
        Probabilities of the foreground classes, shape (C - 1, I, J, K).
    """
    whole = np.zeros((num_classes - 1, *image.shape), np.float32)
    box = tuple(slice(low, high) for low, high in extent.tolist())
    total, image = whole[(slice(None), *box)], image[box]  # views
    weights = np.zeros(image.shape, np.float32)
    weight = importance_map(tile)
    firsts = place_tiles(extent, tile, overlap)
    batch_size = min(len(firsts), max(1, VOXELS_PER_CALL // int(np.prod(tile))))
    tiles = cut_tiles(image, firsts, tile)
    while batch := list(islice(tiles, batch_size)):
        patches = np.stack([patch for _, _, patch in batch]).astype(np.float32)
        found = _predict_patches(model, patches, batch_size)
        for (box, valid, _), probabilities in zip(batch, found, strict=True):
            tile_weight = weight[valid]
            weights[box] += tile_weight
            for channel in range(1, num_classes):
                total[channel - 1][box] += (
                    tile_weight * probabilities[valid][..., channel]
                )
    total /= np.maximum(weights, 1e-6, out=weights)
    return whole


def _predict_patches(
    model: keras.Model, patches: npt.NDArray[np.float32], batch_size: int
) -> npt.NDArray[np.float32]:
    """Return the probabilities of patches, shape (B, I, J, K, C)."""
    is_flat = patches.shape[1] == 1
    # Padded to the batch size, as each new shape would be compiled anew.
    num_missing = batch_size - len(patches)
    batch = np.pad(patches, ((0, num_missing), (0, 0), (0, 0), (0, 0)))[..., None]
    if is_flat:
        batch = batch[:, 0]
    found = model.predict_on_batch(batch)[: len(patches)]
    return found[:, None] if is_flat else found


def classify(
    probabilities: Iterable[npt.NDArray[np.float32]],
) -> npt.NDArray[np.uint8]:
    """Return the most probable class of each voxel; the first of a tie.

    Args:
        probabilities: Of each foreground class, shape (I, J, K) each; the rest
            to 1 is the background's. Only one is held in memory at a time.

    Returns:
        Classes, shape (I, J, K); 0 is the background.
    """
    remaining = iter(probabilities)
    best = next(remaining)
    total, classes = best.copy(), np.ones(best.shape, np.uint8)
    for number, probability in enumerate(remaining, start=2):
        classes[probability > best] = number
        best = np.maximum(best, probability)
        total += probability
    classes[~(best > 1 - total)] = 0  # NaN is background too
    return classes


@dataclass(frozen=True, eq=False)
class Part:
    """A share of the mean of several networks' probabilities; the whole of one's.

    Args:
        probabilities: Sum over networks of one spacing, of the foreground classes,
            shape (C - 1, I, J, K).
        grid: Grid of the probabilities.
        weight: One divided by the number of all networks.
    """

    probabilities: npt.NDArray[np.float32]
    grid: Grid
    weight: float = 1.0


def slabs(grid: Grid) -> Iterator[tuple[slice, Grid]]:
    """Yield the planes of each slab of a grid, and its own grid, to bound memory."""
    thickness = max(1, SLAB_VOXELS // (grid.shape[1] * grid.shape[2]))
    for first in range(0, grid.shape[0], thickness):
        last = min(first + thickness, grid.shape[0])
        affine = grid.affine.copy()
        affine[:3, 3] = grid.to_world((first, 0, 0))
        yield slice(first, last), Grid((last - first, *grid.shape[1:]), affine)


def mean_on(
    target: Grid, parts: Sequence[Part], channel: int
) -> npt.NDArray[np.float32]:
    """Return the mean probability of a foreground class on another grid.

    Args:
        target: Such as a slab of the scan's grid.
        parts: Of all networks.
        channel: Of the foreground class, from 0.

    Returns:
        Shape of `target`, in [0, 1] up to rounding; 0 outside the networks' grids.
    """
    total = np.zeros(target.shape, np.float32)
    for part in parts:
        found, _ = resample(part.probabilities[channel], None, part.grid, target)
        found *= np.float32(part.weight)
        total += found
    return total


def resample_to_scan(parts: Sequence[Part], target: Grid) -> npt.NDArray[np.uint8]:
    """Return classes on the scan's own grid from probabilities on other grids.

    The probabilities are interpolated and not the classes, which keeps outlines
    smooth. Works slab by slab to bound the memory.

    Args:
        parts: Of all networks.
        target: Grid of the scan.

    Returns:
        Classes, shape of `target`.
    """
    classes = np.empty(target.shape, np.uint8)
    num_channels = len(parts[0].probabilities)
    for planes, slab in slabs(target):
        means = (mean_on(slab, parts, channel) for channel in range(num_channels))
        classes[planes] = classify(means)
    return classes


def predict_probabilities(
    model: keras.Model, metadata: ModelMetadata, image: npt.NDArray, grid: Grid
) -> Part:
    """Predict the probabilities of a scan on the network's own grid.

    Args:
        model: Compiled.
        metadata: What the model was trained for.
        image: The scan's voxels, shape of `grid`, finite.
        grid: Grid of the scan.

    Returns:
        Of this network alone, with a weight of 1.
    """
    target = canonical_grid(grid, metadata.spacing)
    extent = filled_extent(grid, target)
    probabilities = predict_image(
        model,
        _preprocess(image, grid, target, metadata),
        extent,
        fit_tile(metadata, extent),
        num_classes=len(metadata.class_names),
    )
    return Part(probabilities, target)


def predict_scan(
    model: keras.Model, metadata: ModelMetadata, image: npt.NDArray, grid: Grid
) -> npt.NDArray[np.uint8]:
    """Predict the classes of a scan on its own grid; see `predict_probabilities`.

    Returns:
        Classes, shape of `grid`; 0 is the background.
    """
    return resample_to_scan([predict_probabilities(model, metadata, image, grid)], grid)


def _preprocess(
    image: npt.NDArray, grid: Grid, target: Grid, metadata: ModelMetadata
) -> npt.NDArray[np.float32]:
    """Return a scan resampled to the network's grid and normalised."""
    # A function of its own so that its arrays are freed before the prediction.
    intensity = measure_intensity(image, metadata.intensity)
    smooth = antialias(image, grid, target)
    background = intensity.background
    found, _ = resample(smooth, None, grid, target, background=background)
    return intensity.normalise(found)


def label_values(
    classes: npt.NDArray[np.uint8], segments: Sequence[Segment]
) -> npt.NDArray[np.unsignedinteger]:
    """Return a label map with the label value of each class's segment.

    Args:
        classes: Shape (I, J, K); 0 is the background.
        segments: One per foreground class.

    Returns:
        Shape of `classes`; uint8 if all values are below 256, else uint16.
    """
    values = [0, *(segment.value for segment in segments)]
    table = np.array(values, np.uint8 if max(values) <= 255 else np.uint16)
    return table[classes]
