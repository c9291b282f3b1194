"""Checking that a cube can be written, and that no other file would be lost."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import h5py

from cube.pairs import Pair
from cube.partial_build import PartialBuild
from system.atomic import require_folder
from system.errors import UsageError


def check_output(output: Path, *, force: bool, resume: bool) -> None:
    """Check that a cube can be written, and that none would be lost.

    Raises:
        UsageError: If `output` is a folder or its folder cannot be written to; or if
            the file, or finished cases of an interrupted build, exist and neither
            `force` nor `resume` is on.
    """
    partial_build = PartialBuild(output)
    if os.path.isdir(output):
        raise UsageError(f"{output} is a folder.")
    require_folder(output.parent)
    if partial_build.count and not (force or resume):
        raise UsageError(
            f"{partial_build.folder} holds {partial_build.count} finished cases of an "
            "interrupted build. --resume continues it, --force starts over."
        )
    if os.path.exists(output) and not (force or resume):
        raise UsageError(f"{output} exists; --force replaces it.")


def check_inputs(output: Path, pair_list: Path, pairs: Sequence[Pair]) -> None:
    """Check that the cube replaces nothing but another cube.

    Raises:
        UsageError: If `output` is a file that the cube is built from, or any file that
            is no HDF5 file, such as a model.
    """
    inputs = [pair_list, *(path for pair in pairs for path in (pair.image, pair.label))]
    if os.path.realpath(output) in map(os.path.realpath, inputs):
        raise UsageError(f"{output} is an input of the cube. Choose another --output.")
    if os.path.exists(output) and not h5py.is_hdf5(output):
        raise UsageError(
            "--output must be a new file or a cube, as --force replaces cubes only. "
            f"Received: {output}, which is none"
        )
