import csv
import shutil
from dataclasses import replace

import keras
import numpy as np
import pytest
from support.cubes import clean_rows, write_cube
from support.small_runs import training_options

from cube.reader import Cube
from models.checkpoint import has_checkpoint
from models.model_file import load_model
from models.setup import prepare_network
from models.train_run import (
    CHECKPOINT_NAME,
    _chain_of,
    check_resumable,
    compile_for_training,
    fit,
    training_identity,
)
from models.training_loop import TrainingLoop
from system.errors import DataError

OPTIONS = training_options(filters=2, depth=1, batch_size=2)


def fit_small(cube, run, options=OPTIONS):
    network, metadata = prepare_network(options, cube)
    return fit(options, cube, run, network, metadata), metadata


def read_epochs(run):
    with open(run / "history.csv", newline="") as stream:
        return [row["epoch"] for row in csv.DictReader(stream)]


@pytest.fixture(scope="module")
def fitted(small_cube, tmp_path_factory):
    """The folder, result and metadata of one epoch; to be read only."""
    run = tmp_path_factory.mktemp("fitted")
    with Cube(small_cube) as cube:
        return run, *fit_small(cube, run)


def test_run_folder_gets_model_history_checkpoint_and_logs(fitted):
    run, result, metadata = fitted

    assert sorted(path.name for path in run.iterdir()) == [
        "checkpoint",
        "history.csv",
        "model.keras",
        "tensorboard",
    ]
    assert has_checkpoint(run / CHECKPOINT_NAME)
    assert read_epochs(run) == ["1"]
    assert result.minutes == result.history[-1]["minutes"]
    assert result.minutes > 0
    assert result.peak_mib > 0
    saved, stored = load_model(run / "model.keras")
    assert stored == metadata
    for one, other in zip(
        saved.get_weights(), result.network.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_no_epochs_save_the_network_as_it_is(small_cube, small_run, tmp_path):
    options = replace(OPTIONS, epochs=0, weights=small_run / "model.keras")
    options = replace(options, filters=None, depth=None)

    with Cube(small_cube) as cube:
        result, _ = fit_small(cube, tmp_path, options)

    assert [path.name for path in tmp_path.iterdir()] == ["model.keras"]
    assert (result.history, result.minutes, result.peak_mib) == ([], 0.0, 0.0)
    before, _ = load_model(small_run / "model.keras")
    after, _ = load_model(tmp_path / "model.keras")
    for one, other in zip(before.get_weights(), after.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_fit_resumes_from_the_checkpoint(small_cube, fitted, tmp_path, capsys):
    run = shutil.copytree(fitted[0], tmp_path / "run")

    with Cube(small_cube) as cube:
        result, _ = fit_small(cube, run, replace(OPTIONS, epochs=2, resume=True))

    shown = "resuming after epoch 1: budget now 2 epochs in all; 1 done\n"
    assert shown in capsys.readouterr().out
    assert result.history[0] == fitted[1].history[0]
    assert [row["epoch"] for row in result.history] == [1, 2]
    assert read_epochs(run) == ["1", "2"]


def test_online_augmentation_draws_from_the_scans_and_not_their_copies(
    small_cube, tmp_path, monkeypatch
):
    rows = {}

    def record(loop, *_):
        rows["online" if loop.sampler.compose else "stored"] = loop.sampler.rows

    monkeypatch.setattr(TrainingLoop, "run", record)
    monkeypatch.setattr("models.train_run.load_model", lambda path: (None, None))
    with Cube(small_cube) as cube:
        for augment in ("stored", "online"):
            fit_small(cube, tmp_path / augment, replace(OPTIONS, augment=augment))
        copies = {
            augment: [cube.copies[row] for row in rows[augment]] for augment in rows
        }

    # One training scan with one copy.
    assert copies == {"stored": [0, 1], "online": [0]}


def test_out_of_memory_names_the_batch(small_cube, tmp_path, monkeypatch):
    def run(*_):
        raise MemoryError

    monkeypatch.setattr(TrainingLoop, "run", run)
    shown = r"training on batches of 2 patches of 1 x 16 x 16 voxels\.$"

    with (
        Cube(small_cube) as cube,
        pytest.raises(DataError, match=f"^Out of memory while {shown}"),
    ):
        fit_small(cube, tmp_path)


def test_identity_has_the_defaults_and_the_cube(fitted):
    metadata = fitted[2]
    identity = training_identity(replace(OPTIONS, batch_size=None), metadata)

    assert identity["cube_checksum"] == metadata.cube_checksum
    assert identity["patch_size"] == metadata.patch_size == (1, 16, 16)
    # 98,304 voxels of 256.
    assert (identity["batch_size"], identity["learning_rate"]) == (384, 0.002)
    assert "resume" not in identity


def test_identity_knows_the_weights_by_their_content(fitted, tmp_path):
    metadata, identities = fitted[2], []
    for name, content in (("a", b"one"), ("b", b"one"), ("c", b"two")):
        (tmp_path / name).write_bytes(content)
        options = replace(OPTIONS, weights=tmp_path / name)
        identities.append(training_identity(options, metadata))

    assert identities[0] == identities[1]
    assert identities[0] != identities[2]


def test_resumed_run_with_another_option_is_refused(fitted):
    run, _, metadata = fitted
    same = replace(OPTIONS, resume=True)
    other = replace(same, seed=7)

    check_resumable(same, metadata, run)
    with pytest.raises(DataError, match=r"same seed. Received: 7, .* started with 0"):
        check_resumable(other, metadata, run)
    # A new run and one that only tests are not resumed.
    check_resumable(replace(other, resume=False), metadata, run)
    check_resumable(replace(other, epochs=0), metadata, run)


def test_run_without_a_checkpoint_starts_from_the_beginning(fitted, tmp_path, capsys):
    check_resumable(replace(OPTIONS, resume=True), fitted[2], tmp_path)

    shown = "no checkpoint yet: training starts from the beginning"
    assert shown in capsys.readouterr().out


@pytest.mark.parametrize("mixed_precision", [False, True])
def test_optimizer_is_compiled_beside_the_network(small_cube, mixed_precision):
    options = replace(
        OPTIONS, learning_rate=0.25, loss="dice-ce", mixed_precision=mixed_precision
    )

    with Cube(small_cube) as cube:
        network, _ = prepare_network(options, cube)
    model = compile_for_training(network, options)

    assert not network.compiled
    assert model.loss.name == "dice_cross_entropy_loss"
    optimizer = model.optimizer
    is_scaled = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
    assert is_scaled == mixed_precision
    inner = optimizer.inner_optimizer if is_scaled else optimizer
    assert float(inner.learning_rate) == 0.25
    assert model.weights[0] is network.weights[0]


def test_training_as_in_earlier_versions_resumes_their_checkpoints(fitted):
    _, _, metadata = fitted
    new = {"contrast_curves": 0.5, "spine_share": 0.4, "small_patches": 0.5}

    earlier = training_identity(OPTIONS, metadata)

    assert not earlier.keys() & new.keys()  # an absent entry counts as None
    assert new.items() <= training_identity(replace(OPTIONS, **new), metadata).items()


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"flip": 5}, ".* p=5"),
        # Earlier versions built these cubes, whose stored copies can be trained on.
        ({"rotation": 400.0}, "rotation must be 0 to 360. Received: 400"),
        ({"gamma": [1e-4, 2]}, "gamma must be 0.001 to 1000. Received: 0.0001 2"),
    ],
)
def test_transforms_of_a_cube_that_cannot_be_are_refused_as_they_are_applied(
    tmp_path, limits, message
):
    arguments = {"seed": 0, **limits}
    path = write_cube(tmp_path / "cube.h5", clean_rows(), arguments=arguments)

    with Cube(path) as cube:
        assert cube.arguments == arguments
        with pytest.raises(DataError, match=rf"`arguments`\. {message}"):
            _chain_of(cube)
