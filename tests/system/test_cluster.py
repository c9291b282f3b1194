import json
import os
import pickle
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from threading import Thread

import pytest

from system import cluster
from system.cluster import open_engine
from system.errors import DataError, OutputError, UsageError
from system.processes import map_cases

PATIENCE = 300  # seconds, for a machine that has other things to do
THREADS = "__import__('numba').get_num_threads()"


def test_without_scheduler_cases_are_computed_here():
    with open_engine(None, 3, ["numpy"]) as engine:
        assert (engine.map_cases, engine.workers) == (map_cases, 3)
        assert engine.worker_memory is None


def test_missing_package_is_named_with_the_way_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)

    message = r"--scheduler needs the package distributed.*requirements-cluster\.txt$"
    address = "tcp://127.0.0.1:8786"
    with pytest.raises(UsageError, match=message), open_engine(address, 1, []):
        pass


@pytest.mark.parametrize("text", [None, "", "[1]", '{"id": 1}'])
def test_file_that_no_scheduler_wrote_is_refused(tmp_path, text):
    if text is not None:
        (tmp_path / "s.json").write_text(text)

    message = "must be an address, as tcp://10.0.0.1:8786, or a file that `dask"
    path = str(tmp_path / "s.json")
    with pytest.raises(UsageError, match=message), open_engine(path, 1, []):
        pass


@pytest.mark.parametrize("kind", [DataError, UsageError, OutputError])
def test_errors_of_a_worker_arrive_as_they_are(kind):
    error = pickle.loads(pickle.dumps(kind("case 'ann' is bad")))

    assert (type(error), str(error)) == (kind, "case 'ann' is bad")


@pytest.mark.slow
@pytest.mark.parametrize("listens", [False, True], ids=["no one", "silent"])
def test_scheduler_that_does_not_answer_is_reported_within_ten_seconds(listens):
    pytest.importorskip("distributed")
    message = r"^--scheduler must be the address of a running Dask .*: timed out.* 5 s$"
    with socket.socket() as peer:
        peer.bind(("127.0.0.1", 0))
        if listens:
            peer.listen()
        address = f"tcp://127.0.0.1:{peer.getsockname()[1]}"
        start = time.monotonic()
        with (
            pytest.raises(UsageError, match=f"(?i){message}"),
            open_engine(address, 1, []),
        ):
            pass

    assert time.monotonic() - start < 10


def start(*words):
    """Start a command of Dask, which does not know where this project lies."""
    return subprocess.Popen(
        [sys.executable, "-m", "dask", *words],
        cwd="/",
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


@pytest.fixture(scope="module")
def commands(tmp_path_factory):
    """The file and the processes of a scheduler and of a worker with two threads."""
    pytest.importorskip("distributed")
    folder = tmp_path_factory.mktemp("dask")
    path = folder / "s.json"
    with ExitStack() as stack:
        scheduler = stack.enter_context(
            start("scheduler", "--scheduler-file", str(path), "--port", "0")
        )
        stack.callback(scheduler.kill)
        worker = stack.enter_context(
            start(
                *("worker", "--scheduler-file", str(path), "--nthreads", "2"),
                *("--no-nanny", "--no-dashboard", "--memory-limit", "1GB"),
                *("--local-directory", str(folder / "scratch")),
            )
        )
        stack.callback(worker.kill)
        deadline = time.monotonic() + PATIENCE
        while not path.exists() or "address" not in json.loads(path.read_text()):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield path, scheduler, worker


@pytest.mark.slow
def test_worker_started_elsewhere_computes_with_this_project(
    commands, capsys, monkeypatch
):
    path, _, worker = commands
    calls = ["__import__('system.text').text.format_bytes(3 * 10**9)", THREADS]

    with open_engine(str(path), 7, ["numpy"]) as engine:
        with monkeypatch.context() as patch:
            patch.setattr(cluster, "FOLDER", "/nowhere")
            with pytest.raises(DataError, match=r"shared disk, the folder /nowhere\."):
                list(engine.map_cases(eval, calls, 7))
        # A worker that comes later is used as well.
        assert list(engine.map_cases(eval, calls, 7)) == ["3.0 GB", 2]
        pids = engine.map_cases(eval, ["__import__('os').getpid()"], 7)
        assert list(pids) == [worker.pid]
        with pytest.raises(ZeroDivisionError):
            list(engine.map_cases(eval, ["1 / 0"], 7))
    # Here the worker is there from the start.
    with open_engine(str(path), 7, ["numpy"]) as engine:
        assert engine.workers == 1
        assert engine.worker_memory == 8 * 10**8  # 0.8 of 1 GB
    assert ", workers: 1, threads: 2, dashboard: http://" in capsys.readouterr().out

    monkeypatch.setattr(cluster.importlib.metadata, "version", lambda name: "0.1")
    message = r"packages of the client: numpy 0\.1\. Received: numpy [1-9].* on tcp://"
    with (
        open_engine(str(path), 7, ["numpy"]) as engine,
        pytest.raises(DataError, match=message),
    ):
        list(engine.map_cases(eval, ["1"], 7))


@pytest.mark.slow
def test_scheduler_that_ends_is_reported(commands):
    path, scheduler, _ = commands
    Thread(target=lambda: (time.sleep(1), os.kill(scheduler.pid, 9))).start()

    with (
        open_engine(str(path), 1, []) as engine,
        pytest.raises(DataError, match=r"must run until the end.*connection to it was"),
    ):
        list(engine.map_cases(eval, ["__import__('time').sleep(600)"], 1))


@pytest.mark.slow
def test_scheduler_that_has_ended_between_two_lists_of_cases_is_reported():
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=0, dashboard_address=":0", processes=False
    ) as started:
        client = distributed.Client(started, set_as_default=False)
        cases = cluster._Cluster(client, []).map_cases
        client.close()
        with pytest.raises(DataError, match=r"must run until the end.*connection to"):
            list(cases(eval, ["1"], 1))
