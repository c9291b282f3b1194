"""Compiling kernels with numba and caching them on disk."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import numba


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
