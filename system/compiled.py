"""Compiling kernels with numba and caching them on disk."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import cache, wraps
from typing import Any, Protocol

import numba
from numba.core import event as numba_event


def compiled(function: Callable) -> Callable:
    """Compile a kernel that runs on all threads and releases the GIL.

    The result is cached beside the source or in the user's cache folder; if neither
    is writable, the kernel is compiled again in every process.
    """
    return _compile(function, parallel=True)


def compiled_for_one_thread(function: Callable) -> Callable:
    """Compile a kernel whose steps depend on one another; else as `compiled`."""
    return _compile(function, parallel=False)


def _compile(function: Callable, *, parallel: bool) -> Callable:
    options: dict[str, Any] = {"parallel": parallel, "nogil": True, "fastmath": True}
    try:
        dispatcher = numba.njit(cache=True, **options)(function)
    except RuntimeError:  # numba has no writable cache folder
        dispatcher = numba.njit(**options)(function)

    @wraps(function)
    def kernel(*args):
        try:
            return dispatcher(*args)
        except OSError:  # compiled, but the disk of the cache is full
            return dispatcher(*args)

    kernel.dispatcher = dispatcher  # pyright: ignore[reportAttributeAccessIssue]
    return kernel


class Flag(Protocol):
    """A `threading.Event`, or that of several processes."""

    def is_set(self) -> bool:
        """Return whether it is set."""
        ...

    def set(self) -> None:
        """Set it."""
        ...


class _CompileListener(numba_event.Listener):
    """Prints a line at the first kernel that is compiled, not read from the cache."""

    def __init__(self, said: Flag):
        self._said = said

    def on_start(self, event: numba_event.Event) -> None:
        if not self._said.is_set():
            self._said.set()
            print("compiling numerical kernels, which later calls reuse", flush=True)

    def on_end(self, event: numba_event.Event) -> None:
        pass


@cache
def announce_compiling(said: Flag | None = None) -> None:
    """Print a line when this process compiles a kernel for the first time.

    Args:
        said: Set by the process that prints, so that no other does. By default this
            process is alone.
    """
    listener = _CompileListener(said or threading.Event())
    numba_event.register("numba:compile", listener)
