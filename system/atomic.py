"""Writing a file so that nobody ever sees half of it."""

from __future__ import annotations

import fcntl
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from system.errors import DataError, OutputError, UsageError

TEMPORARY = re.compile(r"\.[0-9a-f]{8}-.")


@contextmanager
def report_write_errors(path: Path) -> Iterator[None]:
    """Turn an error of the disk into one sentence that names what was written.

    Raises:
        OutputError: In the place of an OSError, whose own text names temporary
            files, which are nobody's concern.
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise OutputError(f"{path}: could not be written: {reason}") from error


@contextmanager
def atomic_write(
    path: str | Path, *, force: bool = True, folder: Path | None = None
) -> Iterator[Path]:
    """Yield a temporary path that takes the place of `path` on success.

    The temporary file lies on the same disk, so that the final rename is one
    step. If the block raises, it is removed and `path` stays as it was.

    Args:
        path: The file to write. Missing parent folders are created.
        force: Whether a file that is already there may be replaced.
        folder: Where the temporary file lies. Defaults to the folder of `path`.

    Yields:
        A hidden path in that folder, ending in the name of `path`.

    Raises:
        DataError: If `path` is a folder, or exists though `force` is off.
        OutputError: If it cannot be written: a full disk, no right to write.
    """
    path = Path(path)
    if os.path.isdir(path):
        raise DataError(f"{path}: must be a file to write. Received: a folder")
    if not force and os.path.exists(path):
        raise DataError(f"{path}: must not exist yet. Received: an existing file")
    temporary = (folder or path.parent) / f".{secrets.token_hex(4)}-{path.name}"
    try:
        with report_write_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            yield temporary
            with open(temporary, "r+b") as stream:
                os.fsync(stream.fileno())
            os.replace(temporary, path)
    finally:
        with suppress(OSError):
            temporary.unlink()


def require_folder(folder: Path) -> None:
    """See, before any work, that files can be written to a folder.

    Args:
        folder: It need not exist, if it can be made.

    Raises:
        UsageError: If it, or what it would be made in, is no folder or takes no
            files.
    """
    whole = folder.absolute()
    above = next(path for path in (whole, *whole.parents) if os.path.exists(path))
    if not os.path.isdir(above):
        raise UsageError(f"{folder} must be a folder. Received: {above} is a file.")
    if not os.access(above, os.W_OK | os.X_OK):
        raise UsageError(
            f"{folder} must take new files. Received: no right to write in {above}."
        )


@contextmanager
def lock_folder(folder: Path, busy: str) -> Iterator[None]:
    """Hold a folder against other processes; even a killed one lets go.

    Args:
        folder: It must exist.
        busy: What to say where another process holds it.

    Raises:
        UsageError: If another process holds it, or it cannot be read.
    """
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise UsageError(f"{folder} cannot be read: {error.strerror}") from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(busy) from None
        except OSError:  # some network folders know no locks
            pass
        yield
    finally:
        os.close(handle)


def is_temporary(path: Path) -> bool:
    """Say whether a path is one that `atomic_write` yields."""
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
