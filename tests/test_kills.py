"""Builds of a cube that are killed, interrupted, or lose a worker, and go on.

KILLS=50 python -m pytest tests/test_kills.py -m slow    kills so often
"""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import makeCube
from volumes.files import write_image
from volumes.geometry import Grid, affine_from

SCRIPT = Path(makeCube.__file__)
KILLS = int(os.environ.get("KILLS", "6"))
NUM_CASES = 8
GRID = Grid((96, 90, 24), affine_from((1.1, 1.0, 3.5)))
FLAGS = ("--spacing", "1.5", "--copies", "12")


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scans")
    label = np.zeros(GRID.shape, np.uint8)
    label[30:60, 30:60, 8:16] = 20
    lines = []
    for case in range(NUM_CASES):
        noise = np.random.default_rng(case).integers(0, 500, GRID.shape)
        write_image(folder / f"{case}.nrrd", noise.astype(np.int16), GRID)
        write_image(folder / f"{case}_label.nrrd", label, GRID)
        lines.append(f"{case}.nrrd,{case}_label.nrrd")
    (folder / "pairs.txt").write_text("\n".join(lines))
    return folder


def start(scans, output, *flags):
    """Begin a build in a session of its own, as a terminal would."""
    words = [scans / "pairs.txt", "--output", output, *FLAGS, "--workers", 2, *flags]
    return subprocess.Popen(
        [sys.executable, SCRIPT, *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def build(scans, output, *flags):
    """Build to the end; return exit code, output and messages."""
    process = start(scans, output, *flags)
    told = process.communicate(timeout=300)
    return process.returncode, *told


@pytest.fixture(scope="module")
def whole(scans, tmp_path_factory):
    """The bytes of an undisturbed build; seconds to its first case, and from there."""
    output = tmp_path_factory.mktemp("whole") / "cube.h5"
    times = [time.monotonic()]
    process = start(scans, output)
    wait_for_first_case(output, process)
    times.append(time.monotonic())
    _, errors = process.communicate(timeout=300)
    times.append(time.monotonic())
    assert (process.returncode, errors) == (0, "")
    return output.read_bytes(), *np.diff(times)


def wait_until_gone(session):
    """Give the processes of a session, killed already, ten seconds to be gone."""
    end = time.monotonic() + 10
    while processes_of(session):
        assert time.monotonic() < end, processes_of(session)
        time.sleep(0.05)


def processes_of(session):
    """List the processes of a session that still run."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, of = path.read_text().rsplit(")")[1].split()[:4]
        except OSError:
            continue
        if int(of) == session and state != "Z":
            found.append(int(path.parent.name))
    return found


def wait_for_first_case(output, process):
    """Wait until the survey is done and the first case is in work."""
    while not (output.parent / f"{output.name}.parts" / "plan.json").exists():
        assert process.poll() is None
        time.sleep(0.002)


def wait_for_parts(parts, count, process):
    while len(list(parts.glob("[1-9]*.h5"))) < count:
        assert process.poll() is None
        time.sleep(0.005)


def finished_in(parts):
    """Count the finished cases that a resumed build must not make again."""
    if not (parts / "plan.json").exists():
        return 0
    return len(list(parts.glob("[1-9]*.h5")))


def count_kept(printed):
    """Count the cases that a resumed build says an earlier one made."""
    return len(re.findall(r"\bbefore$", printed, re.M))


def kill_and_resume(scans, folder, bytes_of_whole, waiting, moment, *flags):
    """Kill a build at a moment, see what is left, and go on; tell how much was."""
    output, parts = folder / "cube.h5", folder / "cube.h5.parts"
    before = output.read_bytes() if output.exists() else None
    process = start(scans, output, *flags)
    if waiting:
        wait_for_first_case(output, process)
    time.sleep(moment)
    process.kill()
    process.communicate()
    deadline = time.monotonic() + 30
    while processes_of(process.pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    wait_until_gone(process.pid)
    left = output.read_bytes() if output.exists() else None
    assert left in (before, bytes_of_whole)
    finished = finished_in(parts)
    if left == bytes_of_whole and not finished:  # it came too late
        finished = NUM_CASES

    code, printed, errors = build(scans, output, "--resume", *flags)

    assert (code, errors) == (0, "")
    assert output.read_bytes() == bytes_of_whole
    assert count_kept(printed) == finished
    assert list(folder.iterdir()) == [output]
    return finished


@pytest.mark.slow
@pytest.mark.parametrize("number", range(KILLS))
def test_build_killed_at_any_moment_goes_on_to_the_same_bytes(
    scans, whole, tmp_path, number
):
    bytes_of_whole, *seconds = whole
    # A quarter of the kills come before the first case is begun.
    waiting = number % 4 > 0
    moment = np.random.default_rng(number).uniform(0, seconds[waiting])
    flags = []
    if number % 2:  # in the place of an older cube, which stays until the end
        (tmp_path / "cube.h5").write_bytes(b"older")
        flags = ["--force"]

    finished = kill_and_resume(scans, tmp_path, bytes_of_whole, waiting, moment, *flags)

    when = f"{moment:.2f} of {seconds[waiting]:.2f} s"
    print(f"killed {when} {'into' if waiting else 'before'} making: {finished} kept")


def test_killed_build_goes_on_without_making_finished_cases_again(
    scans, whole, tmp_path
):
    output, parts = tmp_path / "cube.h5", tmp_path / "cube.h5.parts"
    process = start(scans, output)
    wait_for_parts(parts, 2, process)
    process.kill()
    process.communicate()
    finished = finished_in(parts)
    assert not output.exists()

    refused = build(scans, output)
    code, printed, errors = build(scans, output, "--resume")

    assert refused[0] == 2
    assert re.search(r"had finished \(\d cases\): --resume goes on", refused[2])
    assert (code, errors) == (0, "")
    assert count_kept(printed) >= finished >= 2
    assert output.read_bytes() == whole[0]
    assert list(tmp_path.iterdir()) == [output]


def test_interrupted_build_leaves_finished_cases_and_nothing_half_done(scans, tmp_path):
    output, parts = tmp_path / "cube.h5", tmp_path / "cube.h5.parts"
    process = start(scans, output)
    wait_for_parts(parts, 1, process)
    os.killpg(process.pid, signal.SIGINT)  # as Ctrl-C does: to all of them
    _, errors = process.communicate(timeout=60)

    assert process.returncode == 130
    wait_until_gone(process.pid)
    kept, interrupted = errors.splitlines()
    assert re.match(r"Finished cases kept in .*: \d\. --resume goes on", kept)
    assert interrupted == "Interrupted."
    names = {path.name for path in parts.iterdir()}
    assert "plan.json" in names
    assert all(re.fullmatch(r"plan\.json|\d\.h5", name) for name in names)
    assert list(tmp_path.iterdir()) == [parts]


def test_build_interrupted_before_a_case_is_finished_leaves_nothing(scans, tmp_path):
    process = start(scans, tmp_path / "cube.h5")
    wait_for_first_case(tmp_path / "cube.h5", process)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)

    assert (process.returncode, errors) == (130, "Interrupted.\n")
    assert list(tmp_path.iterdir()) == []


def test_killed_worker_is_told_and_costs_nothing(scans, whole, tmp_path):
    output = tmp_path / "cube.h5"
    process = start(scans, output)
    wait_for_parts(tmp_path / "cube.h5.parts", 1, process)
    spawned = b"from multiprocessing.spawn import spawn_main"
    workers = [
        number
        for number in processes_of(process.pid)
        if spawned in Path(f"/proc/{number}/cmdline").read_bytes()
    ]
    os.kill(workers[-1], signal.SIGKILL)
    _, errors = process.communicate(timeout=120)

    assert process.returncode == 0
    assert re.search(r"process was killed.* cases in work: \d(, \d)?\. They", errors)
    assert output.read_bytes() == whole[0]
    assert list(tmp_path.iterdir()) == [output]
