import csv
import math
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from support.small_runs import training_options

from evaluation.curves import read_history
from models import epoch_record, training_loop
from models.process_group import ProcessGroup
from models.training_loop import (
    HISTORY_COLUMNS,
    TrainingLoop,
    TrainingProgress,
    learning_rate_at,
    write_history,
)
from system.errors import DataError

RATE = 0.01


class CountingStep:
    """Stands in for the training step; the weight of its model grows by one a step."""

    skips, group = False, ProcessGroup()

    def __init__(self, weight=0.0, clock=None):
        self.weight, self.clock, self.rates = weight, clock, []
        self.average, self.has_average, self.losses = self, False, None

    def __call__(self, images, labels, *, rate, batch_size, seconds):
        self.rates.append(rate)
        self.weight += 1
        if self.clock:
            self.clock.now += 10
        loss = next(self.losses) if self.losses else self.weight
        return tf.constant([loss, 0.5, 1.0, seconds])

    @contextmanager
    def swapped_in(self):
        self.has_average = True
        yield
        self.has_average = False


class ConstantSampler:
    """Stands in for a sampler; its batches are empty."""

    batch_size, patch_size = 2, (1, 8, 8)

    def batch(self, step):
        return None, None


def schedule(epochs, minutes, steps, **changed):
    return training_options(
        epochs=epochs, minutes=minutes, steps=steps, learning_rate=RATE, **changed
    )


def train(step, options, scores=None, **resumed):
    """Train to the end; return the loop and whether each epoch was the best."""
    is_best = []
    found = TrainingLoop(step, ConstantSampler(), options, **resumed)
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
    step = CountingStep()

    train(step, schedule(2, None, 4))

    expected = [learning_rate_at(step / 8, RATE) for step in range(8)]
    assert step.rates == pytest.approx(expected, rel=1e-9)


def test_loss_that_is_not_finite_ends_the_training():
    with pytest.raises(DataError, match=r"finite. Received: nan in epoch 1.*than 0.01"):
        train(CountingStep(np.nan), schedule(2, None, 3))


def test_peak_memory_of_an_earlier_run_is_kept():
    before = TrainingProgress(peak_mib=1e9)

    grown, _ = train(CountingStep(), schedule(1, None, 1))
    kept, _ = train(CountingStep(), schedule(1, None, 1), progress=before)

    assert 0 < grown.progress.peak_mib < 1e6
    assert kept.progress.peak_mib == 1e9


def test_training_stops_when_patience_runs_out():
    found, is_best = train(
        CountingStep(),
        schedule(9, None, 1, patience=2),
        [0.5, 0.6, 0.6, 0.55, 0.9],
    )

    assert is_best == [True, True, False, False]
    assert (found.progress.best, found.progress.best_epoch) == (0.6, 2)
    assert [row["val_dice"] for row in found.progress.history] == [0.5, 0.6, 0.6, 0.55]


def test_first_epoch_is_best_even_with_a_dice_of_zero():
    assert train(CountingStep(), schedule(2, None, 1), [0.0, 0.0])[1] == [
        True,
        False,
    ]


def test_without_validation_the_latest_weights_are_best_and_patience_waits():
    found, is_best = train(CountingStep(), schedule(3, None, 1, patience=1))

    assert is_best == [True, True, True]
    assert all(math.isnan(row["val_dice"]) for row in found.progress.history)


def test_training_stops_within_an_epoch_when_the_minutes_are_up(monkeypatch):
    clock = SimpleNamespace(now=100.0)
    clock.perf_counter = lambda: clock.now
    for module in (training_loop, epoch_record):
        monkeypatch.setattr(module, "time", clock)

    # A step takes 10 s, and sends when it began. That is read when the next one has
    # begun: of step 7, which began after 60 s, during step 8.
    found, _ = train(CountingStep(clock=clock), schedule(None, 1.0, 20))

    assert [row["step"] for row in found.progress.history] == [8]
    assert [row["minutes"] for row in found.progress.history] == [8 / 6]
    assert found.progress.history[0]["seconds_per_step"] == 10
    rates = [learning_rate_at(step / 6, RATE) for step in (0, 0, 0, 1, 2, 3, 4, 5)]
    assert found.step.rates == pytest.approx(rates, rel=1e-9)


def test_resumed_training_counts_the_minutes_used_before(monkeypatch):
    clock = SimpleNamespace(now=100.0)
    clock.perf_counter = lambda: clock.now
    for module in (training_loop, epoch_record):
        monkeypatch.setattr(module, "time", clock)
    history = [dict.fromkeys(HISTORY_COLUMNS, 0.0)]
    before = TrainingProgress(
        epoch=1, step=4, seconds=40.0, best_epoch=1, history=history
    )

    # A step takes 10 s: 2 more in the minute, and 2 before that is known.
    found, _ = train(
        CountingStep(clock=clock),
        schedule(None, 1.0, 20),
        progress=before,
    )

    assert (found.progress.step, found.progress.seconds) == (8, 80)
    rates = [learning_rate_at(step / 6, RATE) for step in (4, 4, 4, 5)]
    assert found.step.rates == pytest.approx(rates, rel=1e-9)


@pytest.mark.parametrize(("best_epoch", "is_best"), [(2, True), (1, False)])
def test_resumed_training_first_publishes_its_last_epoch(best_epoch, is_best):
    events = []
    before = TrainingProgress(epoch=2, step=2, best=0.9, best_epoch=best_epoch)

    TrainingLoop(
        CountingStep(),
        ConstantSampler(),
        schedule(3, None, 1),
        progress=before,
    ).run(lambda: 0.5, lambda: events.append("checkpoint"), events.append)

    assert events == [is_best, "checkpoint", False]


def test_epochs_and_minutes_bound_the_training_together():
    assert TrainingProgress(step=6, seconds=30).share(schedule(3, 2.0, 4)) == 0.5
    assert TrainingProgress(step=1, seconds=90).share(schedule(3, 2.0, 4)) == 0.75
    assert TrainingProgress(step=99, seconds=0).share(schedule(3, 2.0, 4)) == 1.0


def test_validation_and_publication_use_the_average_and_the_checkpoint_the_weights():
    step, used = CountingStep(), []

    def record(*_):
        used.append(step.has_average)
        return 0.5

    loop = TrainingLoop(step, ConstantSampler(), schedule(1, None, 2))
    loop.run(record, record, record)

    assert used == [True, False, True]


def test_losses_of_skipped_steps_are_left_out_but_not_all_of_them():
    step = CountingStep()
    step.skips = True
    step.losses = iter([math.inf, 2.0, math.nan, 4.0, math.nan, math.inf])

    found, _ = train(step, schedule(1, None, 4))

    assert found.progress.history[0]["loss"] == 3
    with pytest.raises(DataError, match=r"must stay finite\. Received: nan"):
        train(step, schedule(1, None, 2))


def test_history_has_its_columns_and_an_empty_cell_for_nan(tmp_path):
    found, _ = train(CountingStep(), schedule(2, None, 3))

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
    seen = []

    class RecordingStep(CountingStep):
        def __call__(self, images, labels, **inputs):
            seen.append(images)
            return super().__call__(images, labels, **inputs)

    options = training_options(epochs=3, steps=2, learning_rate=RATE)
    loop = TrainingLoop(
        RecordingStep(),
        RecordingSampler("whole"),
        replace(options, small_patches=share),
        small=RecordingSampler("small"),
        progress=progress,
    )

    loop.run(None, lambda: None, lambda is_best: None)

    assert seen[: len(expected)] == expected
