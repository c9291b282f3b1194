"""Crafted files that try to read other files or to exhaust the memory.

Each maker writes into an empty folder and returns the path of the file.
"""

from __future__ import annotations

import bz2
import gzip
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import nibabel as nib
import numpy as np
from support.cubes import clean_rows, write_cube
from support.nrrd_files import VOXELS, nrrd_bytes, write

BOMB_BYTES = 2**30
LONG_HEADER_BYTES = 100 * 10**6
RAW = VOXELS.tobytes(order="F")

Maker = Callable[[Path], Path]


def nrrd(data: bytes | None = None, *pairs: str, **changes: str | None) -> Maker:
    """Return a maker of an NRRD file with other fields or data."""
    return lambda folder: write(folder, nrrd_bytes(data, pairs, **changes))


def detached(name: str, prepare: Callable[[Path], object]) -> Maker:
    """Return a maker of a header that points to `name`, which `prepare` writes."""

    def make(folder: Path) -> Path:
        inside = folder / "inside"
        inside.mkdir()
        prepare(inside)
        data_file = name.format(folder=folder)
        return write(inside, nrrd_bytes(b"", data_file=data_file), "scan.nhdr")

    return make


def secret(inside: Path) -> None:
    """Write voxels where no header may point to: beside its folder."""
    write(inside.parent, RAW, "secret.raw")


def bomb(encoding: str) -> Maker:
    """Return a maker of a file whose 48 declared bytes decompress to a gigabyte."""
    pack = {"gzip": _gzip_zeros, "bzip2": _bzip2_zeros}[encoding]
    return nrrd(pack(BOMB_BYTES), encoding=encoding)


def _gzip_zeros(size: int) -> bytes:
    """Compress zeros piece by piece: several gzip members form one stream."""
    return gzip.compress(bytes(2**24)) * (size // 2**24)


def _bzip2_zeros(size: int) -> bytes:
    return bz2.compress(bytes(2**24)) * (size // 2**24)


def long_header(line: bytes) -> Maker:
    """Return a maker of a header of 100 MB that repeats one line."""

    def make(folder: Path) -> Path:
        path = folder / "scan.nrrd"
        with path.open("wb") as stream:
            stream.write(b"NRRD0005\n")
            for first in range(0, LONG_HEADER_BYTES, len(line) * 10**5):
                piece = line * 10**5
                stream.write(piece.replace(b"@", str(first).encode()))
        return path

    return make


def nifti(
    *, data: bytes | None = None, suffix: str = ".nii", affine=None, **changes: object
) -> Maker:
    """Return a maker of a NIfTI file with other header fields or data."""

    def make(folder: Path) -> Path:
        image = nib.Nifti1Image(VOXELS, np.eye(4) if affine is None else affine)
        image.header["vox_offset"] = 352
        if affine is None:  # the grid depends on pixdim
            image.set_sform(None, code=0)
            image.set_qform(np.eye(4), code=1)
        for name, value in changes.items():
            image.header[name] = value
        content = image.header.binaryblock + bytes(4) + (RAW if data is None else data)
        path = folder / f"scan{suffix}"
        path.write_bytes(gzip.compress(content) if suffix.endswith(".gz") else content)
        return path

    return make


def nifti_bomb(folder: Path) -> Path:
    """Write a NIfTI file whose 48 declared bytes decompress to a gigabyte."""
    path = nifti(suffix=".nii.gz")(folder)
    with path.open("ab") as stream:
        stream.write(_gzip_zeros(BOMB_BYTES))
    return path


def changed_cube(change: Callable[[h5py.File, Path], object]) -> Maker:
    """Return a maker of a valid cube that is changed afterwards."""

    def make(folder: Path) -> Path:
        path = write_cube(folder / "cube.h5", clean_rows())
        other = write_cube(folder / "other.h5", clean_rows())
        with h5py.File(path, "r+") as file:
            change(file, other)
        return path

    return make


def cut_cube(folder: Path) -> Path:
    path = write_cube(folder / "cube.h5", clean_rows())
    os.truncate(path, path.stat().st_size - 500)
    return path


def replaced(file: h5py.File, name: str, link: object) -> None:
    del file[name]
    file[name] = link


def virtual(file: h5py.File, other: Path) -> None:
    shape, dtype = file["image"].shape, file["image"].dtype
    layout = h5py.VirtualLayout(shape, dtype)
    layout[:] = h5py.VirtualSource(other, "image", shape)
    del file["image"]
    file.create_virtual_dataset("image", layout)


def stored_elsewhere(file: h5py.File, other: Path) -> None:
    shape = file["label"].shape
    storage = [(str(other), 0, int(np.prod(shape)))]
    del file["label"]
    file.create_dataset("label", shape, np.uint8, external=storage)


def without_voxels(file: h5py.File, other: Path) -> None:
    """Declare rows of 2^45 voxels, of which none is stored."""
    for name, dtype in (("image", np.float16), ("label", np.uint8)):
        del file[name]
        size = (4, 2**15, 2**15, 2**15)
        file.create_dataset(name, size, dtype, chunks=(1, 1, 64, 64))


def with_voxels_only_promised(file: h5py.File, other: Path) -> None:
    """Declare the same images, of which none is stored."""
    shape, chunks = file["image"].shape, file["image"].chunks
    del file["image"]
    file.create_dataset("image", shape, np.float16, chunks=chunks)


def with_a_grid_that_no_scan_fills(file: h5py.File, other: Path) -> None:
    """Declare rows of 4 GB, of which 32 kB are stored, where the scans are."""
    for name, dtype in (("image", np.float16), ("label", np.uint8)):
        del file[name]
        size = (4, 2**15, 2**7, 2**9)
        new = file.create_dataset(name, size, dtype, chunks=(1, 1, 128, 128))
        new[:, 0, 0, 0] = 1
    file["extent"][:] = file["stored"][:] = [(0, 1)] * 3


def attribute(name: str, value: object) -> Callable[[h5py.File, Path], None]:
    return lambda file, other: file.attrs.__setitem__(name, value)


def without_metadata(model: Path, folder: Path) -> Path:
    """Copy a model, but for what it was trained for."""
    path = folder / "model.keras"
    with zipfile.ZipFile(model) as source, zipfile.ZipFile(path, "w") as archive:
        for name in set(source.namelist()) - {"traits.json"}:
            archive.writestr(name, source.read(name))
    return path


def with_lambda(model: Path, folder: Path) -> Path:
    """Copy a model, with a Lambda layer of Python bytecode in its configuration."""
    code = {"class_name": "__lambda__", "config": {"code": "4wEAAAAAAAAA"}}
    layer = {"module": "keras.layers", "class_name": "Lambda", "config": code}
    path = folder / "model.keras"
    with zipfile.ZipFile(model) as source, zipfile.ZipFile(path, "w") as archive:
        for name in source.namelist():
            content = source.read(name)
            if name == "config.json":
                config = json.loads(content)
                config["config"]["layers"].append(layer)
                content = json.dumps(config).encode()
            archive.writestr(name, content)
    return path
