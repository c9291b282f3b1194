"""Exit codes and error messages of scripts."""

from __future__ import annotations

import io
import os
import select
import sys
from collections.abc import Callable
from functools import wraps
from typing import TextIO

from system.errors import DataError

INTERRUPTED = 130  # 128 + SIGINT, the convention of shells
BROKEN_PIPE = 141  # 128 + SIGPIPE


def script(function: Callable[..., int]) -> Callable[..., int]:
    """Wrap the main function of a script to handle errors without a traceback.

    Args:
        function: Returns the exit code.

    Returns:
        The function, which prints a `DataError` and returns its exit code, returns
        130 on Ctrl-C, and silently 141 if the reader of its output ended, as `head`
        does.
    """

    @wraps(function)
    def main(*args, **options) -> int:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):  # not where tests replace it
                stream.reconfigure(errors="backslashreplace")
        try:
            try:
                code = function(*args, **options)
            except DataError as error:
                print(error, file=sys.stderr)
                code = error.exit_code
            except KeyboardInterrupt:
                print("Interrupted.", file=sys.stderr)
                code = INTERRUPTED
            finally:
                # At interpreter exit an error could no longer be caught.
                if sys.stdout is not None:  # None if closed by ">&-"
                    sys.stdout.flush()
        except BrokenPipeError:
            is_broken = _silence_if_broken(sys.stdout)
            is_broken = _silence_if_broken(sys.stderr) or is_broken
            if not is_broken:
                raise
            code = BROKEN_PIPE
        return code

    return main


def _silence_if_broken(stream: TextIO | None) -> bool:
    """Return whether a stream's reader ended; if so, discard its buffered output."""
    if stream is None:
        return False
    poll = select.poll()
    poll.register(stream, select.POLLOUT)
    if not any(event & select.POLLERR for _, event in poll.poll(0)):
        return False
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, stream.fileno())
    os.close(devnull)
    return True
