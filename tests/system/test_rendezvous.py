import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from system.errors import DataError
from system.group_place import GroupPlace
from system.launcher import free_ports
from system.rendezvous import wait_for_all


@pytest.fixture
def addresses():
    return tuple(f"127.0.0.1:{port}" for port in free_ports(3))


def meet(addresses, ranks, seconds=60):
    """Let processes meet, threads here; return the message of each, or None."""

    def enter(rank):
        try:
            wait_for_all(GroupPlace(rank, addresses), seconds)
        except DataError as error:
            return str(error)
        return None

    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(enter, ranks))


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0)])
def test_all_go_when_all_are_there(addresses, order):
    assert meet(addresses, order) == [None, None, None]


def test_port_is_free_afterwards(addresses):
    assert meet(addresses, (0, 1, 2)) == [None, None, None]
    assert meet(addresses, (0, 1, 2)) == [None, None, None]


@pytest.mark.slow
def test_missing_process_is_named_after_the_time(addresses):
    # Time enough for process 1 to arrive where other work slows both down.
    first, second = meet(addresses, (0, 1), seconds=3)

    expected = "All 3 processes must start within 3 seconds, and reach the first. "
    assert first == (f"{expected}Received: nothing from process 2, {addresses[2]}.")
    # Just before its own time is over, it may notice that the first has given up.
    assert second.startswith(expected)
    assert addresses[0] in second


def test_first_process_that_is_missing_is_named(addresses):
    (message,) = meet(addresses, (2,), seconds=0.3)

    assert message.endswith(f"Received: {addresses[0]}: Connection refused.")


def test_first_process_at_an_impossible_address_is_named(addresses):
    (message,) = meet(("a..b:1234", *addresses[1:]), (2,), seconds=0.3)

    assert "Received: a..b:1234: " in message
    assert "label empty" in message


def test_strangers_and_those_that_have_ended_do_not_count(addresses):
    host, port = addresses[0].split(":")

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(meet, addresses, (0,))
        words = [b"GET / HTTP/1.1\r\n", b"process 1 of 4\n", b"process 1 of 3\n"]
        while words:
            with (
                suppress(ConnectionRefusedError),
                socket.create_connection((host, int(port)), 60) as connection,
            ):
                connection.sendall(words.pop())
        assert meet(addresses, (2,), seconds=0.5)[0].endswith("waits for others.")
        assert not first.done()
        assert meet(addresses, (2, 1)) == [None, None]
        assert first.result() == [None]


def test_taken_port_is_named(addresses):
    host, port = addresses[0].split(":")
    with socket.create_server((host, int(port))):
        (message,) = meet(addresses, (0,))

    assert f"must be able to listen at {addresses[0]}, and to reach" in message
    assert "Received: Address already in use. Is the port taken?" in message
