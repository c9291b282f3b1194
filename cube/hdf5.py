"""Where HDF5 needs help: full disks, disks without locks, files from anywhere.

HDF5 lets a name lead into another file: by an external or a soft link, by storage
outside the file, by a virtual dataset. Such a cube or model would show whatever
its maker wanted from the disk of its user, so only the file's own bytes are read.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py

from system.errors import DataError


def own_dataset(group: h5py.Group, name: str, path: Path) -> h5py.Dataset:
    """Give a dataset that lies in the file itself.

    Args:
        group: The file, or a group of it.
        name: Of the dataset, one of the group's own.
        path: Of the file, for the message.

    Raises:
        DataError: If the name is a link, or the dataset's bytes lie elsewhere.
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


def own_datasets(group: h5py.Group, path: Path) -> Iterator[h5py.Dataset]:
    """Give every dataset below a group, each from the file itself.

    Raises:
        DataError: As `own_dataset`.
    """
    for name in group:
        if isinstance(group.get(name, getlink=True), h5py.HardLink) and isinstance(
            group[name], h5py.Group
        ):
            yield from own_datasets(group[name], path)
        else:
            yield own_dataset(group, name, path)


def _describe_link(link: object) -> str:
    if isinstance(link, h5py.ExternalLink):
        return f"a link to '{link.path}' of {link.filename}"
    if isinstance(link, h5py.SoftLink):
        return f"a link to '{link.path}'"
    return "a link of another kind"


class NewFile(io.FileIO):
    """A new file whose failures HDF5 never hears of.

    HDF5 crashes the process, on closing or at its end, once a write has failed. So
    a full disk is noted here instead, and whatever follows is dropped.
    """

    def __init__(self, path: Path):
        super().__init__(path, "w+")
        self.failure: OSError | None = None

    def write(self, content: memoryview) -> int:
        """Write all of it, or note why not."""
        rest = memoryview(content)
        try:
            while rest and self.failure is None:
                rest = rest[super().write(rest) :]
        except OSError as error:
            self.failure = error
        return len(content)

    def truncate(self, size: int | None = None) -> int:
        """Cut the file, or note why not."""
        try:
            return super().truncate(size)
        except OSError as error:
            self.failure = self.failure or error
            return size

    @contextmanager
    def telling(self) -> Iterator[None]:
        """Raise the first failure at the end of a block, whatever HDF5 made of it."""
        try:
            yield
        except Exception:
            if self.failure is None:
                raise
        if self.failure is not None:
            raise self.failure


def why_not_opened(error: OSError) -> str:
    """Say in words why HDF5 did not open a file, as the end of a sentence."""
    if "unable to lock file" not in str(error):
        return f"cannot be opened as HDF5: {error}"
    reason = os.strerror(error.errno) if error.errno else "no reason given"
    return (
        f"cannot be locked for reading: {reason}. If no program is writing it, the "
        "disk knows no locks, as some network disks do not: set the environment "
        "variable HDF5_USE_FILE_LOCKING=FALSE"
    )
