"""Call scripts one after the other in one process, and measure each call.

Reads a JSON list of calls, each the name of a script and its arguments, from
standard input; writes a JSON list of their results to standard output. The first
call only loads what the scripts import late.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import resource
import subprocess
import sys
import time
import traceback
from dataclasses import dataclass
from pathlib import Path

from support.places import ROOT

# Limit for calls that hang without computing; computing is measured as CPU time.
WALL_SECONDS = 300


@dataclass(frozen=True)
class Measured:
    """The result of a call.

    Args:
        code: Its exit code; None if it raised an exception.
        error: What it wrote to standard error, or the traceback.
        seconds: CPU time.
        growth_mib: Growth of the process' peak memory since the first call.
    """

    code: int | None
    error: str
    seconds: float
    growth_mib: float


def measure(calls: list[list[str]]) -> list[Measured]:
    """Run calls in a process of their own; the first is not reported."""
    found = subprocess.run(
        [sys.executable, __file__],
        input=json.dumps(calls),
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        timeout=WALL_SECONDS,
    )
    return [Measured(**record) for record in json.loads(found.stdout)]


def peak_mib() -> float:
    """Return the peak memory of this process.

    On Linux the resource usage of a process includes that of its parent at the start,
    here all of pytest; its status does not.
    """
    status = Path("/proc/self/status")
    if status.exists():
        (line,) = [x for x in status.read_text().splitlines() if x.startswith("VmHWM")]
        return int(line.split()[1]) / 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # of macOS


def call(script: str, arguments: list[str]) -> tuple[int | None, str]:
    with (
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()) as error,
    ):
        try:
            code = importlib.import_module(script).main(arguments)
        except SystemExit as stop:
            code = stop.code
        except BaseException:
            return None, traceback.format_exc()
    return code, error.getvalue()


def main() -> None:
    sys.path.insert(0, str(Path.cwd()))
    calls = json.load(sys.stdin)
    call(calls[0][0], calls[0][1:])
    base, records = peak_mib(), []
    for script, *arguments in calls[1:]:
        start = time.process_time()
        code, error = call(script, arguments)
        seconds = time.process_time() - start
        records.append(
            {
                "code": code,
                "error": error,
                "seconds": seconds,
                "growth_mib": peak_mib() - base,
            }
        )
    json.dump(records, sys.__stdout__)


if __name__ == "__main__":
    main()
