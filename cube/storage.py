"""How a cube stores voxels: in chunks, without those that hold padding alone.

All rows share one grid, which the largest scan fills. The box `stored` of a row holds
what the scan fills and every voxel that is not `padding`, the row's value outside its
scan. Chunks of the image outside the box are not in the file, nor are those of the
label map unless something is labelled there. So a row takes the disk that its scan
needs, and one large scan does not multiply the cube.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt

from system.errors import DataError

# Voxels along J and K. Smaller grids have whole sagittal slices as chunks.
CHUNK_SIDE = 128
# A row in memory may take so many times the disk that all rows take, which stops a
# small file that declares a huge grid; smaller rows are harmless.
MAX_PADDING = 16
HARMLESS_BYTES = 2**26

Box = tuple[slice, slice, slice]


def chunk_shape(shape: Sequence[int]) -> tuple[int, int, int, int]:
    """Return the chunks of a cube: a row's sagittal slice, or equal parts of it.

    Args:
        shape: Grid of every row, (I, J, K).
    """
    parts = [-(-side // CHUNK_SIDE) for side in shape[1:]]
    sides = [-(-side // part) for side, part in zip(shape[1:], parts, strict=True)]
    return (1, 1, *sides)


def find_stored_box(
    image: npt.NDArray[np.float16], extent: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], np.float16]:
    """Find the box outside of which an image has one value, in all its bits.

    Args:
        image: A row, shape (I, J, K).
        extent: Box that the scan fills, shape (3, 2). A displacement may move some of
            the scan out of it.

    Returns:
        The box, shape (3, 2), which encloses the extent; and the value outside, 0 if
        the extent is the whole grid.
    """
    corners = product(*((0, side - 1) for side in image.shape))
    outside = [c for c in corners if not _is_inside(c, extent)]
    if not outside:
        return extent, np.float16(0)
    padding = image[outside[0]]
    differs = image.view(np.uint16) != padding.view(np.uint16)
    return enclose(extent, differs), padding


def enclose(
    box: npt.NDArray[np.int64], mask: npt.NDArray[np.bool_]
) -> npt.NDArray[np.int64]:
    """Return the smallest box that holds another one and a mask, shape (3, 2)."""
    box = box.copy()
    for axis in range(3):
        others = tuple(other for other in range(3) if other != axis)
        found = np.flatnonzero(mask.any(axis=others))
        if len(found):
            box[axis, 0] = min(box[axis, 0], found[0])
            box[axis, 1] = max(box[axis, 1], found[-1] + 1)
    return box


def _is_inside(voxel: Sequence[int], box: npt.NDArray[np.int64]) -> bool:
    pairs = zip(voxel, box, strict=True)
    return all(first <= index < last for index, (first, last) in pairs)


def round_to_chunks(
    boxes: npt.NDArray[np.int64], shape: Sequence[int]
) -> npt.NDArray[np.int64]:
    """Enlarge boxes to the chunks that they touch, within the grid.

    Args:
        boxes: First and one-past-last index, shape (..., 3, 2).
        shape: Of the grid.
    """
    sides = np.array(chunk_shape(shape)[1:])
    first = boxes[..., 0] // sides * sides
    last = np.minimum(-(-boxes[..., 1] // sides) * sides, shape)
    return np.stack([first, last], axis=-1)


def count_chunks(boxes: npt.NDArray[np.int64], shape: Sequence[int]) -> int:
    """Count the chunks that boxes touch, summed over the boxes."""
    sides = np.array(chunk_shape(shape)[1:])
    counts = -(-boxes[..., 1] // sides) - boxes[..., 0] // sides
    return int(counts.prod(axis=-1).sum())


def count_bytes(boxes: npt.NDArray[np.int64], shape: Sequence[int]) -> int:
    """Compute the bytes that the images of rows with such boxes take."""
    size = math.prod(chunk_shape(shape)) * np.dtype(np.float16).itemsize
    return count_chunks(boxes, shape) * size


def chunk_places(dataset: h5py.Dataset) -> list[tuple[int, ...]]:
    """List the first index of each chunk that is in the file, in ascending order."""
    found: list[tuple[int, ...]] = []
    dataset.id.chunk_iter(lambda chunk: found.append(chunk.chunk_offset))
    return sorted(found)


def box_slices(box: npt.NDArray[np.int64]) -> Box:
    """Convert a box of shape (3, 2) to slices."""
    i, j, k = (slice(int(first), int(last)) for first, last in box)
    return i, j, k


def read_padded(
    dataset: h5py.Dataset,
    row: int,
    box: Box,
    filled: Sequence[Sequence[int]],
    padding: np.float16,
) -> np.ndarray:
    """Read a box of a row, with padding where the file holds no chunks.

    Args:
        dataset: The images.
        row: Number of the row.
        box: What to read; negative and open ends are those of Python's slices.
        filled: The row's stored box, rounded to chunks: first and one-past-last
            index along each axis.
        padding: The row's value outside.
    """
    found = dataset[(row, *box)]  # with zeros where there are no chunks
    for axis, (first, last) in enumerate(filled):
        start, stop, _ = box[axis].indices(dataset.shape[1 + axis])
        if start >= first and stop <= last:
            continue
        along = np.moveaxis(found, axis, 0)
        along[: max(0, first - start)] = padding
        along[max(0, last - start) :] = padding
    return found


def check_storage(
    datasets: Mapping[str, h5py.Dataset],
    boxes: npt.NDArray[np.int64] | None,
    path: Path,
) -> None:
    """Check that the voxels are stored as makeCube.py stores them.

    Otherwise a small file could declare voxels without holding them, or need memory
    for many rows to read one.

    Args:
        datasets: Image and label map, by name.
        boxes: Stored box of each row, shape (N, 3, 2); None if all voxels must be
            there, as in cubes of version 1.
        path: Path of the file, for messages.

    Raises:
        DataError: If they are not.
    """
    image = datasets["image"]
    shape = image.shape[1:]
    chunks = (1, 1, *shape[1:]) if boxes is None else chunk_shape(shape)
    for name, dataset in datasets.items():
        if dataset.chunks != chunks:
            raise DataError(
                f"{path} must hold `{name}` in chunks of {chunks}. "
                f"Received: {dataset.chunks}"
            )
    expected = image.nbytes if boxes is None else count_bytes(boxes, shape)
    stored = image.id.get_storage_size()
    if stored != expected or image.id.get_create_plist().get_nfilters():
        raise DataError(
            f"{path} must hold all of `image`, not compressed, {expected} bytes. "
            f"Received: {stored}"
        )
    if boxes is not None:
        _check_places(image, boxes, path)


def _check_places(
    image: h5py.Dataset, boxes: npt.NDArray[np.int64], path: Path
) -> None:
    """Check that the chunks in the file are those of the boxes, each once."""
    if (round_to_chunks(boxes, image.shape[1:]) == _whole(image.shape[1:])).all():
        return  # there is no other place for so many chunks
    found = np.array(chunk_places(image), dtype=np.int64)
    places = np.unique(found.reshape(-1, 4), axis=0)
    of_row = round_to_chunks(boxes, image.shape[1:])[places[:, 0]]
    is_inside = (places[:, 1:] >= of_row[..., 0]) & (places[:, 1:] < of_row[..., 1])
    if not is_inside.all() or len(places) != count_chunks(boxes, image.shape[1:]):
        raise DataError(
            f"{path} must hold the chunks of `image` that its `stored` boxes touch. "
            "Received: others"
        )


def check_grid(image: h5py.Dataset, path: Path) -> None:
    """Check that a row in memory is not out of proportion to what the file holds.

    Raises:
        DataError: If it is.
    """
    size = math.prod(image.shape[1:]) * image.dtype.itemsize
    stored = image.id.get_storage_size()
    if size > largest_row(stored):
        raise DataError(
            f"{path} must have a grid that its scans fill, with rows of at most "
            f"{largest_row(stored)} bytes for {stored} bytes in the file. "
            f"Received: {size}. Build it again with a smaller --shape."
        )


def largest_row(stored: int) -> int:
    """Return the largest size of a row in memory, in bytes.

    Args:
        stored: Bytes of all images in the file.
    """
    return max(HARMLESS_BYTES, MAX_PADDING * stored)


def _whole(shape: Sequence[int]) -> npt.NDArray[np.int64]:
    """Return the box of a whole grid, shape (3, 2)."""
    return np.array([(0, side) for side in shape])
