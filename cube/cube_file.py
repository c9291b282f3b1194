"""An open cube: its HDF5 file, and what holds for all its rows."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path

import h5py

from cube.hdf5 import describe_open_error
from cube.schema import read_layout
from system.errors import DataError


class CubeFile:
    """What holds for all rows of an open cube; `cube.reader.Cube` adds the rows."""

    def __init__(self, path: str | Path, *, is_part: bool = False):
        self.path = Path(path)
        if not os.path.isfile(path):
            raise DataError(f"{path}: no such cube.")
        try:
            self._file = h5py.File(self.path, "r")
        except OSError as error:
            raise DataError(f"{path} {describe_open_error(error)}") from error
        try:
            self._attributes, self._datasets = read_layout(
                self._file, self.path, is_part=is_part
            )
        except DataError:
            self._file.close()
            raise
        except (OSError, RuntimeError, KeyError, TypeError, ValueError) as error:
            self._file.close()
            raise DataError(f"{path} is damaged: {error}") from error

    def close(self) -> None:
        """Close the file; may be called twice."""
        self._file.close()

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of every row, (I, J, K)."""
        return self._datasets["image"].shape[1:]

    @cached_property
    def spacing(self) -> tuple[float, float, float]:
        """Distance in mm between voxel centres along I, J, K."""
        return tuple(self._attributes["spacing"])

    @cached_property
    def class_names(self) -> tuple[str, ...]:
        """Name of each class; the first is the background."""
        return tuple(self._attributes["class_names"])

    @property
    def class_members(self) -> tuple[tuple[str | int, ...] | None, ...] | None:
        """Structures of each class; see `Classes`. None in format version 1."""
        members = self._attributes["class_members"]
        if members is None:
            return None
        return tuple(each if each is None else tuple(each) for each in members)

    @property
    def ignores(self) -> bool:
        """Whether voxels of label maps may be `IGNORED`: without loss and score."""
        return bool(self._attributes["ignored"])

    @cached_property
    def label_values(self) -> tuple[tuple[int, ...], ...]:
        """Values of each class in label maps of predictions; see the documentation."""
        return tuple(tuple(values) for values in self._attributes["label_values"])

    @cached_property
    def intensity(self) -> list:
        """Mode that normalised every scan; see `measure_intensity`."""
        return self._attributes["intensity"]

    @cached_property
    def arguments(self) -> dict:
        """Flags of makeCube.py that decide the content."""
        return self._attributes["arguments"]

    @cached_property
    def left_out(self) -> dict[str, str]:
        """Why cases of the pair list are not in the cube, by case id."""
        return self._attributes["left_out"]

    @cached_property
    def origin(self) -> dict:
        """The pair list, and flags that let the cube be built; {} if not recorded."""
        return self._attributes["origin"]

    @property
    def inputs_digest(self) -> str | None:
        """SHA-256 of everything that decides the cube; see `cube.plan.list_inputs`."""
        return self._attributes["request"]

    @property
    def seed(self) -> int:
        """Seed of splits and augmentation."""
        return self.arguments["seed"]
