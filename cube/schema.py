"""What a cube must hold: names, types and shapes, all checked when it is opened.

A cube may come from an untrusted source. Callers rely on what is checked here.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import h5py
import numpy as np

from cube.attributes import ATTRIBUTES, read_attributes
from cube.hdf5 import local_dataset
from cube.splits import SPLITS
from cube.storage import check_grid, check_storage
from cube.values import MAX_NAME, is_name
from system.errors import DataError
from system.limits import MAX_VOXELS
from system.text import short_repr

FORMAT_VERSION = 2
# Of cubes with voxels to ignore, which version 2 would take for another class.
IGNORING_VERSION = 3
READABLE_VERSIONS = (1, FORMAT_VERSION, IGNORING_VERSION)
TEXT_DTYPE = h5py.string_dtype()
VOXELS = {"image": np.float16, "label": np.uint8}
# Row-wise datasets besides image and label: name, shape of a row, dtype.
COLUMNS = (
    ("case_id", (), TEXT_DTYPE),
    ("subject", (), TEXT_DTYPE),
    ("copy", (), np.int64),
    ("split", (), TEXT_DTYPE),
    ("extent", (3, 2), np.int64),
    ("affine", (4, 4), np.float64),
    ("drawn", (), TEXT_DTYPE),
    ("source", (), TEXT_DTYPE),
)
# What rows have whose image is stored without the chunks of padding; see
# `cube.storage`. Not in version 1.
STORAGE_COLUMNS = (("stored", (3, 2), np.int64), ("padding", (), np.float16))
MAX_ROWS = 2**20


def version_for(ignored: Sequence) -> int:
    """Return the oldest format version that holds what a cube ignores, or nothing."""
    return IGNORING_VERSION if ignored else FORMAT_VERSION


def check_version(file: h5py.File, path: Path) -> None:
    """Check that a file is a cube of a format version that can be read.

    Raises:
        DataError: If it is not.
    """
    found = file.attrs.get("format_version")
    if found is None:
        raise DataError(f"{path} is an HDF5 file but not a cube of makeCube.py.")
    is_number = isinstance(found, int | np.integer)
    oldest, *_, newest = READABLE_VERSIONS
    if is_number and found > newest:
        raise DataError(
            f"{path} must have format version {newest} or older. Received: "
            f"{found}, from a newer makeCube.py; use the scripts that came with it."
        )
    if not is_number or found not in READABLE_VERSIONS:
        raise DataError(
            f"{path} must have format version {oldest} to {newest}. Received: "
            f"{short_repr(found)}. Build it again with makeCube.py."
        )


def read_layout(
    file: h5py.File, path: Path, *, is_part: bool = False
) -> tuple[dict[str, object], dict[str, h5py.Dataset]]:
    """Check everything that a cube must hold, except the voxels.

    Args:
        file: Open for reading.
        path: Path of the file, for messages.
        is_part: Whether it holds one case of a cube, which may be far smaller than
            the grid.

    Returns:
        Attributes and datasets, by name.

    Raises:
        DataError: If something is missing, incomplete, invalid, or stored in
            another file.
    """
    check_version(file, path)
    columns = columns_of(file)
    names = [*VOXELS, *(name for name, _, _ in columns)]
    missing = sorted(set(names) - set(file))
    missing += sorted({*ATTRIBUTES, "complete"} - set(file.attrs))
    if missing:
        raise DataError(f"{path} lacks {', '.join(missing)}.")
    if not np.array_equal(file.attrs["complete"], True):
        raise DataError(f"{path} is incomplete. Build it again.")
    datasets = {name: local_dataset(file, name, path) for name in names}
    _check_shapes(datasets, columns, path)
    voxels = {name: datasets[name] for name in VOXELS}
    boxes = _read_stored_boxes(datasets, path) if "stored" in datasets else None
    check_storage(voxels, boxes, path)
    if not is_part:
        check_grid(datasets["image"], path)
    return read_attributes(file, path), datasets


def columns_of(file: h5py.File) -> tuple:
    """Return the row-wise datasets that a cube must have."""
    has_storage = any(name in file for name, _, _ in STORAGE_COLUMNS)
    return (*COLUMNS, *STORAGE_COLUMNS) if has_storage else COLUMNS


def _read_stored_boxes(datasets: dict[str, h5py.Dataset], path: Path) -> np.ndarray:
    """Read the stored box of each row, which must hold what the scan fills."""
    boxes = read_boxes(datasets, "stored", path)
    extents = read_boxes(datasets, "extent", path)
    is_inside = boxes[..., 0] <= extents[..., 0]
    if not (is_inside & (boxes[..., 1] >= extents[..., 1])).all():
        raise DataError(
            f"{path} must have `stored` boxes that hold its `extent` boxes. Received: "
            "others"
        )
    return boxes


def _check_shapes(
    datasets: dict[str, h5py.Dataset], columns: Sequence, path: Path
) -> None:
    """Check that the datasets fit together and have shapes that a cube can have."""
    shape = datasets["image"].shape
    rows = shape[0] if len(shape) == 4 else 0
    if not 1 <= rows <= MAX_ROWS or not 1 <= math.prod(shape[1:]) <= MAX_VOXELS:
        raise DataError(
            f"{path} must hold `image` as 1 to {MAX_ROWS} rows of at most {MAX_VOXELS} "
            f"voxels. Received: shape {shape}"
        )
    expected = {name: (shape, np.dtype(kind)) for name, kind in VOXELS.items()}
    for name, row, kind in columns:
        expected[name] = ((rows, *row), np.dtype(kind))
    for name, wanted in expected.items():
        found = (datasets[name].shape, datasets[name].dtype)
        are_texts = all(h5py.check_string_dtype(each[1]) for each in (found, wanted))
        if found[0] != wanted[0] or (found[1] != wanted[1] and not are_texts):
            raise DataError(
                f"{path} must hold `{name}` of shape and type {wanted}. "
                f"Received: {found}"
            )


def read_numbers(dataset: h5py.Dataset, path: Path) -> np.ndarray:
    """Read a whole column of numbers.

    Raises:
        DataError: If it cannot be read.
    """
    return _read_column(dataset, dataset, path)


def read_copies(
    dataset: h5py.Dataset, case_ids: Sequence[str], path: Path
) -> list[int]:
    """Read the column of copy numbers.

    Raises:
        DataError: If it cannot be read, a number is negative, or a case has no scan.
    """
    copies = read_numbers(dataset, path).tolist()
    pairs = zip(case_ids, copies, strict=True)
    without = set(case_ids) - {case_id for case_id, copy in pairs if copy == 0}
    if without or min(copies) < 0:
        raise DataError(
            f"{path} must hold in `copy` 0 for a scan of each case, and 1 or more for "
            f"its copies. Received: {short_repr(sorted(set(copies)))}"
        )
    return copies


def read_boxes(datasets: dict[str, h5py.Dataset], name: str, path: Path) -> np.ndarray:
    """Read a column of boxes of the grid, shape (N, 3, 2).

    Raises:
        DataError: If it cannot be read, or a box is empty or not inside the grid.
    """
    shape = datasets["image"].shape[1:]
    boxes = read_numbers(datasets[name], path)
    first, last = boxes[..., 0], boxes[..., 1]
    if (first < 0).any() or (first >= last).any() or (last > shape).any():
        raise DataError(
            f"{path} must hold in `{name}` boxes inside its grid of {shape}. "
            f"Received: {boxes.min()} to {boxes.max()}"
        )
    return boxes


def _read_column(dataset: h5py.Dataset, view: Sequence, path: Path) -> np.ndarray:
    try:
        return view[:]
    except (OSError, ValueError, TypeError) as error:
        raise DataError(f"{path} is damaged in `{_name(dataset)}`: {error}") from error


def _name(dataset: h5py.Dataset) -> str:
    return dataset.name.removeprefix("/")


def read_texts(dataset: h5py.Dataset, path: Path) -> list[str]:
    """Read a column of text.

    Raises:
        DataError: If it cannot be read, a name is too long or no name, or a split is
            unknown.
    """
    texts = list(_read_column(dataset, dataset.asstr(), path))
    is_of_names = _name(dataset) in ("case_id", "subject")
    invalid = [text for text in texts if not is_name(text)] if is_of_names else ()
    if invalid:
        raise DataError(
            f"{path} must name cases and subjects in at most {MAX_NAME} characters, "
            f"without control characters. Received: {short_repr(invalid[0])}"
        )
    unknown = set(texts) - set(SPLITS) if _name(dataset) == "split" else ()
    if unknown:
        raise DataError(
            f"{path} must use the splits {', '.join(SPLITS)}. Received: "
            f"{short_repr(sorted(unknown))}"
        )
    return texts


def read_dicts(
    dataset: h5py.Dataset, path: Path, is_valid: Callable[[dict], bool]
) -> list[dict]:
    """Read a column of JSON objects.

    Raises:
        DataError: If a row is not a valid JSON object.
    """
    found = []
    for row, text in enumerate(read_texts(dataset, path)):
        try:
            value = json.loads(text)
            is_sound = isinstance(value, dict) and is_valid(value)
        except (ValueError, RecursionError):
            is_sound = False
        if not is_sound:
            raise DataError(
                f"{path} must hold a valid JSON object in `{_name(dataset)}` "
                f"of row {row}. Received: {short_repr(text)}"
            )
        found.append(value)
    return found
