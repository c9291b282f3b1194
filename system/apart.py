"""Running a function in a process of its own, which does not outlive this one."""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
from collections.abc import Callable


def run_apart(function: Callable[..., int], *args: object) -> int:
    """Call a function in a new process, and wait for it.

    If this process is killed, the other ends at once: nobody would know that it
    still writes files.

    Args:
        function: Importable; gives an exit code.
        *args: For the function; picklable.

    Returns:
        The exit code, or minus the signal that ended the process.
    """
    spawning = multiprocessing.get_context("spawn")
    child = spawning.Process(target=_call, args=(function, args))
    child.start()
    try:
        child.join()
    except KeyboardInterrupt:
        child.join()  # it was interrupted too, and tidies up
        raise
    return child.exitcode


def _call(function: Callable[..., int], args: tuple) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    sys.exit(function(*args))


def _end_with_parent() -> None:
    multiprocessing.parent_process().join()
    os._exit(1)
