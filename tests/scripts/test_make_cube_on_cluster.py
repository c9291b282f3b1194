"""Cubes built on a Dask cluster have the bytes of those built here."""

import os
import re
import signal
from threading import Thread

import numpy as np
import pytest
from support.scans import NAMES, beside_the_scans, build, write_scan, write_scans

import cube.build
import system.cluster
from cube.partial_build import PartialBuild

distributed = pytest.importorskip("distributed")
pytestmark = pytest.mark.slow

# Enough copies that a worker is killed at work.
FLAGS = ("--spacing", 3, 1.5, 1.5, "--copies", 40)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        dashboard_address=":0",
        local_directory=str(tmp_path_factory.mktemp("scratch")),
    ) as started:
        yield started


@pytest.fixture
def scans(tmp_path):
    return write_scans(tmp_path)


def build_on(cluster, folder, *flags):
    return build(folder, *flags, "--scheduler", cluster.scheduler_address)


def count_kept(printed):
    """Count the cases that a resumed build says an earlier one built."""
    return len(re.findall(r"\bbefore$", printed, re.MULTILINE))


def kill_at_first_case(cluster, folder, killed):
    """Kill a worker, as the kernel does, once a case is finished."""
    with distributed.Client(cluster, set_as_default=False) as client:
        pids = sorted(client.run(os.getpid).values())
        while not PartialBuild(folder / "cube.h5").count:
            pass
        os.kill(pids[0], signal.SIGKILL)
        if PartialBuild(folder / "cube.h5").count < len(NAMES):
            killed.append(pids[0])


def test_cube_has_the_bytes_of_a_local_one_though_a_worker_is_killed(
    cluster, scans, capsys
):
    killed = []
    thread = Thread(target=kill_at_first_case, args=(cluster, scans, killed))
    thread.start()
    assert build_on(cluster, scans, *FLAGS) == 0
    thread.join()

    assert beside_the_scans(scans) == ["cube.h5"]
    built_there = (scans / "cube.h5").read_bytes()
    assert count_kept(capsys.readouterr().out) == 0
    assert build(scans, *FLAGS, "--force") == 0
    assert (scans / "cube.h5").read_bytes() == built_there
    with distributed.Client(cluster, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=300)
        (pid,) = killed  # while there was work
        assert pid not in client.run(os.getpid).values()


@pytest.mark.parametrize("is_here_first", [True, False])
def test_build_is_resumed_on_the_other_engine(
    cluster, scans, capsys, monkeypatch, is_here_first
):
    def interrupt(*_):
        raise KeyboardInterrupt

    def build_here(cluster, *flags):
        return build(*flags)

    first, second = build_here, build_on
    if not is_here_first:
        first, second = second, first
    flags = (cluster, scans, "--spacing", 3, 1.5, 1.5, "--copies", 1)
    with monkeypatch.context() as patch:
        patch.setattr(cube.build, "gather", interrupt)
        assert first(*flags) == 130
    (scans / "cube.h5.parts" / "2.h5").unlink()

    assert second(*flags, "--resume") == 0

    assert count_kept(capsys.readouterr().out) == 3
    assert beside_the_scans(scans) == ["cube.h5"]
    resumed = (scans / "cube.h5").read_bytes()
    assert first(*flags, "--force") == 0
    assert (scans / "cube.h5").read_bytes() == resumed


def test_unusable_scan_is_reported_as_here(cluster, scans, capsys):
    write_scan(scans, "ben", image=np.full((14, 11, 6), np.nan, np.float32))
    assert build(scans) == 1
    here = capsys.readouterr().err
    assert build_on(cluster, scans) == 1

    assert capsys.readouterr().err == here
    assert "ben.nrrd" in here
    assert here.count("\n") == 1
    assert beside_the_scans(scans) == []


def test_scheduler_that_does_not_answer_leaves_nothing_behind(
    scans, capsys, monkeypatch
):
    monkeypatch.setattr(system.cluster, "CONNECT_SECONDS", 1)
    assert build(scans, "--scheduler", "tcp://127.0.0.1:9") == 2

    message = capsys.readouterr().err
    assert "must be the address of a running Dask scheduler" in message
    assert message.count("\n") == 1
    assert beside_the_scans(scans) == []
