from dataclasses import replace

import pytest
from support.vertebra_columns import column, score_column

from evaluation.vertebrae import check_shift, summarise_vertebrae


@pytest.mark.parametrize(
    ("predicted", "means", "better"),
    [
        ((1, 2, 3), (1, 0, 0), {}),
        # Everything named one level too high: move it down.
        ((0, 1, 2), (0, 1, 0), {"ann": "down"}),
        ((2, 3, 4), (0, 0, 1), {"ann": "up"}),
    ],
)
def test_shift_check_finds_labels_that_are_one_level_off(predicted, means, better):
    reference = {(1, 2, 3): (1, 2, 3), (0, 1, 2): (0, 2, 3), (2, 3, 4): (1, 2, 3)}

    shift = check_shift(
        each
        for each in score_column(column(*predicted), column(*reference[predicted]))
        if each.found
    )

    assert (shift["dice"], shift["moved_down"], shift["moved_up"]) == means
    assert shift["better_moved"] == better


def score_of_a_level(dice, dice_of_lower):
    (template,) = score_column(column(1), column(1))[:1]
    return replace(template, dice=dice, dice_of_upper=0.0, dice_of_lower=dice_of_lower)


@pytest.mark.parametrize(
    ("dice", "moved", "better"),
    [(0.5, 0.7, {"ann": "up"}), (0.5, 0.55, {}), (0.7, 0.7, {})],
)
def test_shift_check_takes_no_small_gain_for_a_shift(dice, moved, better):
    only = score_of_a_level(dice, dice_of_lower=moved)

    assert check_shift([only])["better_moved"] == better


def test_vertebrae_are_summarised_over_the_cases_that_hold_them():
    scores = score_column(column(1, 2, 0), column(1, 2, 3))
    scores += score_column(column(0, 2, 4), column(0, 2, 3), "ben")

    summary = summarise_vertebrae(scores)

    assert summary["levels"] == {
        "T12": {"num_cases": 1, "dice": 1, "found": 1, "invented": 0},
        "L1": {"num_cases": 2, "dice": 1, "found": 2, "invented": 0},
        "L2": {"num_cases": 2, "dice": 0, "found": 0, "invented": 0},
        "L3": {"num_cases": 0, "dice": None, "found": 0, "invented": 1},
    }
    # 3 of 5 are right; the disc is in neither and none of them.
    assert summary["over_levels"] == {
        "num_cases": 5,
        "dice": pytest.approx(0.6),
        "found": 3,
        "invented": 1,
    }
