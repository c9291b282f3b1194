import csv
import math
from dataclasses import replace
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from support.small_runs import training_options

from evaluation.curves import read_history
from models import training_loop
from models.losses import DiceLoss
from models.metrics import DiceCoefficient
from models.training_loop import (
    HISTORY_COLUMNS,
    TrainingLoop,
    TrainingProgress,
    learning_rate_at,
    mean_dice,
    write_history,
)
from models.unet import build_unet
from system.errors import DataError
from volumes.ignored import IGNORED

RATE = 0.01


class CountingModel:
    """Stands in for a model of one weight, which grows by one per step."""

    def __init__(self, weight=0.0, clock=None):
        self.weights, self.clock = [np.array([weight], np.float32)], clock
        self.optimizer, self.rates = SimpleNamespace(learning_rate=None), []

    def get_weights(self):
        return [value.copy() for value in self.weights]

    def set_weights(self, values):
        self.weights = [np.array(value) for value in values]

    def reset_metrics(self):
        pass

    def make_train_function(self, force):
        pass

    def train_on_batch(self, images, labels, return_dict):
        self.rates.append(self.optimizer.learning_rate)
        self.weights[0] += 1
        if self.clock:
            self.clock.now += 10
        return {"loss": float(self.weights[0][0]), "dice": 0.5}


class ConstantSampler:
    """Stands in for a sampler; returns the same batch at every step."""

    batch_size, patch_size = 1, (1, 4, 6)

    def __init__(self, images=None, labels=None):
        self.pair = images, labels

    def batch(self, step):
        return self.pair


def schedule(epochs, minutes, steps, *, rate=RATE, patience=None):
    return training_options(
        epochs=epochs,
        minutes=minutes,
        steps=steps,
        learning_rate=rate,
        patience=patience,
    )


def train(model, options, scores=None, **resumed):
    """Train to the end; return the loop and whether each epoch was the best."""
    is_best = []
    found = TrainingLoop(model, ConstantSampler(), options, **resumed)
    scores = iter(scores) if scores else None
    validate = None if scores is None else lambda: next(scores)
    found.run(validate, lambda: None, is_best.append)
    return found, is_best


@pytest.mark.parametrize(
    ("share", "part"),
    [
        (0.0, 0.03),  # not quite nothing
        (0.015, 0.5),  # half of the warm-up of 3 %
        (0.03, 1.0),
        (0.515, 0.5),  # half of the remaining 97 %: cos(pi / 2) = 0
        (0.03 + 0.97 / 3, 0.75),  # cos(pi / 3) = .5
        (1.0, 0.001),
    ],
)
def test_learning_rate_follows_warm_up_and_cosine(share, part):
    assert learning_rate_at(share, RATE) == pytest.approx(part * RATE, rel=1e-9)


def test_learning_rate_of_each_step_is_that_of_the_share_done():
    model = CountingModel()

    train(model, schedule(2, None, 4))

    expected = [learning_rate_at(step / 8, RATE) for step in range(8)]
    assert model.rates == pytest.approx(expected, rel=1e-9)


def test_loss_that_is_not_finite_ends_the_training():
    with pytest.raises(DataError, match=r"finite. Received: nan in epoch 1.*than 0.01"):
        train(CountingModel(np.nan), schedule(2, None, 3))


def test_peak_memory_of_an_earlier_run_is_kept():
    before = TrainingProgress(peak_mib=1e9)

    grown, _ = train(CountingModel(), schedule(1, None, 1))
    kept, _ = train(CountingModel(), schedule(1, None, 1), progress=before)

    assert 0 < grown.progress.peak_mib < 1e6
    assert kept.progress.peak_mib == 1e9


def test_training_stops_when_patience_runs_out():
    found, is_best = train(
        CountingModel(),
        schedule(9, None, 1, patience=2),
        [0.5, 0.6, 0.6, 0.55, 0.9],
    )

    assert is_best == [True, True, False, False]
    assert (found.progress.best, found.progress.best_epoch) == (0.6, 2)
    assert [row["val_dice"] for row in found.progress.history] == [0.5, 0.6, 0.6, 0.55]


