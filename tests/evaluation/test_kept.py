import numpy as np
import pytest
from support.score_rows import score

from evaluation.kept import describe_kept, score_kept, summarise_kept
from system.text import format_parts
from volumes.geometry import Grid, affine_from

# Voxels of 0.5 ml.
CASE = {
    "grid": Grid((2, 3, 4), affine_from((5.0, 10.0, 10.0))),
    "class_names": ("background", "spine"),
    "case_id": "a",
}


def maps():
    reference = np.zeros((2, 3, 4), np.uint8)
    reference[0, 0, :3] = 1
    prediction = reference.copy()
    prediction[1, 2, :] = 1  # four voxels elsewhere
    return reference, prediction


def test_scores_are_of_what_was_kept_beside_those_of_all():
    reference, prediction = maps()

    (found,) = score_kept(reference, prediction, reference, **CASE)

    assert found.dice == 1
    assert found.dice_all == pytest.approx(2 * 3 / (3 + 7))
    assert found.dropped_ml == pytest.approx(4 * 0.5)
    assert found.hd95_mm == 0
    assert found.hd95_all_mm > 10


def test_nothing_dropped_has_the_same_scores_twice():
    reference, prediction = maps()

    (found,) = score_kept(prediction, prediction, reference, **CASE)

    assert (found.dice_all, found.hd95_all_mm) == (found.dice, found.hd95_mm)
    assert found.dropped_ml == 0


def test_predictions_of_which_all_is_kept_have_no_further_scores():
    reference, prediction = maps()

    (found,) = score_kept(prediction, None, reference, **CASE)

    assert (found.dice_all, found.hd95_all_mm, found.dropped_ml) == (None,) * 3
    assert summarise_kept([found]) is None
    assert describe_kept({"": None}) == []


def test_means_are_over_classes_then_cases():
    scores = [
        score("a", 0.8, "L1", dice_all=0.4, hd95_all_mm=30.0, dropped_ml=2.0),
        score("a", 1.0, "L2", empty="both", dice_all=0.2, dropped_ml=4.0),
        score("b", 0.5, "L1", dice_all=0.5, hd95_all_mm=10.0, dropped_ml=0.0),
    ]

    summary = summarise_kept(scores)

    # .9 and .5; .3 and .5; 1.5 and 1.5; 30 and 10; 6 and 0.
    assert summary == {
        "dice_kept": pytest.approx(0.7),
        "dice_all": pytest.approx(0.4),
        "hd95_kept_mm": pytest.approx(1.5),
        "hd95_all_mm": pytest.approx(20.0),
        "dropped_ml": pytest.approx(3.0),
    }
    tables = describe_kept({"UNet-2D": summary, "UNet-3D": None})
    table = format_parts(tables, markdown=True)
    cells = [cell.strip() for cell in table.splitlines()[-1].split("|")[1:-1]]
    assert cells == ["UNet-2D", "0.400 -> 0.700", "20.00 -> 1.50", "3.0"]
    assert "UNet-3D" not in table
