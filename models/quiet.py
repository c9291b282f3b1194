"""Keeping TensorFlow's start-up messages and needless warnings off the terminal."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def suppress_stderr() -> Iterator[None]:
    """Hide what the block writes to standard error, unless the block fails.

    Without a GPU, TensorFlow 2.21 writes lines such as "E0000 ... failed call to
    cuInit", which look like errors but are not. They are written in C++, past
    `sys.stderr` and before TF_CPP_MIN_LOG_LEVEL takes effect, so file descriptor 2
    itself is redirected. TF_CPP_MIN_LOG_LEVEL=0 shows everything.
    """
    is_verbose = os.environ.get("TF_CPP_MIN_LOG_LEVEL") == "0"
    try:
        terminal = None if is_verbose else os.dup(2)
    except OSError:  # closed, as in a daemon
        terminal = None
    if terminal is None:
        yield
        return
    try:
        hidden = tempfile.TemporaryFile()  # noqa: SIM115
    except OSError:  # no folder for temporary files
        os.close(terminal)
        yield
        return
    with hidden:
        _redirect_stderr(hidden.fileno())
        try:
            yield
        except ModuleNotFoundError:  # which is the whole message
            raise
        except BaseException:
            _redirect_stderr(terminal)
            hidden.seek(0)
            os.write(2, hidden.read())
            raise
        finally:
            _redirect_stderr(terminal)
            os.close(terminal)


def _redirect_stderr(descriptor: int) -> None:
    if sys.stderr is not None:
        sys.stderr.flush()
    os.dup2(descriptor, 2)


def hide_retracing() -> None:
    """Hide TensorFlow's warning that a function was traced for several shapes.

    The tiles of each network, and of scans smaller than its patch, have shapes of
    their own. A network is traced once for each of them, as it must be.
    """
    logging.getLogger("tensorflow").addFilter(_is_other_message)


def _is_other_message(record: logging.LogRecord) -> bool:
    return "triggered tf.function retracing" not in record.getMessage()