def test_first_epoch_is_best_even_with_a_dice_of_zero():
    assert train(CountingModel(), schedule(2, None, 1), [0.0, 0.0])[1] == [
        True,
        False,
    ]


def test_without_validation_the_latest_weights_are_best_and_patience_waits():
    found, is_best = train(CountingModel(), schedule(3, None, 1, patience=1))

    assert is_best == [True, True, True]
    assert all(math.isnan(row["val_dice"]) for row in found.progress.history)


def test_training_stops_within_an_epoch_when_the_minutes_are_up(monkeypatch):
    clock = SimpleNamespace(now=100.0)
    clock.perf_counter = lambda: clock.now
    monkeypatch.setattr(training_loop, "time", clock)

    # A step takes 10 s: 4 in the first epoch, 2 more in the minute.
    found, _ = train(CountingModel(clock=clock), schedule(None, 1.0, 4))

    assert [row["step"] for row in found.progress.history] == [4, 6]
    assert [row["minutes"] for row in found.progress.history] == [4 / 6, 1.0]
    assert found.progress.history[1]["seconds_per_step"] == 10
    rates = [learning_rate_at(step / 6, RATE) for step in range(6)]
    assert found.model.rates == pytest.approx(rates, rel=1e-9)


def test_resumed_training_counts_the_minutes_used_before(monkeypatch):
    clock = SimpleNamespace(now=100.0)
    clock.perf_counter = lambda: clock.now
    monkeypatch.setattr(training_loop, "time", clock)
    history = [dict.fromkeys(HISTORY_COLUMNS, 0.0)]
    before = TrainingProgress(
        epoch=1, step=4, seconds=40.0, best_epoch=1, history=history
    )

    # A step takes 10 s: 2 more in the minute.
    found, _ = train(
        CountingModel(clock=clock),
        schedule(None, 1.0, 4),
        progress=before,
    )

    assert (found.progress.step, found.progress.seconds) == (6, 60)
    rates = [learning_rate_at(step / 6, RATE) for step in (4, 5)]
    assert found.model.rates == pytest.approx(rates, rel=1e-9)


@pytest.mark.parametrize(("best_epoch", "is_best"), [(2, True), (1, False)])
def test_resumed_training_first_publishes_its_last_epoch(best_epoch, is_best):
    events = []
    before = TrainingProgress(epoch=2, step=2, best=0.9, best_epoch=best_epoch)

    TrainingLoop(
        CountingModel(),
        ConstantSampler(),
        schedule(3, None, 1),
        progress=before,
    ).run(lambda: 0.5, lambda: events.append("checkpoint"), events.append)

    assert events == [is_best, "checkpoint", False]


def test_epochs_and_minutes_bound_the_training_together():
    assert TrainingProgress(step=6, seconds=30).share(schedule(3, 2.0, 4)) == 0.5
    assert TrainingProgress(step=1, seconds=90).share(schedule(3, 2.0, 4)) == 0.75
    assert TrainingProgress(step=99, seconds=0).share(schedule(3, 2.0, 4)) == 1.0


def test_validation_uses_the_average_and_the_checkpoint_the_weights():
    model, weights = CountingModel(), []

    def record():
        weights.append(float(model.weights[0][0]))
        return 0.5

    TrainingLoop(model, ConstantSampler(), schedule(1, None, 2)).run(
        record, record, lambda _: None
    )

    # Weights 1 and 2, kept shares 2 / 11 and 3 / 12 of the average:
    # 9 / 11, then .25 * 9 / 11 + .75 * 2.
    assert weights == pytest.approx([0.25 * 9 / 11 + 1.5, 2.0], rel=1e-6)


