"""The cube: one HDF5 file with every scan, its label map and its copies.

This module alone knows the names inside the file. A row is a scan (copy 0) or
an augmented copy of it (copy 1, 2, ...); all rows share one grid shape and one
spacing, axis 0 to the patient's right, 1 to the anterior, 2 to the superior.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt

from volumes.cube_layout import (
    ATTRIBUTES,
    COLUMNS,
    FORMAT_VERSION,
    TEXT,
    read_dicts,
    read_layout,
    read_numbers,
    read_texts,
)
from volumes.errors import DataError
from volumes.geometry import Grid
from volumes.hdf5 import NewFile, why_not_opened
from volumes.splits import SPLITS

MADE_WITH = ("numpy", "scipy", "numba", "h5py", "pynrrd", "nibabel")
BYTES_PER_VOXEL = np.dtype(np.float16).itemsize + np.dtype(np.uint8).itemsize


@dataclass(frozen=True)
class Sample:
    """One row of the cube.

    Args:
        image: Normalised intensity, float16, shape (I, J, K).
        label: Classes, uint8, shape (I, J, K).
        case_id: Which scan.
        subject: Which person.
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


def _json(value: object) -> str:
    return json.dumps(value)  # in order: a chain is replayed as it was drawn


class CubeWriter:
    """Write a new cube, row by row, in order.

    Args:
        path: File to write. The caller gives a temporary name and renames it.
        shape: Grid of every row, (I, J, K).
        num_rows: How many rows will follow.
        attributes: Spacing in mm, class names (background first), the label
            values behind each class, the intensity mode and the arguments, all
            JSON-safe. The versions of packages are added.
    """

    def __init__(
        self, path: Path, *, shape: Sequence[int], num_rows: int, attributes: dict
    ):
        self._disk = NewFile(path)
        self._file = h5py.File(self._disk, "w", track_order=False)
        self._num_rows, self._next = num_rows, 0
        self._file.attrs["format_version"] = FORMAT_VERSION
        self._file.attrs["complete"] = False
        versions = {name: importlib.metadata.version(name) for name in MADE_WITH}
        for name, value in {**attributes, "versions": versions}.items():
            self._file.attrs[name] = _json(value)
        # A chunk is a sagittal slice: UNet-2D reads one, UNet-3D a few. Noise hardly
        # packs, and unpacking it costs every training step; a label map packs to
        # a hundredth, in no time (benchmarks/cube.py). Not by LZF: that reads memory
        # that nobody set, and the same rows differ by a few bytes now and then.
        chunks = (1, 1, *shape[1:])
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
        for name, row, dtype in COLUMNS:
            self._file.create_dataset(name, (num_rows, *row), dtype)

    def add(self, sample: Sample) -> None:
        """Write the next row."""
        row = self._next
        with self._disk.telling():
            self._file["image"][row] = sample.image
            self._file["label"][row] = sample.label
            for name, _, dtype in COLUMNS:
                value = getattr(sample, name)
                text = dtype is TEXT and not isinstance(value, str)
                self._file[name][row] = _json(value) if text else value
        self._next += 1

    def add_rows(self, cube: Cube) -> None:
        """Take over every row of another cube, as it is packed.

        Raises:
            DataError: If its rows are of another shape or stored otherwise.
        """
        first, end = self._next, self._next + len(cube)
        with self._disk.telling():
            for name in ("image", "label"):
                source, target = cube.dataset(name), self._file[name]
                if _storage(source) != _storage(target):
                    raise DataError(
                        f"{cube.path} must store its rows as this version does. "
                        f"Received: {_storage(source)} and not {_storage(target)}"
                    )
                sides = zip(source.shape, source.chunks, strict=True)
                for row, *place in product(*(range(0, *side) for side in sides)):
                    mask, packed = source.id.read_direct_chunk((row, *place))
                    target.id.write_direct_chunk((first + row, *place), packed, mask)
            for name, _, _ in COLUMNS:
                self._file[name][first:end] = cube.dataset(name)[:]
        self._next = end

    def __enter__(self) -> CubeWriter:
        return self

    def __exit__(self, kind, error, trace) -> None:
        if kind is None and self._next == self._num_rows:
            self._file.attrs["complete"] = True
        with self._disk.telling() if kind is None else suppress(Exception):
            self._file.close()
        self._disk.close()


def _storage(dataset: h5py.Dataset) -> tuple:
    """Tell what must be the same for packed chunks to be taken over."""
    filters = dataset.id.get_create_plist()
    packing = [filters.get_filter(place) for place in range(filters.get_nfilters())]
    return dataset.shape[1:], dataset.dtype, dataset.chunks, packing


