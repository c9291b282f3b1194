"""Finding the data file that a header names."""

from __future__ import annotations

import os
from pathlib import Path


def find_data_file(header_path: Path, name: str) -> Path:
    """Find a detached data file, which must lie in or below the header's folder.

    Args:
        header_path: The file that names the data file.
        name: The data file's name, relative to the header's folder.

    Returns:
        The data file's path, links resolved.

    Raises:
        ValueError: If the name leaves the folder, or is not that of a regular file;
            the text says what must hold.
    """
    folder = Path(os.path.realpath(header_path.parent))
    relative = Path(name)
    demand = "must name a file in the header's own folder or below it"
    if relative.is_absolute() or ".." in relative.parts:
        raise ValueError(demand)
    try:
        target = Path(os.path.realpath(folder / relative))
    except ValueError as error:  # a name with a zero byte
        raise ValueError(demand) from error
    if not target.is_relative_to(folder):
        raise ValueError(f"{demand}, not a link that leaves it")
    if not os.path.exists(target):
        raise ValueError("must name a file that exists")
    if not os.path.isfile(target):
        raise ValueError("must name a regular file")
    return target
