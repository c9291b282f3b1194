"""Trainings by several processes on this computer, against those by one."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from support import training_member
from support.places import ROOT
from support.small_runs import TINY, call, training_options

from cube.reader import Cube
from models.process_group import part_of
from models.setup import prepare_network
from models.train_run import compile_for_training, fit
from models.training_step import TrainingStep
from system.group_place import LOG_LEVEL
from system.launcher import free_ports

pytestmark = pytest.mark.slow

# A batch of three for two processes, whose parts are unequal; first small patches.
OPTIONS = {"filters": 2, "depth": 1, "batch_size": 3, "steps": 2, "epochs": 3}
OPTIONS |= {"learning_rate": 0.01, "small_patches": 0.3}
SECONDS = 15  # within which the others end when one is killed


def start(cube, run, *, deaths=(0, 0), **changed):
    """Start two processes of one training; one may kill itself before a step."""
    addresses = [f"127.0.0.1:{port}" for port in free_ports(2)]
    started = []
    for rank in range(2):
        task = {"type": "worker", "index": rank}
        config = {"cluster": {"worker": addresses}, "task": task}
        options = json.dumps({**OPTIONS, **changed})
        words = [str(cube), str(run), options, str(deaths[rank])]
        started.append(
            subprocess.Popen(
                [sys.executable, training_member.__file__, *words],
                env={
                    **os.environ,
                    "TF_CONFIG": json.dumps(config),
                    "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}",
                    "PYTHON_CPU_COUNT": "1",
                    LOG_LEVEL: "3",  # as `hide_lost` sets it
                },
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    return started


def train_by_two(cube, run, **changed):
    started = start(cube, run, **changed)
    errors = [process.communicate()[1] for process in started]
    assert [process.returncode for process in started] == [0, 0], errors


def train_by_one(cube_path, run, **changed):
    options = training_options(**{**OPTIONS, **changed})
    run.mkdir(exist_ok=True)
    with Cube(cube_path) as cube:
        network, metadata = prepare_network(options, cube)
        fit(options, cube, run, network, metadata)


def history_of(run):
    with open(run / "history.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    return {name: [float(row[name]) for row in rows] for name in ("loss", "val_dice")}


def state_of(run):
    with np.load(run / "checkpoint" / "state.npz") as state:
        return {name: state[name] for name in state if name != "notes"}


def largest_difference(run, other):
    found, expected = state_of(run), state_of(other)
    assert list(found) == list(expected)
    return max(np.abs(found[name] - expected[name]).max() for name in expected)


def weights_of(run, rank):
    with np.load(run.with_suffix(f".{rank}.npz")) as weights:
        return [weights[name] for name in weights]


@pytest.fixture(scope="module")
def by_two(small_cube, tmp_path_factory):
    """A run of two processes that was never interrupted; to be read only."""
    run = tmp_path_factory.mktemp("by_two") / "run"
    train_by_two(small_cube, run)
    return run


@pytest.fixture(scope="module")
def by_one(small_cube, tmp_path_factory):
    """The same run of one process; to be read only."""
    run = tmp_path_factory.mktemp("by_one") / "run"
    train_by_one(small_cube, run)
    return run


def test_two_processes_train_like_one_and_stay_the_same(by_one, by_two):
    for first, second in zip(weights_of(by_two, 0), weights_of(by_two, 1), strict=True):
        np.testing.assert_array_equal(first, second)
    one, two = history_of(by_one), history_of(by_two)
    assert two["loss"] == pytest.approx(one["loss"], abs=1e-6)
    assert two["val_dice"] == pytest.approx(one["val_dice"], abs=1e-3)
    # AdamW turns the rounding of gradients near zero into steps of its own size.
    assert largest_difference(by_one, by_two) < 2e-4


def lose(rank, cube, run):
    """Let a process kill itself in the second epoch; check how the other ends."""
    started = start(cube, run, deaths=[4 * (each == rank) for each in range(2)])
    killed, left = started[rank], started[1 - rank]
    killed.communicate()
    since = time.monotonic()
    _, errors = left.communicate()

    assert killed.returncode == -signal.SIGKILL
    assert time.monotonic() - since < SECONDS
    assert left.returncode == 1
    lines = [line for line in errors.splitlines() if " waits for all of " not in line]
    assert len(lines) == 1, errors
    assert lines[0].startswith("Another of the 2 processes ended, or cannot be")


def test_killed_first_process_ends_the_other(small_cube, tmp_path):
    lose(0, small_cube, tmp_path / "run")


def test_killed_process_ends_the_other_and_both_resume_or_one(
    small_cube, by_one, by_two, tmp_path
):
    run = tmp_path / "run"
    lose(1, small_cube, run)

    alone = shutil.copytree(run, tmp_path / "alone")
    train_by_two(small_cube, run, resume=True)
    assert largest_difference(run, by_two) == 0
    assert history_of(run) == history_of(by_two)
    train_by_one(small_cube, alone, resume=True)
    assert largest_difference(alone, by_one) < 2e-4


def test_moving_statistics_of_batch_norm_are_those_of_both_parts(small_cube, tmp_path):
    run, changed = tmp_path / "run", {"norm": "batch", "steps": 1, "epochs": 1}
    train_by_two(small_cube, run, **changed)

    found = weights_of(run, 0)
    for first, second in zip(found, weights_of(run, 1), strict=True):
        np.testing.assert_array_equal(first, second)
    options = training_options(**{**OPTIONS, **changed})
    parts = [moving_statistics(options, small_cube, rank) for rank in range(2)]
    names, first = parts[0]
    for name, one, other in zip(names, first, parts[1][1], strict=True):
        if "moving" in name:
            expected = (one + other) / 2
            np.testing.assert_allclose(
                found[names.index(name)], expected, atol=1e-6, err_msg=name
            )


def moving_statistics(options, cube_path, rank):
    """Take the first step on one part of the batch, alone; return names and weights."""
    from models.train_run import _build_samplers

    class Part:
        def part_of(self, batch_size):
            return part_of(batch_size, rank, 2)

    with Cube(cube_path) as cube:
        network, metadata = prepare_network(options, cube)
        options = options.with_defaults(metadata)
        model = compile_for_training(network, options)
        _, small = _build_samplers(options, cube, metadata, Part())
        images, labels = small.batch(0)
    TrainingStep(model)(images, labels, rate=0.0, batch_size=len(images), seconds=0.0)
    return [weight.path for weight in model.weights], model.get_weights()


def test_gpus_that_are_not_there_are_counted(small_cube, tmp_path, capfd):
    code = call(small_cube, tmp_path / "run", "--epochs", "1", *TINY, "--gpus", "2")

    assert code == 2
    errors = capfd.readouterr().err
    message = "at most the number of GPUs that TensorFlow can use. Received: 2, but"
    assert errors.count(message) == 1
    assert "Traceback" not in errors
