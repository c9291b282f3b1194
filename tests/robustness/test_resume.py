"""A run that is killed and resumed ends like one that was never interrupted."""

import csv
import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from support.small_runs import TINY

import train
from models.model_file import load_model
from runs.folder import read_json

FLAGS = ["--epochs", "4", "--dropout", "0.3", *TINY]
TIMED = ("minutes", "seconds_per_step", "waiting_share")
# Kills itself at the n-th call of a function: before it, or when half of the file
# that it writes is written.
KILLER = """
import importlib, os, pathlib, signal, sys
import train
where, calls, half = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "half"
module, _, name = where.rpartition(".")
module = importlib.import_module(module)
original = getattr(module, name)

def dying(*args, **options):
    global calls
    calls -= 1
    if calls == 0:
        if half:
            original(*args, **options)
            path = next(each for each in args if isinstance(each, pathlib.Path))
            os.truncate(path, path.stat().st_size // 2)
        os.kill(os.getpid(), signal.SIGKILL)
    return original(*args, **options)

setattr(module, name, dying)
sys.exit(train.main(sys.argv[4:]))
"""


def call(cube, run, *flags, model="unet2d"):
    return [str(cube), "--output", str(run), "--model", model, *FLAGS, *flags]


def start(*arguments):
    """Start Python in a process of its own, in the repository's folder."""
    return subprocess.Popen(
        [sys.executable, *arguments],
        cwd=Path(train.__file__).parent,
        stdout=subprocess.DEVNULL,
    )


@pytest.fixture(scope="module")
def whole_run(small_cube, tmp_path_factory):
    """A run that was never interrupted; to be read only."""
    run = tmp_path_factory.mktemp("whole") / "run"
    assert train.main(call(small_cube, run)) == 0
    return run


def checkpoint_of(run):
    with np.load(run / "checkpoint" / "state.npz") as state:
        return {name: state[name] for name in state if name != "notes"}


def history_of(run):
    with open(run / "history.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    return [{name: row[name] for name in row if name not in TIMED} for row in rows]


def files_of(run):
    """List the files of a run without its logs, of which each start adds one."""
    files = [path.relative_to(run) for path in run.rglob("*") if path.is_file()]
    # Pictures of a training depend on how long it took.
    changing = {"tensorboard", "progress", "progress.png"}
    return sorted(path for path in files if not changing & set(path.parts))


def assert_equal_runs(run, whole):
    found, expected = checkpoint_of(run), checkpoint_of(whole)
    assert list(found) == list(expected)
    for name in expected:
        np.testing.assert_array_equal(found[name], expected[name], err_msg=name)
    models = [load_model(each / "model.keras")[0] for each in (run, whole)]
    for one, other in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_array_equal(one, other)
    assert history_of(run) == history_of(whole)
    assert files_of(run) == files_of(whole)
    for path in ("scores.csv", "predictions/cid.seg.nrrd", "predictions/dan.seg.nrrd"):
        assert (run / path).read_bytes() == (whole / path).read_bytes(), path


# Four epochs of two steps. "before" is the moment before the n-th call.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("where", "calls", "moment"),
    [
        ("numpy.savez", 3, "half"),
        ("models.batches.patch_box", 2, "before"),
        ("numpy.savez", 1, "half"),
        ("models.training_loop.learning_rate_at", 6, "before"),
        ("models.train_run.save_model", 1, "before"),
        ("models.train_run.save_model", 2, "before"),
        ("models.train_run.write_history", 4, "before"),
        ("runs.train_and_test.draw_curves", 1, "before"),
        ("runs.testing.write_label_map", 2, "before"),
        ("runs.train_and_test.write_scores", 1, "before"),
    ],
)
def test_killed_run_ends_like_one_never_interrupted(
    small_cube, whole_run, tmp_path, where, calls, moment
):
    run = tmp_path / "run"
    killed = start("-c", KILLER, where, str(calls), moment, *call(small_cube, run))
    assert killed.wait() == -9

    assert train.main(["--resume", "--output", str(run)]) == 0

    assert_equal_runs(run, whole_run)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0])  # others take a minute each
def test_run_killed_at_random_moments_ends_like_one_never_interrupted(
    small_cube, whole_run, tmp_path, seed
):
    rng, run = random.Random(seed), tmp_path / "run"
    resume = ["--resume", "--output", str(run)]
    started = time.perf_counter()
    assert start(train.__file__, *call(small_cube, tmp_path / "timed")).wait() == 0
    seconds = time.perf_counter() - started

    for _ in range(5):
        # Until the command line is recorded there is nothing to resume.
        is_recorded = (run / "config.json").is_file()
        arguments = resume if is_recorded else call(small_cube, run)
        process = start(train.__file__, *arguments)
        time.sleep(rng.uniform(0, seconds))
        process.kill()
        process.wait()
    assert start(train.__file__, *resume).wait() == 0

    assert_equal_runs(run, whole_run)


def is_alive(pid):
    state = subprocess.run(
        ["ps", "-o", "stat=", "-p", pid], capture_output=True, text=True
    ).stdout.strip()
    return state != "" and not state.startswith("Z")


@pytest.mark.slow
def test_both_networks_killed_end_as_if_not_and_no_process_is_left(
    small_cube, tmp_path
):
    whole, run = tmp_path / "whole", tmp_path / "run"
    flags = ("--augment", "online")
    arguments = call(small_cube, whole, *flags, model="both")
    assert start(train.__file__, *arguments).wait() == 0
    for model in ("unet2d", "unet3d"):
        arguments = call(small_cube, run, *flags, model="both")
        if run.exists():
            arguments = ["--resume", "--output", str(run)]
        parent = start(train.__file__, *arguments)
        while not (run / model / "checkpoint" / "state.npz").exists():
            assert parent.poll() is None
            time.sleep(0.01)
        found = subprocess.run(
            ["pgrep", "-P", str(parent.pid)], capture_output=True, text=True
        )
        children = found.stdout.split()
        parent.kill()  # the parent alone
        parent.wait()
        deadline = time.monotonic() + 60
        while any(map(is_alive, children)):
            assert time.monotonic() < deadline, "a child outlived its parent"
            time.sleep(0.1)
    assert not (run / "comparison.json").exists()

    assert start(train.__file__, "--resume", "--output", str(run)).wait() == 0

    for model in ("unet2d", "unet3d"):
        assert_equal_runs(run / model, whole / model)
    assert read_json(run / "comparison.json")["names"] == ["UNet-2D", "UNet-3D"]
