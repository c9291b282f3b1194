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


def _wait_for_all(folder):
    (folder / str(find_place().rank)).write_text(str(os.getpid()))
    while len(list(folder.iterdir())) < find_place().size:
        time.sleep(0.01)


def _wait(folder):
    _wait_for_all(folder)
    if find_place().rank != 1:
        time.sleep(3600)


def fail_in_second(folder):
    _wait(folder)
    raise UsageError("process 1 was given nothing")


def interrupt_all(folder):
    """Press Ctrl-C, which all processes and their parent receive."""
    _wait_for_all(folder)
    if find_place().rank == 1:
        for path in folder.iterdir():
            os.kill(int(path.read_text()), signal.SIGINT)
        os.kill(os.getppid(), signal.SIGINT)
    time.sleep(3600)


def kill_second(folder):
    _wait(folder)
    os.kill(os.getpid(), signal.SIGKILL)
