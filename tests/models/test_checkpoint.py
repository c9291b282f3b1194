import itertools

import keras
import numpy as np
import pytest
from support.small_runs import training_options

from models.averaging import WeightAverage
from models.checkpoint import check_identity, load_checkpoint, save_checkpoint
from models.losses import DiceLoss
from models.training_loop import TrainingLoop, TrainingProgress
from models.training_step import TrainingStep
from system.errors import DataError

RATE = 0.01
IDENTITY = {"metadata": {"cube_checksum": "abc", "architecture": {"filters": 2}}}


class StepSampler:
    """Stands in for a sampler; each batch depends on its step only."""

    batch_size, patch_size = 2, (1, 4, 6)

    batch_size, patch_size = 2, (1, 4, 6)

    def batch(self, step):
        rng = np.random.default_rng(step)
        images = rng.normal(size=(2, 4, 6, 1)).astype(np.float32)
        return images, (images[..., 0] > 0.3).astype(np.uint8)


def small_model():
    """A network with every kind of state: weights, norm averages, dropout."""
    keras.utils.set_random_seed(4)
    model = keras.Sequential(
        [
            keras.Input((None, None, 1)),
            keras.layers.Conv2D(3, 3, padding="same"),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.3),
            keras.layers.Conv2D(2, 1, activation="softmax"),
        ]
    )
    model.compile(
        keras.optimizers.AdamW(RATE),
        DiceLoss(),
        jit_compile=False,
    )
    return model


def run_checkpointed(folder, *, resume=False, interrupted_after=None):
    """Train four epochs of three steps, interrupted after some, or resumed."""
    model = small_model()
    average = WeightAverage(model, 0.9)
    step = TrainingStep(model, average)
    progress = load_checkpoint(folder, model, average) if resume else None
    found = TrainingLoop(
        step,
        StepSampler(),
        training_options(epochs=4, steps=3, learning_rate=RATE),
        progress=progress,
    )
    scores = itertools.count(found.progress.epoch / 10, 0.1)

    def checkpoint():
        save_checkpoint(folder, model, average, found.progress, IDENTITY)
        if found.progress.epoch == interrupted_after:
            raise KeyboardInterrupt("stop")

    found.run(lambda: next(scores), checkpoint, lambda _: None)
    return found


def test_resumed_training_ends_like_an_uninterrupted_one(tmp_path):
    whole = run_checkpointed(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt, match="stop"):
        run_checkpointed(tmp_path / "interrupted", interrupted_after=2)

    resumed = run_checkpointed(tmp_path / "interrupted", resume=True)

    for name, one, other in (
        ("weights", whole.step.model.get_weights(), resumed.step.model.get_weights()),
        ("average", whole.step.average.values, resumed.step.average.values),
        (
            "optimizer",
            whole.step.optimizer.variables,
            resumed.step.optimizer.variables,
        ),
    ):
        for before, after in zip(one, other, strict=True):
            np.testing.assert_array_equal(before, after, err_msg=name)
    timed = ("minutes", "seconds_per_step", "waiting_share")
    for before, after in zip(
        whole.progress.history, resumed.progress.history, strict=True
    ):
        assert {name: before[name] for name in before if name not in timed} == {
            name: after[name] for name in after if name not in timed
        }
    assert (resumed.progress.epoch, resumed.progress.best_epoch) == (4, 4)


@pytest.fixture
def checkpoint(tmp_path):
    model = small_model()
    model.optimizer.build(model.trainable_variables)
    average = WeightAverage(model, 0.9)
    save_checkpoint(tmp_path, model, average, TrainingProgress(epoch=2), IDENTITY)
    return tmp_path, model, average


@pytest.mark.parametrize(
    ("metadata", "shown"),
    [
        (
            {"cube_checksum": "xyz", "architecture": {"filters": 2}},
            "same cube_checksum. Received: xyz, but it was started with abc",
        ),
        (
            {"cube_checksum": "abc", "architecture": {"filters": 16}},
            "same filters. Received: 16, but it was started with 2",
        ),
    ],
)
def test_changed_cube_or_architecture_is_refused_with_both(checkpoint, metadata, shown):
    with pytest.raises(DataError, match=shown):
        check_identity(checkpoint[0], {"metadata": metadata})


def test_longer_training_may_resume(checkpoint):
    check_identity(checkpoint[0], {**IDENTITY, "epochs": 9})


def test_checkpoint_of_a_version_with_another_option_can_be_resumed(tmp_path):
    model = small_model()
    model.optimizer.build(model.trainable_variables)
    average = WeightAverage(model, 0.9)
    for freeze in (None, "encoder"):
        earlier = {**IDENTITY, "freeze": freeze}
        folder = tmp_path / str(freeze)
        save_checkpoint(folder, model, average, TrainingProgress(epoch=2), earlier)

    check_identity(tmp_path / "None", IDENTITY)
    with pytest.raises(DataError, match=r"same freeze\. Received: None.*with encoder"):
        check_identity(tmp_path / "encoder", IDENTITY)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_truncated_checkpoint_is_refused(checkpoint, share):
    folder, model, average = checkpoint
    path = folder / "state.npz"
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])

    for read in (
        lambda: check_identity(folder, IDENTITY),
        lambda: load_checkpoint(folder, model, average),
    ):
        with pytest.raises(DataError, match=r"state\.npz cannot be read as a check"):
            read()


def test_checkpoint_of_another_network_is_refused(checkpoint):
    folder, *_ = checkpoint
    other = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    other.compile("adam", "mse")

    with pytest.raises(DataError, match=r"state\.npz cannot be read as a checkpoint"):
        load_checkpoint(folder, other, WeightAverage(other, 0.9))


def test_absent_checkpoint_is_refused(checkpoint, tmp_path):
    _, model, average = checkpoint

    with pytest.raises(DataError, match=r"state\.npz cannot be read as a checkpoint"):
        load_checkpoint(tmp_path / "empty", model, average)
