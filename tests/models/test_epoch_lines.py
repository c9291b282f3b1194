import math

import pytest

from models.epoch_lines import (
    describe_compiling,
    describe_epoch,
    describe_few_epochs,
    describe_resuming,
    steps_of,
)
from models.options import TrainingOptions

ROW = {
    "epoch": 7,
    "minutes": 1.3,
    "loss": 0.288,
    "dice": 0.804,
    "val_dice": 0.871,
    "waiting_share": 0.05,
}


def options(**limits):
    absent = dict.fromkeys(TrainingOptions.__dataclass_fields__)
    return TrainingOptions(**{**absent, **limits})


@pytest.mark.parametrize(
    ("changes", "limits", "is_best", "line"),
    [
        ({}, {"minutes": 3.5}, True,
         "epoch 7  1.3 of 3.5 min  loss .29  Dice .80  validation .87 (best)"),
        ({}, {"epochs": 20}, False,
         "epoch 7 of 20  1.3 min  loss .29  Dice .80  validation .87"),
        ({"val_dice": math.nan}, {"epochs": 20, "minutes": 60.0}, True,
         "epoch 7 of 20  1.3 of 60 min  loss .29  Dice .80"),
        ({"loss": 1.0, "dice": 0.0, "waiting_share": 0.06}, {"minutes": 3.5}, False,
         "epoch 7  1.3 of 3.5 min  loss 1.00  Dice .00  validation .87  waiting 6%"),
    ],
)  # fmt: skip
def test_epoch_is_one_line(changes, limits, is_best, line):
    assert describe_epoch(ROW | changes, options(**limits), is_best=is_best) == line


def test_steps_count_from_one_without_a_bar_in_a_file(capsys):
    assert list(steps_of(7, 3)) == [1, 2, 3]
    assert capsys.readouterr() == ("", "")


def test_compiling_says_for_what():
    assert describe_compiling(6, (1, 128, 96)) == (
        "compiling the training step for batches of 6 patches of 128 x 96 voxels"
    )
    assert describe_compiling(1, (48, 96, 64)) == (
        "compiling the training step for batches of 1 patch of 48 x 96 x 64 voxels"
    )


@pytest.mark.parametrize(
    ("limits", "budget"),
    [
        ({"minutes": 2.5}, "2.5 min in all; 1.2 used"),
        ({"epochs": 9}, "9 epochs in all; 4 done"),
        ({"epochs": 9, "minutes": 2.0}, "9 epochs in all; 4 done, 2 min in all; "
         "1.2 used"),
    ],
)  # fmt: skip
def test_resuming_says_the_budget_and_what_is_used(limits, budget):
    assert describe_resuming(4, 72.0, options(**limits)) == (
        f"resuming after epoch 4: budget now {budget}"
    )


@pytest.mark.parametrize(
    ("num_epochs", "limits", "is_told"),
    [(1, {"minutes": 1.5}, True), (4, {"minutes": 1.5}, False), (1, {}, False)],
)
def test_too_few_epochs_for_the_minutes_are_told(num_epochs, limits, is_told):
    told = describe_few_epochs(num_epochs, options(**limits))

    assert bool(told) == is_told
    if told:
        assert told.startswith("only 1 epoch fitted into 1.5 min, so the network has")
        resumed = describe_few_epochs(num_epochs, options(**limits, resume=True))
        assert "into 1.5 min, those before --resume included, so the" in resumed
