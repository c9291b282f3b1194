import os
import time

import pytest
from support import group_members

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

    assert time.monotonic() - start < 30  # the others would wait for an hour
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


def is_alive(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_ports_differ():
    assert len(set(free_ports(5))) == 5
