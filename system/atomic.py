"""Writing files atomically, and keeping other processes out of a folder."""

from __future__ import annotations

import fcntl
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from system.errors import DataError, OutputError, UsageError

_TEMPORARY = re.compile(r"\.[0-9a-f]{8}-.")


@contextmanager
def report_write_errors(path: Path) -> Iterator[None]:
    """Convert an OSError in the block to an error that names the file written.

    Raises:
        OutputError: Instead of the OSError, whose text may name a temporary file.
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise OutputError(f"{path}: could not be written: {reason}") from error


@contextmanager
def atomic_write(path: str | Path, *, folder: Path | None = None) -> Iterator[Path]:
    """Yield a temporary path that replaces `path` on success.

    If the block raises, the temporary file is removed and `path` stays as it was.

    Args:
        path: The file to write. Missing parent folders are created.
        folder: Where to put the temporary file, on the same disk, so that the final
            rename is atomic. Defaults to the folder of `path`.

    Yields:
        A hidden path in that folder, ending in the name of `path`.

    Raises:
        DataError: If `path` is a folder.
        OutputError: If it cannot be written, as on a full disk.
    """
    path = Path(path)
    if os.path.isdir(path):
        raise DataError(f"{path}: must not be a folder.")
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


@contextmanager
def atomic_text(path: str | Path) -> Iterator[TextIO]:
    """Yield a stream of UTF-8, lines ended as written, that replaces `path` on success.

    What UTF-8 lacks, as in the path of a file whose bytes are not UTF-8, is written as
    the escape of a backslash that scripts print.

    Raises:
        DataError: As in `atomic_write`.
        OutputError: As in `atomic_write`.
    """
    with (
        atomic_write(path) as partial,
        open(
            partial, "w", newline="", encoding="utf-8", errors="backslashreplace"
        ) as stream,
    ):
        yield stream


def require_folder(folder: Path) -> None:
    """Check, before any work, that files can be written to a folder.

    Args:
        folder: Need not exist if it can be created.

    Raises:
        UsageError: If it, or its nearest existing parent, is not a writable folder.
    """
    whole = folder.absolute()
    nearest = next(path for path in (whole, *whole.parents) if os.path.exists(path))
    if not os.path.isdir(nearest):
        raise UsageError(f"{folder} must be a folder. Received: {nearest} is a file.")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise UsageError(
            f"{folder} must be writable. Received: no permission to write in {nearest}."
        )


@contextmanager
def made_if_used(folder: Path) -> Iterator[None]:
    """Make a folder; remove it after an error if it was made here and is empty.

    Args:
        folder: May exist; its parents are made as well, and stay.

    Raises:
        UsageError: If it cannot be created.
    """
    is_new = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{folder} cannot be created: {error}") from error
    try:
        yield
    except BaseException:
        if is_new:
            with suppress(OSError):  # not empty
                folder.rmdir()
        raise


@contextmanager
def lock_folder(folder: Path, busy: str) -> Iterator[None]:
    """Lock a folder against other processes; a killed process releases it too.

    Args:
        folder: Must exist.
        busy: The message if another process has locked it.

    Raises:
        UsageError: If another process has locked it, or it cannot be read.
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
        except OSError:  # some network file systems have no locks
            pass
        yield
    finally:
        os.close(handle)


def is_temporary(path: Path) -> bool:
    """Return whether a path is a temporary one of `atomic_write`."""
    return _TEMPORARY.match(path.name) is not None


def remove_temporary(folder: Path) -> None:
    """Remove the temporary files of killed processes; no other may be writing.

    Args:
        folder: Subfolders are left alone; it may be missing.

    Raises:
        OSError: If the folder is not writable.
    """
    for path in list(folder.glob(".*")):
        if is_temporary(path) and path.is_file():
            path.unlink()
