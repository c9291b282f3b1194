import os
import signal
import time

import pytest
from support import group_members

from system import launcher
from system.errors import DataError, UsageError
from system.group_place import find_place
from system.launcher import free_ports, run_together

pytestmark = pytest.mark.slow  # processes that import numba


def test_each_process_has_its_place_and_its_part_of_the_cpus(tmp_path):
    run_together(group_members.record_place, tmp_path, processes=2)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["0 of 2", "1 of 2"]
    assert "TF_CONFIG" not in os.environ
    assert find_place().size == 1


def test_only_the_first_process_prints(capfd):
    run_together(group_members.print_rank, processes=3)

    assert capfd.readouterr().out == "rank 0\n"


def test_error_of_one_process_ends_the_others_and_is_the_only_message(capfd, tmp_path):
    start = time.monotonic()

    with pytest.raises(UsageError, match=r"^process 1 was given nothing$"):
        run_together(group_members.fail_in_second, tmp_path, processes=3)

    assert time.monotonic() - start < 300  # the others would wait for an hour
    assert not capfd.readouterr().err
    for path in tmp_path.iterdir():
        assert not is_alive(int(path.read_text()))


def test_killed_process_ends_the_others_and_is_named(tmp_path):
    with pytest.raises(
        DataError, match=r"^Process 1 of 2 was killed by signal 9 \(SIGKILL\), .*--resu"
    ):
        run_together(group_members.kill_second, tmp_path, processes=2)

    for path in tmp_path.iterdir():
        assert not is_alive(int(path.read_text()))


class Stubborn:
    """Stands in for a process that ignores SIGTERM."""

    is_killed = False

    def terminate(self):
        pass

    def join(self, timeout=0):
        time.sleep(timeout)

    def kill(self):
        self.is_killed = True


def test_processes_that_ignore_sigterm_are_killed_after_one_wait(monkeypatch):
    monkeypatch.setattr(launcher, "END_SECONDS", 0.5)
    members = [Stubborn() for _ in range(4)]
    start = time.monotonic()

    launcher._end(members)

    assert 0.5 <= time.monotonic() - start < 1.9  # four waits would be 2
    assert all(member.is_killed for member in members)


def test_interrupt_ends_all_processes_which_print_nothing(tmp_path, capfd):
    # Ignored in what a shell starts in the background.
    former = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            run_together(group_members.interrupt_all, tmp_path, processes=2)
    finally:
        signal.signal(signal.SIGINT, former)

    assert capfd.readouterr() == ("", "")
    for path in tmp_path.iterdir():
        assert not is_alive(int(path.read_text()))


def is_alive(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_ports_differ():
    assert len(set(free_ports(5))) == 5
