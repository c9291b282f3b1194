import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest
from support.places import ROOT
from support.scans import hear_interrupts

from system.errors import DataError
from system.processes import WorkerPool, map_cases, map_in_order


def double(number):
    return 2 * number


def refuse(number):
    raise DataError(f"case {number} cannot be used")


def kill_own_process(job):
    """Return twice the number; case 4 never ends, and case 2 is killed beside it."""
    number, folder = job
    (folder / str(number)).touch()
    if number == 2:
        while not (folder / "4").exists():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGKILL)
    if number == 4:
        time.sleep(600)
    return 2 * number


def test_results_come_in_order_though_the_first_is_the_last_to_end():
    last_is_done = Event()

    def work(number):
        if number == 0:
            assert last_is_done.wait(timeout=300)
        if number == 3:
            last_is_done.set()
        return number

    with ThreadPoolExecutor(2) as pool:
        assert list(map_in_order(pool, work, range(4), ahead=3)) == [0, 1, 2, 3]


def test_no_more_results_wait_than_asked_for():
    begun = []
    with ThreadPoolExecutor(1) as pool:
        results = map_in_order(pool, begun.append, iter(range(9)), ahead=2)

        next(results)

    # One is handed over, two wait.
    assert begun == [0, 1, 2]


@pytest.mark.parametrize("items", [[], [5]])
def test_fewer_items_than_may_wait(items):
    with ThreadPoolExecutor(1) as pool:
        found = list(map_in_order(pool, double, items, ahead=4))

    assert found == [10] * len(items)


def test_error_of_a_case_comes_out_as_it_is():
    with (
        ThreadPoolExecutor(1) as pool,
        pytest.raises(DataError, match="case 7 cannot be used"),
    ):
        list(map_in_order(pool, refuse, [7], ahead=2))


def test_one_worker_needs_no_other_process():
    def process(case):
        return case, os.getpid()

    assert list(map_cases(process, [3, 1], 1)) == [(3, os.getpid()), (1, os.getpid())]


def test_processes_give_results_in_order_and_raise_what_a_case_raises():
    assert list(map_cases(double, range(9), 2)) == list(range(0, 18, 2))
    with pytest.raises(DataError, match="case 7 cannot be used"):
        list(map_cases(refuse, [7], 2))


def test_killed_worker_ends_the_work_and_the_cases_in_work_are_named(tmp_path):
    jobs = [(number, tmp_path) for number in range(7)]

    def name(job):
        return f"c{job[0]}"

    message = (
        r"^A worker process was killed, usually because memory ran out, while these "
        r"cases were in work: c2, c4\. Fewer --workers need less memory\.$"
    )
    results = []
    with pytest.raises(DataError, match=message):
        results.extend(map_cases(kill_own_process, jobs, 2, name=name))

    assert results == [0, 2][: len(results)]


PARENT = """
import os, sys, time
sys.path[:0] = [{root!r}, {tests!r}, {tests!r} + "/system"]
from test_processes import sleep_and_tell
from system.processes import map_cases
jobs = [({folder!r}, seconds) for seconds in (0, 600)]
for _ in map_cases(sleep_and_tell, jobs, 2): print("one is idle", flush=True)
"""


def sleep_and_tell(job):
    folder, seconds = job
    (Path(folder) / str(os.getpid())).touch()
    time.sleep(seconds)


def is_running(process):
    try:
        state = Path(f"/proc/{process}/stat").read_text().rsplit(")")[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="no /proc here")
@pytest.mark.parametrize(
    "sent",
    [
        signal.SIGKILL,
        pytest.param(signal.SIGTERM, marks=pytest.mark.slow),
        pytest.param(signal.SIGINT, marks=pytest.mark.slow),
    ],
)
@pytest.mark.slow
def test_workers_end_with_the_process_that_began_them(tmp_path, sent):
    code = PARENT.format(
        root=str(ROOT), tests=str(ROOT / "tests"), folder=str(tmp_path)
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=hear_interrupts,
    )
    assert parent.stdout.readline() == "one is idle\n"
    while len(list(tmp_path.iterdir())) < 2:
        assert parent.poll() is None
        time.sleep(0.05)

    # Ctrl-C reaches every process that the terminal's command began.
    send = os.killpg if sent == signal.SIGINT else os.kill
    send(parent.pid, sent)
    told = parent.communicate(timeout=300)[1]

    workers = [int(path.name) for path in tmp_path.iterdir()]
    deadline = time.monotonic() + 300
    while any(map(is_running, workers)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(is_running, workers))
    # Of Ctrl-C this process alone tells, once; nobody else has heard it.
    assert told.count("KeyboardInterrupt") == (sent == signal.SIGINT)


def test_terminated_pool_does_not_wait_for_the_case_in_work(tmp_path):
    start = time.monotonic()

    def interrupt():
        with WorkerPool(1) as pool:
            pool.submit(sleep_and_tell, (str(tmp_path), 600))
            while not list(tmp_path.iterdir()):
                time.sleep(0.05)
            raise KeyboardInterrupt("now")

    with pytest.raises(KeyboardInterrupt, match="now"):
        interrupt()

    assert time.monotonic() - start < 300
