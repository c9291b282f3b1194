"""Builds of a cube that are killed, interrupted, or lose a worker, and are resumed.

KILLS=50 python -m pytest tests/robustness/test_kills.py -m slow    kills that often
"""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
from support.places import ROOT
from support.scans import beside_the_scans, hear_interrupts, write_scans
from support.scans import build as build_in_process

import makeCube
from volumes.formats.files import write_image
from volumes.geometry import Grid, affine_from

SCRIPT = Path(makeCube.__file__)
STALLING = ROOT / "tests" / "support" / "stalling_make_cube.py"
KILLS = int(os.environ.get("KILLS", "6"))
NUM_CASES = 8
GRID = Grid((96, 90, 24), affine_from((1.1, 1.0, 3.5)))
PATIENCE = 300  # seconds, for a machine that has other things to do

pytestmark = pytest.mark.skipif(
    not Path("/proc/self").exists(), reason="processes are counted in /proc"
)


def start(script, folder, *flags, **environment):
    """Start a build in a session of its own, as a shell does."""
    words = [folder / "pairs.txt", "--workers", 2, *flags]
    return subprocess.Popen(
        [sys.executable, script, *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=hear_interrupts,
        env={**os.environ, "PYTHONPATH": str(SCRIPT.parent), **environment},
    )


def processes_of(session):
    """List the processes of a session that are still running."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, of = path.read_text().rsplit(")")[1].split()[:4]
        except OSError:
            continue
        if int(of) == session and state != "Z":
            found.append(int(path.parent.name))
    return found


def wait_until(fulfilled):
    deadline = time.monotonic() + PATIENCE
    while not fulfilled():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def kill(process):
    """Kill a build as the kernel does, and wait until its workers have ended too."""
    process.kill()
    process.communicate()
    wait_until(lambda: not processes_of(process.pid))


def finished_in(parts):
    """Count the finished cases that a resumed build must not build again."""
    if not (parts / "plan.json").exists():
        return 0
    return len(list(parts.glob("[1-9]*.h5")))


def count_kept(printed):
    """Count the cases that a resumed build says an earlier one built."""
    return len(re.findall(r"\bbefore$", printed, re.M))


@pytest.fixture
def stalled(tmp_path):
    """A build with three of four cases finished, and the id of its waiting worker."""
    scans, stall = write_scans(tmp_path), tmp_path / "stall.txt"
    flags = ("--output", scans / "cube.h5", "--copies", 1)
    process = start(STALLING, scans, *flags, STALL=str(stall))
    wait_until(lambda: stall.exists() and stall.read_text())
    wait_until(lambda: finished_in(scans / "cube.h5.parts") == 3)
    yield scans, process, int(stall.read_text())
    process.kill()


def test_killed_build_is_resumed_to_the_bytes_of_an_undisturbed_one(stalled, capsys):
    scans, process, _ = stalled
    kill(process)
    assert not (scans / "cube.h5").exists()

    assert build_in_process(scans, "--copies", 1) == 2
    assert (
        "3 finished cases of an interrupted build. --resume continues"
        in capsys.readouterr().err
    )
    assert build_in_process(scans, "--copies", 1, "--resume") == 0

    assert count_kept(capsys.readouterr().out) == 3
    assert beside_the_scans(scans) == ["cube.h5"]
    resumed = (scans / "cube.h5").read_bytes()
    assert build_in_process(scans, "--copies", 1, "--force") == 0
    assert (scans / "cube.h5").read_bytes() == resumed


@pytest.mark.parametrize(
    ("send", "sent", "said"),
    [  # Ctrl-C reaches all of them
        (os.killpg, signal.SIGINT, "Interrupted."),
        pytest.param(
            os.kill, signal.SIGTERM, "Stopped by SIGTERM.", marks=pytest.mark.slow
        ),
    ],
)
def test_interrupted_build_leaves_no_process_and_no_unfinished_file(
    stalled, send, sent, said
):
    scans, process, _ = stalled
    send(process.pid, sent)
    _, errors = process.communicate(timeout=PATIENCE)

    assert process.returncode == 128 + sent
    wait_until(lambda: not processes_of(process.pid))
    assert beside_the_scans(scans) == ["cube.h5.parts"]
    parts = scans / "cube.h5.parts"
    names = sorted(path.name for path in parts.iterdir())
    assert names == ["1.h5", "2.h5", "3.h5", "plan.json"]
    assert errors.splitlines() == [
        f"Finished cases kept in {parts}: 3. Use --resume to continue.",
        said,
    ]


def test_killed_worker_ends_the_build_which_can_be_resumed(stalled, capsys):
    scans, process, worker = stalled
    os.kill(worker, signal.SIGKILL)
    _, errors = process.communicate(timeout=PATIENCE)

    assert process.returncode == 1
    kept, reason = errors.splitlines()
    assert kept.startswith(f"Finished cases kept in {scans / 'cube.h5.parts'}: 3.")
    assert reason.startswith("A worker process was killed, usually because memory ran")
    assert "these cases were in work: dan. Fewer --workers need less" in reason
    assert beside_the_scans(scans) == ["cube.h5.parts"]
    assert build_in_process(scans, "--copies", 1, "--resume") == 0
    assert count_kept(capsys.readouterr().out) == 3
    cube = (scans / "cube.h5").read_bytes()
    assert build_in_process(scans, "--copies", 1, "--force") == 0
    assert (scans / "cube.h5").read_bytes() == cube


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    """Scans whose cube takes a second or two to build."""
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


def begin(scans, output, *flags):
    flags = ("--spacing", "1.5", "--copies", "12", *flags)
    return start(SCRIPT, scans, "--output", output, *flags)


def wait_for_first_case(output, process):
    """Wait until the survey is done, or all is."""
    plan = output.parent / f"{output.name}.parts" / "plan.json"
    wait_until(lambda: plan.exists() or process.poll() is not None)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """The folder of all cubes: a cube notes where its scans lie, seen from it."""
    return tmp_path_factory.mktemp("place")


@pytest.fixture(scope="module")
def whole(scans, place):
    """Bytes of an undisturbed build; seconds until its first case, and after that."""
    output = place / "cube.h5"
    times = [time.monotonic()]
    process = begin(scans, output)
    wait_for_first_case(output, process)
    times.append(time.monotonic())
    _, errors = process.communicate(timeout=PATIENCE)
    times.append(time.monotonic())
    assert (process.returncode, errors) == (0, "")
    return output.read_bytes(), *np.diff(times)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(KILLS))
def test_build_killed_at_any_moment_is_resumed_to_the_same_bytes(
    scans, whole, place, number
):
    bytes_of_whole, *seconds = whole
    output, parts = place / "cube.h5", place / "cube.h5.parts"
    output.unlink(missing_ok=True)
    older, flags = None, []
    if number % 2:  # an older cube, which stays until the new one is complete
        h5py.File(output, "w").close()  # --force replaces nothing but HDF5 files
        older, flags = output.read_bytes(), ["--force"]
    making = number % 4 > 0  # otherwise the kill comes before the first case
    moment = np.random.default_rng(number).uniform(0, seconds[making])

    process = begin(scans, output, *flags)
    if making:
        wait_for_first_case(output, process)
    time.sleep(moment)
    kill(process)
    left = output.read_bytes() if output.exists() else None
    finished = finished_in(parts)
    process = begin(scans, output, "--resume", *flags)
    printed, errors = process.communicate(timeout=PATIENCE)

    print(f"{moment:.2f} s into {'making' if making else 'the build'}: {finished} kept")
    assert left in (older, bytes_of_whole)
    assert (process.returncode, errors) == (0, "")
    assert output.read_bytes() == bytes_of_whole
    assert list(place.iterdir()) == [output]
    if left == bytes_of_whole:  # the kill came when the cube was in place
        finished = NUM_CASES
    assert count_kept(printed) == finished
