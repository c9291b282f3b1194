"""Letting processes write to one file in turn, on one host or on several."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from system.atomic import report_write_errors
from system.errors import OutputError

PATIENCE_SECONDS = 60.0  # a process has the turn for milliseconds
PAUSE_SECONDS = 0.02


@contextmanager
def take_turn(path: Path, *, patience: float = PATIENCE_SECONDS) -> Iterator[None]:
    """Wait until no other process is in such a block for the same file.

    What is locked is a hidden file beside it, as network file systems lock files
    across hosts but no folders. Each user may lock it, whatever the umask. It is
    removed at the end; a killed process leaves it unlocked.

    Args:
        path: The file, in a folder that is made if it is missing.
        patience: How long to wait for other processes, in seconds.

    Raises:
        OutputError: If another process has the turn for that long, or the folder is
            not writable.
    """
    lock = path.with_name(f".{path.name}.lock")
    with report_write_errors(lock):
        lock.parent.mkdir(parents=True, exist_ok=True)
        handle = _open_locked(lock, patience)
    try:
        yield
    finally:
        with suppress(OSError):
            lock.unlink()
        os.close(handle)


def _open_locked(lock: Path, patience: float) -> int:
    """Return the handle of a lock file that this process alone has locked."""
    end = time.monotonic() + patience
    while True:
        handle = _open(lock)
        if handle is not None:
            if _lock(handle) and _is_there(lock, handle):
                return handle
            os.close(handle)
        if time.monotonic() > end:
            raise OutputError(
                f"{lock} must be unlocked, so that one process at a time writes. "
                f"Received: locked by another one for {patience:g} s; try again, or "
                "remove the file if no other process is running"
            )
        time.sleep(PAUSE_SECONDS)


def _open(lock: Path) -> int | None:
    """Return the handle of a lock file; None if another user keeps it closed.

    Raises:
        OSError: If it cannot be made, or its folder is not writable.
    """
    try:
        handle = os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
    except PermissionError:
        if os.access(lock.parent, os.W_OK | os.X_OK):
            return None
        raise
    with suppress(OSError):  # its owner alone may, and did
        os.fchmod(handle, 0o666)
    return handle


def _lock(handle: int) -> bool:
    """Return whether a file is locked now, or cannot be locked on its file system."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # some network file systems have no locks
        pass
    return True


def _is_there(lock: Path, handle: int) -> bool:
    """Return whether a file that is open still has its name: its last user drops it."""
    try:
        return os.path.samestat(os.stat(lock), os.fstat(handle))
    except FileNotFoundError:
        return False
