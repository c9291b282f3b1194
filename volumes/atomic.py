"""Writing a file so that nobody ever sees half of it."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from volumes.errors import DataError

TEMPORARY = re.compile(r"\.[0-9a-f]{8}-.")


@contextmanager
def replacing(path: str | Path, *, force: bool = True) -> Iterator[Path]:
    """Yield a temporary path that takes the place of `path` on success.

    The temporary file lies in the same folder, so that the final rename is one
    step. If the block raises, it is removed and `path` stays as it was.

    Args:
        path: The file to write. Missing parent folders are created.
        force: Whether a file that is already there may be replaced.

    Yields:
        A hidden path in the same folder, ending in the name of `path`.

    Raises:
        DataError: If `path` is a folder, exists though `force` is off, or
            cannot be written.
    """
    path = Path(path)
    if path.is_dir():
        raise DataError(f"{path}: must be a file to write. Received: a folder")
    if not force and path.exists():
        raise DataError(f"{path}: must not exist yet. Received: an existing file")
    temporary = path.with_name(f".{secrets.token_hex(4)}-{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with open(temporary, "r+b") as stream:
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise DataError(f"{path}: could not be written: {error}") from error
    finally:
        if temporary.is_file():
            temporary.unlink()


def is_temporary(path: Path) -> bool:
    """Say whether a path is one that `replacing` yields."""
    return TEMPORARY.match(path.name) is not None


def remove_temporary(folder: Path) -> None:
    """Remove what killed writers left in a folder; nobody may be writing to it.

    Args:
        folder: Itself, not those within it; nothing if it is absent.

    Raises:
        OSError: If it cannot be written.
    """
    for path in list(folder.glob(".*")):
        if is_temporary(path) and path.is_file():
            path.unlink()
