"""Processes of several hosts wait here for one another before TensorFlow joins them.

TensorFlow would wait as well, but without letting Python run: deaf to Ctrl-C and
SIGTERM, and without a word on who is missing.
"""

from __future__ import annotations

import os
import socket
import time
from contextlib import ExitStack, suppress

from system.errors import DataError
from system.group_place import GroupPlace

GO = b"go"
HELLO_SECONDS = 5  # for whoever connects to say who it is
RETRY_SECONDS = 0.2


def wait_for_all(place: GroupPlace, seconds: float) -> None:
    """Wait until all processes of a group have called this.

    The first listens at its address and lets the others go when all have connected;
    the port is free again afterwards.

    Args:
        place: Of this process among them.
        seconds: How long to wait.

    Raises:
        DataError: If one is missing after that time, or if the first process cannot
            listen at its address.
    """
    deadline = time.monotonic() + seconds
    try:
        if place.rank == 0:
            _gather(place, deadline)
        else:
            _follow(place, deadline)
    except TimeoutError as error:
        raise DataError(
            f"All {place.size} processes must start within {seconds:g} seconds, and "
            f"reach the first. Received: {error}"
        ) from error


def cannot_listen(place: GroupPlace, reason: str) -> DataError:
    """Return the error of a process that cannot listen at its address."""
    return DataError(
        f"Process {place.rank} of {place.size} must be able to listen at "
        f"{place.addresses[place.rank]}, and to reach the others. Received: "
        f"{reason}. Is the port taken? Another step of Slurm has other ports; "
        "TF_CONFIG names them."
    )


def _gather(place: GroupPlace, deadline: float) -> None:
    arrived: dict[int, socket.socket] = {}
    with ExitStack() as stack:
        listener = stack.enter_context(_listen(place))
        while missing := set(range(1, place.size)) - arrived.keys():
            listener.settimeout(max(0.001, deadline - time.monotonic()))
            try:
                connection = stack.enter_context(listener.accept()[0])
            except TimeoutError:
                names = (f"process {rank}, {place.addresses[rank]}" for rank in missing)
                raise TimeoutError(f"nothing from {'; '.join(names)}.") from None
            if (rank := _read_rank(connection, place.size)) is not None:
                arrived[rank] = connection
            # Those that have ended meanwhile may be started again.
            arrived = {rank: each for rank, each in arrived.items() if _is_open(each)}
        listener.close()
        for connection in arrived.values():
            with suppress(OSError):
                connection.sendall(GO)


def _listen(place: GroupPlace) -> socket.socket:
    port = int(place.addresses[place.rank].rpartition(":")[2])
    try:
        if socket.has_dualstack_ipv6():
            return socket.create_server(
                ("", port), family=socket.AF_INET6, dualstack_ipv6=True
            )
        return socket.create_server(("", port))
    except OSError as error:
        raise cannot_listen(place, os.strerror(error.errno or 0)) from error


def _hello(rank: int, size: int) -> bytes:
    return f"process {rank} of {size}\n".encode()


def _read_rank(connection: socket.socket, size: int) -> int | None:
    """Return the rank of the process that has connected; None for a stranger."""
    connection.settimeout(HELLO_SECONDS)
    ranks = {_hello(rank, size): rank for rank in range(1, size)}
    try:
        with connection.makefile("rb") as stream:
            return ranks.get(stream.readline(64))
    except OSError:
        return None


def _is_open(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return connection.recv(1) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False


def _follow(place: GroupPlace, deadline: float) -> None:
    address, fault = place.addresses[0], ""
    host, _, port = address.rpartition(":")
    while (left := deadline - time.monotonic()) > 0:
        try:
            connection = socket.create_connection((host.strip("[]"), int(port)), left)
        except (OSError, UnicodeError) as error:  # not there yet, or no name of a host
            fault = f"{address}: {getattr(error, 'strerror', None) or error}."
        else:
            fault = f"the first process, {address}, waits for others."
            with connection, suppress(OSError):  # it may end, and be started again
                connection.sendall(_hello(place.rank, place.size))
                if connection.recv(len(GO)) == GO:
                    return
        time.sleep(RETRY_SECONDS)
    raise TimeoutError(fault)