class Cube:
    """Read a cube; nothing is loaded before it is asked for.

    An h5py handle does not survive a fork: open a cube in the process that
    reads it. One open cube may be read from several threads.

    Args:
        path: The HDF5 file.

    Raises:
        DataError: If the file is missing, is no cube, is of another format
            version or was not finished.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        if not self.path.is_file():
            raise DataError(f"{path}: no such cube.")
        try:
            self._file = h5py.File(self.path, "r")
        except OSError as error:
            raise DataError(f"{path} {why_not_opened(error)}") from error
        try:
            self._attributes, self._datasets = read_layout(self._file, self.path)
        except (OSError, RuntimeError, KeyError) as error:
            self._file.close()
            raise DataError(f"{path} is damaged: {error}") from error
        except DataError:
            self._file.close()
            raise

    def __enter__(self) -> Cube:
        return self

    def __exit__(self, kind, error, trace) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; closing twice does no harm."""
        self._file.close()

    def __len__(self) -> int:
        return self._datasets["image"].shape[0]

    def dataset(self, name: str) -> h5py.Dataset:
        """Give a dataset itself, for copying."""
        return self._datasets[name]

    def _column(self, name: str) -> list[str]:
        return read_texts(self._datasets[name], self.path)

    @cached_property
    def checksum(self) -> str:
        """SHA-256 over the columns and attributes, which name every scan's own."""
        digest = hashlib.sha256()
        for name in ATTRIBUTES:
            digest.update(self._file.attrs[name].encode())
        for name in ("case_id", "subject", "split", "source", "drawn"):
            digest.update(_json(self._column(name)).encode())
        return digest.hexdigest()

    @property
    def shape(self) -> tuple[int, int, int]:
        """Grid of every row, (I, J, K)."""
        return self._datasets["image"].shape[1:]

    @cached_property
    def spacing(self) -> tuple[float, float, float]:
        """Distance in mm between voxel centres along I, J, K."""
        return tuple(self._attributes["spacing"])

    @cached_property
    def class_names(self) -> tuple[str, ...]:
        """Name of each class; the first is the background."""
        return tuple(self._attributes["class_names"])

    @cached_property
    def label_values(self) -> tuple[tuple[int, ...], ...]:
        """Values of the label maps behind each class; none for the background."""
        return tuple(tuple(values) for values in self._attributes["label_values"])

    @cached_property
    def intensity(self) -> list:
        """The mode that normalised every scan; see `measure_intensity`."""
        return self._attributes["intensity"]

    @cached_property
    def arguments(self) -> dict:
        """What makeCube.py was asked for, as far as it decides the content."""
        return self._attributes["arguments"]

    @cached_property
    def versions(self) -> dict[str, str]:
        """Versions of the packages that made the cube."""
        return self._attributes["versions"]

    @cached_property
    def left_out(self) -> dict[str, str]:
        """Why cases of the pair list are not in the cube, by case."""
        return json.loads(self._file.attrs.get("left_out", "{}"))

    @property
    def request(self) -> str | None:
        """Checksum of all that was asked for, scans included; see `makeCube.py`."""
        return json.loads(self._file.attrs.get("request", "null"))

    @property
    def seed(self) -> int:
        """The one seed of splits and augmentation."""
        return self.arguments["seed"]

    @cached_property
    def case_ids(self) -> list[str]:
        """Which scan, by row."""
        return self._column("case_id")

    @cached_property
    def subjects(self) -> list[str]:
        """Which person, by row."""
        return self._column("subject")

    @cached_property
    def copies(self) -> list[int]:
        """0 for the scan itself, 1, 2, ... for augmented copies, by row."""
        return read_numbers(self._datasets["copy"], self.path).tolist()

    @cached_property
    def splits(self) -> list[str]:
        """Split, by row."""
        return self._column("split")

    @cached_property
    def drawn(self) -> list[dict]:
        """Drawn augmentation parameters, by row."""
        return read_dicts(self._datasets["drawn"], self.path)

    @cached_property
    def sources(self) -> list[dict]:
        """Paths, checksums, and the scan's grid and orientation, by row."""
        return read_dicts(self._datasets["source"], self.path)

    @cached_property
    def extents(self) -> npt.NDArray[np.int64]:
        """Box of the grid that the scan fills, by row, shape (N, 3, 2)."""
        extents = read_numbers(self._datasets["extent"], self.path)
        first, last = extents[..., 0], extents[..., 1]
        if (first < 0).any() or (first > last).any() or (last > self.shape).any():
            raise DataError(
                f"{self.path} must hold in `extent` boxes inside its grid. Received: "
                f"{extents.min()} to {extents.max()} for {self.shape}"
            )
        return extents

    @cached_property
    def affines(self) -> npt.NDArray[np.float64]:
        """Cube voxel to the scan's world in mm, by row, shape (N, 4, 4)."""
        return read_numbers(self._datasets["affine"], self.path)

    def rows(self, split: str | None = None, copy: int | None = None) -> list[int]:
        """List the rows of a split, or of one copy number, or of both."""
        if split is not None and split not in SPLITS:
            raise ValueError(f"Split must be one of {SPLITS}. Received: {split}")
        return [
            row
            for row in range(len(self))
            if split in (None, self.splits[row]) and copy in (None, self.copies[row])
        ]

    def grid(self, row: int) -> Grid:
        """Give the grid of a row in the world of its scan."""
        try:
            return Grid(self.shape, self.affines[row])
        except ValueError as error:
            raise DataError(
                f"{self.path} must hold a grid in `affine` of row {row}: {error}"
            ) from error

    def image(
        self, row: int, box: tuple[slice, slice, slice] | None = None
    ) -> npt.NDArray[np.float16]:
        """Read the image of a row, or a box of it; shape (I, J, K)."""
        return self._read("image", row, box)

    def label(
        self, row: int, box: tuple[slice, slice, slice] | None = None
    ) -> npt.NDArray[np.uint8]:
        """Read the label map of a row, or a box of it; shape (I, J, K)."""
        return self._read("label", row, box)

    def _read(self, name: str, row: int, box: tuple | None) -> np.ndarray:
        try:
            return self._datasets[name][(row, *(box or (slice(None),) * 3))]
        except OSError as error:
            raise DataError(
                f"{self.path} is damaged in `{name}` of row {row}: {error}"
            ) from error
        except MemoryError as error:
            raise DataError(f"{self.path} needs more memory than there is.") from error