def test_history_has_its_columns_and_an_empty_cell_for_nan(tmp_path):
    found, _ = train(CountingModel(), schedule(2, None, 3))

    write_history(tmp_path / "history.csv", found.progress.history)

    with open(tmp_path / "history.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert tuple(rows[0]) == HISTORY_COLUMNS
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert [row["step"] for row in rows] == ["3", "6"]
    assert [row["val_dice"] for row in rows] == ["", ""]
    # The mean over the steps 1, 2, 3 and over 4, 5, 6.
    assert [float(row["loss"]) for row in rows] == [2, 5]
    assert read_history(tmp_path / "history.csv")[1]["val_dice"] is None


@pytest.mark.parametrize(
    "spacing", [(1.0, 1.0), pytest.param((2.0, 1.0, 1.0), marks=pytest.mark.slow)]
)
def test_unet_of_two_filters_overfits_two_patches(spacing):
    keras.utils.set_random_seed(0)
    sides = (8, 16, 12)[-len(spacing) :]
    labels = np.zeros((2, *sides), np.uint8)
    labels[0, ..., 2:9, 3:7] = 1
    labels[0, ..., 11:14, 2:10] = 1
    labels[1, ..., 4:12, 5:11] = 1
    noise = np.random.default_rng(0).normal(size=labels.shape)
    images = (labels + 0.2 * noise)[..., None].astype(np.float32)
    # One foreground class: with two, so few filters can give one of them up.
    model = build_unet(spacing=spacing, num_classes=2, filters=2, depth=1)
    model.compile(
        keras.optimizers.AdamW(0.02),
        DiceLoss(),
        metrics=[DiceCoefficient()],
        jit_compile=False,
    )
    options = schedule(1, None, 80, rate=0.02)

    TrainingLoop(model, ConstantSampler(images, labels), options).run(
        None, lambda: None, lambda _: None
    )

    metric = DiceCoefficient()
    metric.update_state(labels, model(images))
    assert float(metric.result()) > 0.9


class RecordingSampler(ConstantSampler):
    """Stands in for a sampler; its batches hold its name and the step."""

    def __init__(self, name):
        self.name = name

    def batch(self, step):
        return f"{self.name} {step}", None


@pytest.mark.parametrize(
    ("share", "progress", "expected"),
    [
        (0.5, None, ["small 0", "small 1", "small 2", "small 3", "whole 4", "whole 5"]),
        (0.4, None, ["small 0", "small 1", "small 2", "small 3", "whole 4", "whole 5"]),
        (0.0, None, [f"whole {step}" for step in range(6)]),
        (0.5, TrainingProgress(epoch=1, step=2), ["small 2", "small 3"]),
        (0.5, TrainingProgress(epoch=2, step=4), ["whole 4", "whole 5"]),
    ],
    ids=["half", "within an epoch", "none", "resumed", "resumed after the change"],
)
def test_first_part_of_the_training_is_on_small_patches(share, progress, expected):
    model, seen = CountingModel(), []
    step = model.train_on_batch

    def train_on_batch(images, labels, return_dict):
        seen.append(images)
        return step(images, labels, return_dict)

    model.train_on_batch = train_on_batch
    options = training_options(epochs=3, steps=2, learning_rate=RATE)
    loop = TrainingLoop(
        model,
        RecordingSampler("whole"),
        replace(options, small_patches=share),
        small=RecordingSampler("small"),
        progress=progress,
    )

    loop.run(None, lambda: None, lambda is_best: None)

    assert seen[: len(expected)] == expected


def test_ignored_voxels_do_not_count_in_the_dice_of_a_case():
    prediction = np.array([1, 1, 0, 2], np.uint8).reshape(1, 2, 2)
    reference = np.array([1, IGNORED, 2, 2], np.uint8).reshape(1, 2, 2)

    # Class 1: 2 * 1 / (1 + 1); class 2: 2 * 1 / (1 + 2).
    assert mean_dice(prediction, reference, 3) == pytest.approx((1 + 2 / 3) / 2)


def test_last_of_256_classes_is_not_ignored():
    classes = np.array([255, 0], np.uint8).reshape(1, 1, 2)

    assert mean_dice(classes, classes, 256) == 1
    # One of 255 classes is predicted where it is not.
    assert mean_dice(classes, 0 * classes, 256) == pytest.approx(254 / 255)
