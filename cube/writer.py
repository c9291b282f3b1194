"""Writing a cube: row by row, or all rows of another cube at once."""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt

from cube.hdf5 import NewFile
from cube.reader import Cube
from cube.schema import COLUMNS, STORAGE_COLUMNS, TEXT_DTYPE, version_for
from cube.storage import (
    box_slices,
    chunk_places,
    chunk_shape,
    enclose,
    find_stored_box,
    round_to_chunks,
)
from system.errors import DataError

MADE_WITH = ("numpy", "scipy", "numba", "h5py", "pynrrd", "nibabel")
BYTES_PER_VOXEL = np.dtype(np.float16).itemsize + np.dtype(np.uint8).itemsize


@dataclass(frozen=True)
class CubeRow:
    """One row of the cube.

    Args:
        image: Normalised intensity, float16, shape (I, J, K).
        label: Classes, uint8, shape (I, J, K).
        case_id: Name of the case.
        subject: The person.
        copy: 0 for the scan itself, 1, 2, ... for augmented copies.
        split: "train", "validation" or "test".
        extent: Box of the grid that the scan fills, first and one-past-last
            index along each axis, shape (3, 2).
        affine: Cube voxel to the scan's world in mm, shape (4, 4).
        drawn: The drawn augmentation parameters; empty for the scan itself.
        source: Paths, checksums, and the scan's grid and orientation.
    """

    image: npt.NDArray[np.float16]
    label: npt.NDArray[np.uint8]
    case_id: str
    subject: str
    copy: int
    split: str
    extent: npt.NDArray[np.int64]
    affine: npt.NDArray[np.float64]
    drawn: dict
    source: dict


class CubeWriter:
    """Write a new cube, row by row, in order.

    Args:
        path: File to write. The caller gives a temporary name and renames it.
        shape: Grid of every row, (I, J, K).
        num_rows: Number of rows that will be added.
        attributes: Spacing in mm, class names (background first), the label
            values behind each class, the intensity mode and the arguments, all
            JSON-safe; what is ignored if anything is. Package versions are added.
    """

    def __init__(
        self, path: Path, *, shape: Sequence[int], num_rows: int, attributes: dict
    ):
        self._disk = NewFile(path)
        self._file = h5py.File(self._disk, "w", track_order=False)
        self._num_rows, self._next = num_rows, 0
        version = version_for(attributes.get("ignored", ()))
        self._file.attrs["format_version"] = version
        self._file.attrs["complete"] = False
        versions = {name: importlib.metadata.version(name) for name in MADE_WITH}
        for name, value in {**attributes, "versions": versions}.items():
            self._file.attrs[name] = json.dumps(value)
        # A chunk is a sagittal slice, or a part of it where slices are large: UNet-2D
        # reads one, UNet-3D a few. Noisy images hardly compress, and every training
        # step would pay for it; a label map compresses to a hundredth almost for free
        # (benchmarks/cube.py). Not with LZF: it reads uninitialised memory, so equal
        # rows can differ by a few bytes.
        chunks = chunk_shape(shape)
        size = (num_rows, *shape)
        self._file.create_dataset("image", size, np.float16, chunks=chunks)
        self._file.create_dataset(
            "label",
            size,
            np.uint8,
            chunks=chunks,
            compression="gzip",
            compression_opts=1,
        )
        for name, row, dtype in (*COLUMNS, *STORAGE_COLUMNS):
            self._file.create_dataset(name, (num_rows, *row), dtype)

    def add(self, row: CubeRow) -> None:
        """Write the next row, without the chunks that are padding and background."""
        stored, padding = find_stored_box(row.image, row.extent)
        labelled = enclose(stored, row.label != 0)
        with self._disk.raise_write_errors():
            for name, box in (("image", stored), ("label", labelled)):
                inside = box_slices(round_to_chunks(box, row.image.shape))
                self._file[name][(self._next, *inside)] = getattr(row, name)[inside]
            self._file["stored"][self._next] = stored
            self._file["padding"][self._next] = padding
            for name, _, dtype in COLUMNS:
                value = getattr(row, name)
                if dtype is TEXT_DTYPE and not isinstance(value, str):
                    # With keys in order: a chain is replayed as it was drawn.
                    value = json.dumps(value)
                self._file[name][self._next] = value
        self._next += 1

    def add_rows(self, cube: Cube) -> None:
        """Copy every row of another cube, without decompressing it.

        Raises:
            DataError: If its rows have another shape or are stored differently.
        """
        first, end = self._next, self._next + len(cube)
        if cube.stored_boxes is None:
            raise DataError(
                f"{cube.path} must store its rows as this version does: with `stored` "
                "boxes. Received: none"
            )
        with self._disk.raise_write_errors():
            for name in ("image", "label"):
                source, target = cube.dataset(name), self._file[name]
                if _storage(source) != _storage(target):
                    raise DataError(
                        f"{cube.path} must store its rows as this version does: "
                        f"{_storage(target)}. Received: {_storage(source)}"
                    )
                for row, *place in chunk_places(source):
                    mask, chunk = source.id.read_direct_chunk((row, *place))
                    target.id.write_direct_chunk((first + row, *place), chunk, mask)
            for name, _, _ in (*COLUMNS, *STORAGE_COLUMNS):
                self._file[name][first:end] = cube.dataset(name)[:]
        self._next = end

    def __enter__(self) -> CubeWriter:
        return self

    def __exit__(self, kind, error, trace) -> None:
        if kind is None and self._next == self._num_rows:
            self._file.attrs["complete"] = True
        with self._disk.raise_write_errors() if kind is None else suppress(Exception):
            self._file.close()
        self._disk.close()


def _storage(dataset: h5py.Dataset) -> tuple:
    """Return what must be equal for compressed chunks to be copied."""
    properties = dataset.id.get_create_plist()
    filters = [properties.get_filter(n) for n in range(properties.get_nfilters())]
    return dataset.shape[1:], dataset.dtype, dataset.chunks, filters
