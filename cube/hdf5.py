"""HDF5 files that are untrusted, and disks that are full or have no file locks.

In HDF5 a name can lead into another file: by an external or a soft link, by external
storage, or by a virtual dataset. An untrusted cube or model could so expose any file
of its user. Only bytes that lie in the file itself are read.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py

from system.errors import DataError


def local_dataset(group: h5py.Group, name: str, path: Path) -> h5py.Dataset:
    """Return a dataset, checked to lie in the file itself.

    Args:
        group: The file, or a group in it.
        name: Name of the dataset in the group.
        path: Path of the file, for messages.

    Raises:
        DataError: If the name is a link, or the bytes lie in another file.
    """
    link = group.get(name, getlink=True)
    if not isinstance(link, h5py.HardLink):
        raise DataError(
            f"{path} must hold '{name}' itself. Received: {_describe_link(link)}"
        )
    dataset = group[name]
    if not isinstance(dataset, h5py.Dataset):
        raise DataError(f"{path} must hold '{name}' as a dataset. Received: a group")
    if dataset.is_virtual or dataset.external:
        kind = "a virtual dataset" if dataset.is_virtual else "bytes in another file"
        raise DataError(f"{path} must hold '{name}' itself. Received: {kind}")
    return dataset


def local_datasets(group: h5py.Group, path: Path) -> Iterator[h5py.Dataset]:
    """Yield every dataset below a group, each checked to lie in the file itself.

    Raises:
        DataError: As in `local_dataset`.
    """
    for name in group:
        is_local = isinstance(group.get(name, getlink=True), h5py.HardLink)
        if is_local and isinstance(group[name], h5py.Group):
            yield from local_datasets(group[name], path)
        else:
            yield local_dataset(group, name, path)


def _describe_link(link: object) -> str:
    if isinstance(link, h5py.ExternalLink):
        return f"a link to '{link.path}' of {link.filename}"
    if isinstance(link, h5py.SoftLink):
        return f"a link to '{link.path}'"
    return "a link of another kind"


class NewFile(io.FileIO):
    """A new file that hides failed writes from HDF5.

    Once a write has failed, HDF5 crashes the process when the file is closed or the
    process ends. So the first failure, such as a full disk, is stored here instead,
    and all later writes are dropped.
    """

    def __init__(self, path: Path):
        super().__init__(path, "w+")
        self.failure: OSError | None = None

    def write(self, content: memoryview) -> int:
        """Write all bytes, or store the error."""
        remaining = memoryview(content)
        try:
            while remaining and self.failure is None:
                remaining = remaining[super().write(remaining) :]
        except OSError as error:
            self.failure = error
        return len(content)

    def truncate(self, size: int | None = None) -> int:
        """Resize the file, or store the error."""
        try:
            return super().truncate(size)
        except OSError as error:
            self.failure = self.failure or error
            return size

    @contextmanager
    def raise_write_errors(self) -> Iterator[None]:
        """Raise the first failed write at the end of a block, whatever HDF5 raised."""
        try:
            yield
        except Exception:
            if self.failure is None:
                raise
        if self.failure is not None:
            raise self.failure


def describe_open_error(error: OSError) -> str:
    """Describe why HDF5 did not open a file, as the end of a sentence."""
    if "file signature not found" in str(error):
        return "is not a cube of makeCube.py: it is not HDF5"
    if "unable to lock file" not in str(error):
        return f"cannot be opened as HDF5: {error}"
    reason = os.strerror(error.errno) if error.errno else "no reason given"
    return (
        f"cannot be locked for reading: {reason}. If no other program is writing it, "
        "the disk does not support file locks, as is common for network disks: set the "
        "environment variable HDF5_USE_FILE_LOCKING=FALSE"
    )
