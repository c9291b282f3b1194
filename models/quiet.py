"""Keeping TensorFlow's start-up notes off the terminal."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def suppress_stderr() -> Iterator[None]:
    """Show what the block writes to standard error only if the block fails.

    TensorFlow 2.21 writes "E0000 ... failed call to cuInit" and more in C++,
    before its logging heeds TF_CPP_MIN_LOG_LEVEL and past `sys.stderr`, so file
    descriptor 2 itself is held. On a machine without a GPU these lines report
    nothing wrong, yet look like errors. TF_CPP_MIN_LOG_LEVEL=0 shows them.
    """
    wanted = os.environ.get("TF_CPP_MIN_LOG_LEVEL") == "0"
    try:
        terminal = None if wanted else os.dup(2)
    except OSError:  # closed, as in a daemon: nothing to keep off
        terminal = None
    if terminal is None:
        yield
        return
    with tempfile.TemporaryFile() as held:
        _point_stderr_at(held.fileno())
        try:
            yield
        except BaseException:
            _point_stderr_at(terminal)
            held.seek(0)
            os.write(2, held.read())
            raise
        finally:
            _point_stderr_at(terminal)
            os.close(terminal)


def _point_stderr_at(descriptor: int) -> None:
    if sys.stderr is not None:
        sys.stderr.flush()
    os.dup2(descriptor, 2)
