"""Reading datasets of an HDF5 file that nobody vouches for.

HDF5 lets a name lead into another file: by an external or a soft link, by storage
outside the file, by a virtual dataset. Such a cube or model would show whatever
its maker wanted from the disk of its user, so only the file's own bytes are read.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import h5py

from volumes.errors import DataError


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
