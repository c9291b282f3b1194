"""Compiling a kernel with numba, and keeping it on disk for the next start."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

import numba


def compiled(function: Callable) -> Callable:
    """Compile a kernel for all threads, without holding Python's lock.

    What was compiled is kept beside the source or in the user's cache folder; where
    neither can be written, it is compiled anew at each start.
    """
    options = {"parallel": True, "nogil": True, "fastmath": True}
    try:
        dispatcher = numba.njit(cache=True, **options)(function)
    except RuntimeError:  # numba found no place for its cache
        dispatcher = numba.njit(**options)(function)

    @wraps(function)
    def kernel(*args):
        try:
            return dispatcher(*args)
        except OSError:  # it is compiled, but its cache's disk is full
            return dispatcher(*args)

    kernel.dispatcher = dispatcher
    return kernel
