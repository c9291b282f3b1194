"""Several processes of this machine that do one thing together."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from system.errors import DataError, UsageError
from system.group_place import find_place, hide_lost, share_cpus
from system.processes import exit_with_parent
from system.shell import script

END_SECONDS = 5  # for the others to end, before they are killed


def run_together(function: Callable[..., int], *args: object, processes: int) -> None:
    """Call a function as a script in several new processes, and wait for them.

    Each finds its place by `find_place`. Only the first one prints. When one fails, or
    this process is interrupted, all are ended.

    Args:
        function: Importable; returns an exit code.
        *args: Its arguments, picklable, the same for all.
        processes: How many.

    Raises:
        DataError: If one fails, with the message of the first that does so.
    """
    addresses = [f"127.0.0.1:{port}" for port in free_ports(processes)]
    context = multiprocessing.get_context("spawn")
    members: list[BaseProcess] = []
    awaited: dict[Any, int] = {}  # the ends of processes, and their messages
    try:
        for rank in range(processes):
            messages, sender = context.Pipe(duplex=False)
            inputs = (rank, addresses, sender, function, args)
            members.append(context.Process(target=_run_member, args=inputs))
            members[rank].start()
            sender.close()
            awaited |= {messages: rank, members[rank].sentinel: rank}
        while awaited:
            ready = wait(list(awaited))
            for each in sorted(ready, key=lambda each: isinstance(each, int)):
                rank = awaited.pop(each)
                _check(each, members[rank], f"Process {rank} of {processes}")
    finally:
        _end(members)


def _check(ready: object, member: BaseProcess, name: str) -> None:
    """Raise the error that a process has sent, or that its end means."""
    if isinstance(ready, Connection):
        with suppress(EOFError):  # at its end it has sent nothing
            kind, message = ready.recv()
            raise kind(message)
        return
    member.join()
    code = member.exitcode or 0
    if code < 0:
        raise DataError(
            f"{name} was killed by signal {-code} ({signal.Signals(-code).name}), so "
            "that the others were ended. SIGKILL usually means out of memory. "
            "--resume resumes the training."
        )
    if code:
        raise DataError(f"{name} failed with code {code}.")


def _end(members: Sequence[BaseProcess]) -> None:
    """End the processes, by force if they do not end in time."""
    for member in members:
        member.terminate()
    deadline = time.monotonic() + END_SECONDS
    for member in members:
        member.join(max(0, deadline - time.monotonic()))
    for member in members:
        member.kill()
        member.join()


def free_ports(number: int) -> list[int]:
    """Return ports of this machine that are free now."""
    with ExitStack() as stack:
        ports = []
        for _ in range(number):
            listener = stack.enter_context(socket.socket())
            listener.bind(("127.0.0.1", 0))
            ports.append(listener.getsockname()[1])
        return ports


def _run_member(
    rank: int,
    addresses: list[str],
    messages: Connection,
    function: Callable[..., int],
    args: tuple,
) -> None:
    exit_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends this one
    task = {"type": "worker", "index": rank}
    os.environ["TF_CONFIG"] = json.dumps(
        {"cluster": {"worker": addresses}, "task": task}
    )
    place = find_place()
    share_cpus(place)
    hide_lost(place)
    if rank:
        silence()
    sys.exit(script(partial(_send_errors, messages, function))(*args))


def _send_errors(messages: Connection, function: Callable[..., int], *args) -> int:
    """Call a function; send its error to the parent, which prints the first one."""
    try:
        return function(*args)
    except DataError as error:
        kind = UsageError if isinstance(error, UsageError) else DataError
        messages.send((kind, str(error)))
        return error.exit_code


def silence() -> None:
    """Discard what this process prints to standard output from now on."""
    sys.stdout.flush()
    discarded = os.open(os.devnull, os.O_WRONLY)
    os.dup2(discarded, 1)
    os.close(discarded)
