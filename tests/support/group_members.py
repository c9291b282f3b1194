"""What the processes of a group do in tests of the launcher."""

import os
import signal
import time

from system.errors import UsageError
from system.group_place import find_place
from system.job import available_cpus


def record_place(folder):
    place = find_place()
    (folder / f"{place.rank} of {place.size}").touch()
    return 0 if available_cpus() == 1 or os.cpu_count() > 3 else 1


def print_rank():
    print(f"rank {find_place().rank}")
    return 0


def _wait(folder):
    (folder / str(find_place().rank)).write_text(str(os.getpid()))
    while len(list(folder.iterdir())) < find_place().size:
        time.sleep(0.01)
    if find_place().rank != 1:
        time.sleep(3600)


def fail_in_second(folder):
    _wait(folder)
    raise UsageError("process 1 was given nothing")


def kill_second(folder):
    _wait(folder)
    os.kill(os.getpid(), signal.SIGKILL)
