"""Measure storage settings of a cube: time to write, time to read, and size."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from benchmarks.timing import timed
from cube.writer import CubeRow

PATCH = (48, 96, 96)
NUM_READS = 30


@dataclass(frozen=True)
class Storage:
    """A storage setting.

    Args:
        name: How it is called in the table.
        options: What `create_dataset` is given, besides the chunks.
        dtype: Of the image.
        chunk: Voxels along right, anterior, superior; None stands for a whole side.
        label: Options of the label map, where it has others than the image.
    """

    name: str
    options: dict
    dtype: type = np.float16
    chunk: tuple[int | None, ...] = (1, None, None)
    label: dict | None = None


def ways() -> list[Storage]:
    """List the settings; blosc2 and zstd only if hdf5plugin is installed."""
    gzip = {"compression": "gzip", "shuffle": True}
    found = [
        Storage("none", {}),
        Storage("none, float32", {}, np.float32),
        Storage("none, labels lzf", {}, label={"compression": "lzf"}),
        Storage(
            "none, labels gzip 1",
            {},
            label={"compression": "gzip", "compression_opts": 1},
        ),
        Storage("lzf", {"compression": "lzf"}),
        Storage("lzf, shuffled", {"compression": "lzf", "shuffle": True}),
        Storage(
            "lzf, shuffled, float32",
            {"compression": "lzf", "shuffle": True},
            np.float32,
        ),
        Storage("gzip 1, shuffled", {**gzip, "compression_opts": 1}),
        Storage(
            "gzip 1, shuffled, float32", {**gzip, "compression_opts": 1}, np.float32
        ),
        Storage("gzip 4, shuffled", {**gzip, "compression_opts": 4}),
    ]
    if importlib.util.find_spec("hdf5plugin") is None:
        print(
            "hdf5plugin is not installed: no blosc2, no zstd (requirements-bench.txt)"
        )
    else:
        import hdf5plugin

        shuffle = hdf5plugin.Blosc2.SHUFFLE
        for codec in ("lz4", "zstd"):
            options = dict(hdf5plugin.Blosc2(codec, clevel=1, filters=shuffle))
            found.append(Storage(f"blosc2 {codec} 1", options))
        options = dict(hdf5plugin.Zstd(clevel=1))
        found.append(Storage("zstd 1, shuffled", {**options, "shuffle": True}))
    block = (8, 64, 64)
    shuffled = {"compression": "lzf", "shuffle": True}
    found.append(Storage("lzf, shuffled, blocks", shuffled, chunk=block))
    return found


@dataclass(frozen=True)
class Cost:
    """Seconds per row, slice and patch, and bytes per row, of a storage setting."""

    write: float
    read_slice: float
    read_patch: float
    size: float


def measure(storage: Storage, samples: Sequence[CubeRow], folder: Path) -> Cost:
    """Write rows, then read slices and patches at random positions.

    The file stays in the system's memory between writing and reading: what is
    timed is packing and unpacking, and HDF5, not a disk.
    """
    path = folder / "storage.h5"
    path.unlink(missing_ok=True)
    write = timed(lambda: write_rows(path, storage, samples)) / len(samples)
    rng = np.random.default_rng(0)
    shape = samples[0].image.shape
    sides = [min(pair) for pair in zip(PATCH, shape, strict=True)]
    first = [
        rng.integers(0, side - few + 1, NUM_READS)
        for side, few in zip(shape, sides, strict=True)
    ]
    boxes = [
        tuple(slice(a, a + few) for a, few in zip(corner, sides, strict=True))
        for corner in zip(*first, strict=True)
    ]
    slices = [(int(i),) for i in rng.integers(0, shape[0], NUM_READS)]
    rows = rng.integers(0, len(samples), NUM_READS).tolist()

    def read(places):
        with h5py.File(path) as file:
            for row, place in zip(rows, places, strict=True):
                for name in ("image", "label"):
                    file[name][(row, *place)]

    return Cost(
        write,
        timed(lambda: read(slices)) / NUM_READS,
        timed(lambda: read(boxes)) / NUM_READS,
        path.stat().st_size / len(samples),
    )


def create(file: h5py.File, storage: Storage, count: int, shape: Sequence[int]) -> None:
    """Create the datasets of some rows."""
    chunk = [
        side if few is None else min(side, few)
        for side, few in zip(shape, storage.chunk, strict=True)
    ]
    of_label = storage.options if storage.label is None else storage.label
    kinds = (("image", storage.dtype, storage.options), ("label", np.uint8, of_label))
    for name, dtype, options in kinds:
        size = (count, *shape)
        file.create_dataset(name, size, dtype, chunks=(1, *chunk), **options)


def put(file: h5py.File, row: int, sample: CubeRow) -> None:
    """Write the image and the label map of a row."""
    file["image"][row] = sample.image
    file["label"][row] = sample.label


def write_rows(path: Path, storage: Storage, samples: Sequence[CubeRow]) -> None:
    """Write the images and label maps of some rows."""
    with h5py.File(path, "w") as file:
        create(file, storage, len(samples), samples[0].image.shape)
        for row, sample in enumerate(samples):
            put(file, row, sample)
