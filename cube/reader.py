"""Reading a cube: one HDF5 file with every scan, its label map and its copies.

Only this module, `cube.attributes`, `cube.cube_file`, `cube.schema` and `cube.writer`
know the names inside. A row is a scan (copy 0) or an augmented copy of it (copy 1, 2,
...); all rows share one grid shape and one spacing, axis 0 to the patient's right, 1 to
the anterior, 2 to the superior.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt

from cube.attributes import ATTRIBUTES, OPTIONAL_ATTRIBUTES
from cube.cube_file import CubeFile
from cube.identity import content_digest
from cube.schema import (
    read_boxes,
    read_copies,
    read_dicts,
    read_numbers,
    read_texts,
)
from cube.splits import SPLITS
from cube.storage import read_padded, round_to_chunks
from cube.values import is_drawn, is_source
from system.errors import DataError
from system.text import short_repr
from volumes.geometry import Grid


class Cube(CubeFile):
    """An open cube; rows and columns are read when they are first used.

    An h5py handle does not survive a fork: open a cube in the process that
    reads it. One open cube may be read from several threads.

    Args:
        path: The HDF5 file.
        is_part: Whether it is one case of a cube that is being built.

    Raises:
        DataError: If the file is missing, is not a cube, has another format
            version or is incomplete.
    """

    def __enter__(self) -> Cube:
        return self

    def __exit__(self, kind, error, trace) -> None:
        self.close()

    def __len__(self) -> int:
        return self._datasets["image"].shape[0]

    def dataset(self, name: str) -> h5py.Dataset:
        """Return a dataset itself, for copying."""
        return self._datasets[name]

    def _column(self, name: str) -> list[str]:
        return read_texts(self._datasets[name], self.path)

    @cached_property
    def checksum(self) -> str:
        """SHA-256 of the content, wherever the scans lie; see `cube.identity`."""
        columns: dict[str, Sequence] = {
            name: self._column(name) for name in ("case_id", "subject", "split")
        }
        columns |= {
            "copy": self.copies,
            "extent": self.extents.tolist(),
            "drawn": self._column("drawn"),
            "source": self._column("source"),
        }
        try:
            return content_digest(self._attributes, self.shape, columns)
        except RecursionError as error:
            raise DataError(f"{self.path} is damaged: nested too deeply.") from error

    @cached_property
    def checksum_with_places(self) -> str:
        """SHA-256 as earlier versions computed it, paths and package versions too."""
        digest = hashlib.sha256()
        for name in (*ATTRIBUTES, *OPTIONAL_ATTRIBUTES):
            digest.update(self._file.attrs.get(name, "").encode())
        for name in ("case_id", "subject", "split", "source", "drawn"):
            digest.update(json.dumps(self._column(name)).encode())
        return digest.hexdigest()

    def ignored_values_of(self, row: int) -> tuple[int, ...]:
        """Return the values that are ignored in the label map of a row's scan."""
        return tuple(self.sources[row].get("ignored_values", ()))

    def label_names_of(self, row: int) -> dict[int, str]:
        """Return the canonical name of each value of a row's label map that has one.

        Empty in cubes of earlier versions, which do not hold them.
        """
        names = self.sources[row].get("label_names", {})
        return {int(value): str(name) for value, name in names.items()}

    def label_values_of(self, row: int) -> tuple[tuple[int, ...], ...]:
        """Return the values of each class in the label map of a row's scan.

        Raises:
            DataError: If the row holds others than values of each class.
        """
        values = self.sources[row].get("label_values")
        if values is None:  # format version 1, where they are the same in all scans
            return self.label_values
        if not isinstance(values, list) or len(values) != len(self.class_names):
            raise DataError(
                f"{self.path} must hold label values for each class in `source` of row "
                f"{row}. Received: {short_repr(values)}"
            )
        return tuple(tuple(each) for each in values)

    @cached_property
    def case_ids(self) -> list[str]:
        """Case id, by row."""
        return self._column("case_id")

    @cached_property
    def subjects(self) -> list[str]:
        """Subject, by row."""
        return self._column("subject")

    @cached_property
    def copies(self) -> list[int]:
        """0 for the scan itself, 1, 2, ... for augmented copies, by row."""
        return read_copies(self._datasets["copy"], self.case_ids, self.path)

    @cached_property
    def splits(self) -> list[str]:
        """Split, by row."""
        return self._column("split")

    @cached_property
    def drawn(self) -> list[dict]:
        """Drawn augmentation parameters, by row."""
        return read_dicts(self._datasets["drawn"], self.path, is_drawn)

    @cached_property
    def sources(self) -> list[dict]:
        """Paths, checksums, and the scan's grid and orientation, by row.

        The paths are absolute: recorded ones are relative to the cube's folder.
        """
        folder = os.path.dirname(os.path.realpath(self.path))
        return [_with_paths(source, folder) for source in self._recorded_sources]

    @cached_property
    def _recorded_sources(self) -> list[dict]:
        return read_dicts(self._datasets["source"], self.path, is_source)

    def places(self, row: int, kind: str) -> list[Path]:
        """List where the "image" or "label" file of a row may lie.

        Beside the cube as it is now, and beside the place where it was built.
        """
        built_in = self._attributes["built_in"]
        sources = [self.sources[row]]
        if built_in:
            sources.append(_with_paths(self._recorded_sources[row], built_in))
        return [Path(str(source[kind])) for source in sources if kind in source]

    @cached_property
    def extents(self) -> npt.NDArray[np.int64]:
        """Box of the grid that the scan fills, by row, shape (N, 3, 2)."""
        return read_boxes(self._datasets, "extent", self.path)

    @cached_property
    def stored_boxes(self) -> npt.NDArray[np.int64] | None:
        """Box of each row that is in the file, shape (N, 3, 2); None if all voxels."""
        if "stored" not in self._datasets:
            return None
        return read_boxes(self._datasets, "stored", self.path)

    @cached_property
    def _filled_boxes(self) -> list[list[list[int]]] | None:
        """The stored boxes, rounded to chunks."""
        if self.stored_boxes is None:
            return None
        return round_to_chunks(self.stored_boxes, self.shape).tolist()

    @cached_property
    def _paddings(self) -> npt.NDArray[np.float16]:
        return read_numbers(self._datasets["padding"], self.path)

    def filled_box(self, row: int) -> tuple[slice, slice, slice]:
        """Return the box of the grid that the scan of a row fills."""
        return tuple(slice(int(first), int(last)) for first, last in self.extents[row])

    @cached_property
    def affines(self) -> npt.NDArray[np.float64]:
        """Cube voxel to the scan's world in mm, by row, shape (N, 4, 4)."""
        return read_numbers(self._datasets["affine"], self.path)

    def rows(self, split: str | None = None, copy: int | None = None) -> list[int]:
        """List the rows of a split, or of one copy number, or of both; all by default.

        Raises:
            ValueError: If there is no such split.
        """
        if split is not None and split not in SPLITS:
            raise ValueError(f"Split must be one of {SPLITS}. Received: {split}")
        return [
            row
            for row in range(len(self))
            if split in (None, self.splits[row]) and copy in (None, self.copies[row])
        ]

    def grid(self, row: int) -> Grid:
        """Return the grid of a row, in the world of its scan.

        Raises:
            DataError: If the row holds no affine of a grid.
        """
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
        box = box or (slice(None),) * 3
        dataset, filled = self._datasets[name], self._filled_boxes
        try:
            if name == "image" and filled is not None:
                padding = self._paddings[row]
                return read_padded(dataset, row, box, filled[row], padding)
            return dataset[(row, *box)]
        except OSError as error:
            raise DataError(
                f"{self.path} is damaged in `{name}` of row {row}: {error}"
            ) from error
        except MemoryError as error:
            raise DataError(f"Out of memory while reading {self.path}.") from error


def _with_paths(source: dict, folder: str) -> dict:
    """Return a source whose paths are absolute, relative ones in a folder."""
    paths = {
        kind: os.path.normpath(os.path.join(folder, str(source[kind])))
        for kind in ("image", "label")
        if kind in source
    }
    return {**source, **paths}
