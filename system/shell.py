"""How a script ends: with an exit code and one sentence, never with a traceback."""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Callable
from functools import wraps
from typing import TextIO

from system.errors import DataError

INTERRUPTED = 130  # 128 and the number of SIGINT, as a shell has it
NOBODY_READS = 141  # 128 and that of SIGPIPE


def script(function: Callable[..., int]) -> Callable[..., int]:
    """Make a function end as a script does.

    Args:
        function: Gives the exit code.

    Returns:
        The function; a `DataError` is printed and its exit code given, Ctrl-C
        gives 130, and a reader of the output that went away, as `head` does when
        it has enough, 141, in silence.
    """

    @wraps(function)
    def ended(*args, **options) -> int:
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):  # names that a terminal cannot show
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
                # Now, since at the exit nobody could catch what goes wrong.
                if sys.stdout is not None:  # closed by ">&-"
                    sys.stdout.flush()
        except BrokenPipeError:
            if not any([_is_unread(sys.stdout), _is_unread(sys.stderr)]):
                raise
            code = NOBODY_READS
        return code

    return ended


def _is_unread(stream: TextIO | None) -> bool:
    """Tell whether nobody reads a stream; if so, send what it holds nowhere."""
    if stream is None:
        return False
    poll = select.poll()
    poll.register(stream, select.POLLOUT)
    if not any(event & select.POLLERR for _, event in poll.poll(0)):
        return False
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
    return True
