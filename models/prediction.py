"""Predicting a whole scan in tiles, and carrying the result to its own grid."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import product

import keras
import numpy as np
import numpy.typing as npt
from scipy.ndimage import find_objects, label

from models.batches import patch_box
from models.model_file import ModelMetadata
from volumes.classes import count_labels
from volumes.geometry import Grid, canonical_grid
from volumes.intensity import measure_intensity
from volumes.resample import antialias, filled_extent, resample
from volumes.volume import Segment

VOXELS_PER_CALL = 600_000  # tiles are batched up to this, which bounds the memory
SLAB_VOXELS = 20_000_000  # of the scan's grid, carried back at a time


def tile_starts(low: int, high: int, tile: int, overlap: float) -> list[int]:
    """Place tiles along an axis so that they cover [low, high).

    Returns:
        First index of each tile, evenly spread, neighbours overlapping by at
        least the share `overlap`. One tile where it covers all, centred.
    """
    length = high - low
    if length <= tile:
        return [low - (tile - length) // 2]
    steps = int(np.ceil((length - tile) / max(1, int(tile * (1 - overlap)))))
    return np.linspace(low, high - tile, steps + 1).round().astype(int).tolist()


def importance_map(tile: Sequence[int]) -> npt.NDArray[np.float32]:
    """Weigh a tile's voxels: a Gaussian of an eighth of its side, at least 1e-3.

    Reference:
        [Isensee et al., 2021](https://doi.org/10.1038/s41592-020-01008-z).
    """
    weight = np.ones((1, 1, 1))
    for axis, side in enumerate(tile):
        distance = (np.arange(side) - (side - 1) / 2) / (side / 8)
        line = np.exp(-0.5 * distance**2)
        weight = weight * line.reshape([-1 if a == axis else 1 for a in range(3)])
    return np.maximum(weight, 1e-3).astype(np.float32)


def _tiles(
    image: npt.NDArray, extent: npt.NDArray, tile: Sequence[int], overlap: float
) -> Iterator[tuple[tuple[slice, ...], tuple[slice, ...], npt.NDArray]]:
    """Cut tiles: where each lies in the image, its valid part, its voxels."""
    starts = [
        tile_starts(low, high, side, 0.0 if side == 1 else overlap)
        for (low, high), side in zip(extent.tolist(), tile, strict=True)
    ]
    for first in product(*starts):
        box, pads = patch_box(np.array(first), tile, image.shape)
        patch = np.pad(image[box], pads, mode="edge") if np.any(pads) else image[box]
        valid = tuple(
            slice(before, side - after)
            for (before, after), side in zip(pads, tile, strict=True)
        )
        yield box, valid, patch


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

    The model is called on a few tiles at a time and their results are added up
    in place; `model.predict` would keep every tile's.

    Args:
        model: Compiled, of rank 2 (then `tile[0]` is 1) or 3.
        image: Normalised intensity, shape (I, J, K).
        extent: Box to predict, shape (3, 2), at least one voxel; outside of it
            all is background.
        tile: (I, J, K), as in training.
        num_classes: Channels of the model, background included.
        overlap: Share of a tile that its neighbour covers too, in [0, 1).

    Returns:
        Probabilities of the foreground classes, shape (C - 1, I, J, K).
    """
    flat = tile[0] == 1
    total = np.zeros((num_classes - 1, *image.shape), np.float32)
    weights = np.zeros(image.shape, np.float32)
    weight = importance_map(tile)
    per_call = max(1, VOXELS_PER_CALL // int(np.prod(tile)))

    def add(waiting: list) -> None:
        batch = np.stack([patch for _, _, patch in waiting]).astype(np.float32)
        # The last call is filled up, so that every call has one shape.
        batch = np.pad(batch, ((0, per_call - len(waiting)), (0, 0), (0, 0), (0, 0)))
        found = model.predict_on_batch((batch[:, 0] if flat else batch)[..., None])
        found = found[:, None] if flat else found
        for (box, valid, _), scores in zip(waiting, found, strict=False):
            share = weight[valid]
            weights[box] += share
            for channel in range(1, num_classes):
                total[channel - 1][box] += share * scores[valid][..., channel]

    waiting: list = []
    for item in _tiles(image, extent, tile, overlap):
        waiting.append(item)
        if len(waiting) == per_call:
            add(waiting)
            waiting = []
    if waiting:
        add(waiting)
    total /= np.maximum(weights, 1e-6, out=weights)
    outside = np.ones(image.shape, bool)
    outside[tuple(slice(low, high) for low, high in extent.tolist())] = False
    total[:, outside] = 0  # a tile larger than the box reached beyond it
    return total


def classify(
    probabilities: Iterable[npt.NDArray[np.float32]],
) -> npt.NDArray[np.uint8]:
    """Take the likeliest class of each voxel; of equally likely ones the first.

    Args:
        probabilities: Of each foreground class, shape (I, J, K) each; what is
            missing to 1 is the background's. One is held at a time.

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
    classes[~(best > 1 - total)] = 0  # what is no number is background too
    return classes


def resample_to_scan(
    probabilities: npt.NDArray[np.float32], source: Grid, target: Grid
) -> npt.NDArray[np.uint8]:
    """Classify on the scanner's grid from probabilities on the cube's.

    The probabilities are interpolated, not the classes, so that the outline is
    as smooth as the network drew it. Done in slabs, to bound the memory.

    Args:
        probabilities: Of the foreground classes, shape (C - 1, I, J, K).
        source: Their grid.
        target: The scanner's grid.

    Returns:
        Classes on `target`.
    """
    classes = np.empty(target.shape, np.uint8)
    plane = target.shape[1] * target.shape[2]
    thickness = max(1, SLAB_VOXELS // plane)
    for first in range(0, target.shape[0], thickness):
        last = min(first + thickness, target.shape[0])
        affine = target.affine.copy()
        affine[:3, 3] = target.to_world((first, 0, 0))
        slab = Grid((last - first, *target.shape[1:]), affine)
        classes[first:last] = classify(
            resample(each, None, source, slab)[0] for each in probabilities
        )
    return classes


def predict_scan(
    model: keras.Model, metadata: ModelMetadata, image: npt.NDArray, grid: Grid
) -> npt.NDArray[np.uint8]:
    """Label a scan that lies on any grid.

    Args:
        model: Compiled.
        metadata: What the model was trained for.
        image: The scan's voxels, shape of `grid`, finite.
        grid: The scanner's grid.

    Returns:
        Classes on the scanner's grid.
    """
    target = canonical_grid(grid, metadata.spacing)
    probabilities = predict_image(
        model,
        _bring_to(target, metadata, image, grid),
        filled_extent(grid, target),
        metadata.patch_size,
        num_classes=len(metadata.class_names),
    )
    return resample_to_scan(probabilities, target, grid)


def _bring_to(
    target: Grid, metadata: ModelMetadata, image: npt.NDArray, grid: Grid
) -> npt.NDArray[np.float32]:
    """Resample and normalise a scan; apart, so that what it took is free again."""
    intensity = measure_intensity(image, metadata.intensity)
    smooth = antialias(image, grid, target)
    background = intensity.background
    found, _ = resample(smooth, None, grid, target, background=background)
    return intensity.normalise(found)


def keep_largest(classes: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Keep the largest connected component of each class.

    Voxels that touch by a face are connected. An absent class stays absent.

    Args:
        classes: Shape (I, J, K); 0 is the background.
    """
    kept = np.zeros_like(classes)
    for number, box in enumerate(find_objects(classes), start=1):
        if box is not None:
            parts, _ = label(classes[box] == number)
            sizes = count_labels(parts)
            kept[box][parts == 1 + np.argmax(sizes[1:])] = number
    return kept


def label_values(
    classes: npt.NDArray[np.uint8], segments: Sequence[Segment]
) -> npt.NDArray[np.unsignedinteger]:
    """Give each class the value that its segment has in a label map."""
    values = [0, *(segment.value for segment in segments)]
    table = np.array(values, np.uint8 if max(values) <= 255 else np.uint16)
    return table[classes]
