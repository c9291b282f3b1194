"""SIGTERM as an exception, so that a script cleans up and says that it was stopped."""

from __future__ import annotations

import multiprocessing
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Terminated(KeyboardInterrupt):
    """Raised by SIGTERM, of `kill` or a batch system; handled wherever Ctrl-C is."""


@contextmanager
def raise_on_sigterm() -> Iterator[None]:
    """Raise `Terminated` in the block on the first SIGTERM; a second one kills.

    Does nothing in processes that another one of this project ends, in other threads
    than the main one, and where SIGTERM is ignored or handled already.
    """
    if (
        multiprocessing.parent_process() is not None
        or threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL
    ):
        yield
        return
    signal.signal(signal.SIGTERM, _raise_terminated)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _raise_terminated(*_: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    raise Terminated
