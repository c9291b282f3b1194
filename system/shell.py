"""Exit codes and error messages of scripts."""

from __future__ import annotations

import io
import os
import select
import shlex
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TextIO

from system.errors import DataError
from system.surroundings import fix_surroundings
from system.termination import Terminated, raise_on_sigterm

INTERRUPTED = 130  # 128 + SIGINT, the convention of shells
BROKEN_PIPE = 141  # 128 + SIGPIPE
TERMINATED = 143  # 128 + SIGTERM
FOLDER = Path(__file__).resolve().parents[1]


def script(function: Callable[..., int]) -> Callable[..., int]:
    """Wrap the main function of a script to handle errors without a traceback.

    Args:
        function: Returns the exit code.

    Returns:
        The function, which fixes the surroundings; prints a `DataError` and returns
        its exit code; prints how to install a missing package and returns 1; returns
        130 on Ctrl-C, 143 on SIGTERM, and silently 141 if the reader of its output
        ended, as `head` does.
    """

    @wraps(function)
    def main(*args, **options) -> int:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):  # not where tests replace it
                stream.reconfigure(errors="backslashreplace")
        fix_surroundings()
        try:
            try:
                with raise_on_sigterm():
                    code = function(*args, **options)
            except DataError as error:
                print(error, file=sys.stderr)
                code = error.exit_code
            except ModuleNotFoundError as error:
                print(describe_missing(error), file=sys.stderr)
                code = DataError.exit_code
            except Terminated:
                print("Stopped by SIGTERM.", file=sys.stderr)
                code = TERMINATED
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


def describe_missing(error: ModuleNotFoundError) -> str:
    """Describe which package is missing and how to install it.

    Raises:
        ModuleNotFoundError: The error itself, if a module of this project is missing.
    """
    package = (error.name or "").partition(".")[0]
    if not package or (FOLDER / package).is_dir():
        raise error
    fault = "incomplete" if package in sys.modules else "missing"
    python = shlex.quote(sys.executable or "python")
    requirements = shlex.quote(str(FOLDER / "requirements.txt"))
    return (
        f"The package {package} is {fault}. Use the Python of the environment in which "
        "the requirements are installed, as .venv/bin/python, or install them: "
        f"{python} -m pip install -r {requirements}"
    )


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
