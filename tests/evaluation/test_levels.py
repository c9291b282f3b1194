from dataclasses import asdict, replace

import numpy as np
import pytest

from evaluation.levels import count_pairs, find_centroids, score_levels
from evaluation.score_file import read_scores, write_scores
from evaluation.scores import score_case
from evaluation.tables import format_summary, summarise
from evaluation.vertebrae import check_shift, summarise_vertebrae

SPACING = (3.0, 2.0, 4.0)
# T12, L1, L2, L3 down a column of K, two voxels of 4 mm each; a disc beside them.
NAMES = ("background", "T12", "L1", "L2", "L3", "disc")
LEVELS = (1, 2, 3, 4)


def column(*classes):
    """Stack vertebrae of two voxels along K, shape (3, 4, 2 * len(classes))."""
    array = np.zeros((3, 4, 2 * len(classes)), np.uint8)
    array[1, 2] = np.repeat(classes, 2)
    return array


def score_of_a_level(dice, dice_of_lower):
    (template,) = score(column(1), column(1))[:1]
    return replace(template, dice=dice, dice_of_upper=0.0, dice_of_lower=dice_of_lower)


def judge(prediction, reference):
    return score_levels(
        prediction, reference, spacing=SPACING, levels=LEVELS, num_classes=len(NAMES)
    )


def score(prediction, reference, case_id="ann"):
    return score_case(
        prediction,
        reference,
        spacing=SPACING,
        class_names=NAMES,
        vertebrae=LEVELS,
        case_id=case_id,
        subject="subject",
    )


def test_pairs_of_classes_are_counted():
    prediction, reference = column(1, 2, 2), column(1, 1, 0)

    counts = count_pairs(prediction, reference, 4)

    # 2 voxels of 1 on 1, 2 of 2 on 1, 2 of 2 on background; 36 - 6 = 30... of 72.
    assert counts.sum() == 3 * 4 * 6
    assert (counts[1, 1], counts[2, 1], counts[2, 0], counts[0, 0]) == (2, 2, 2, 66)
    assert counts.shape == (4, 4)


def test_centroids_are_in_mm_and_only_of_what_is_there():
    centroids = find_centroids(column(0, 1, 3), LEVELS, SPACING)

    # Voxel 1 * 3 mm, 2 * 2 mm, and the middle of 2 and 3, of 4 and 5, * 4 mm.
    assert centroids.keys() == {1, 3}
    np.testing.assert_allclose(centroids[1], (3, 4, 10))
    np.testing.assert_allclose(centroids[3], (3, 4, 18))


def test_vertebra_in_its_place_is_found_and_one_in_its_neighbour_s_is_not():
    found = judge(column(1, 2, 0, 3), column(1, 2, 3, 4))

    assert [found[level]["found"] for level in LEVELS] == ["yes", "yes", "no", "no"]
    # L2 was put where L3 is, 8 mm too low: near enough, but L3 is nearer.
    assert [found[level]["centroid_error_mm"] for level in LEVELS] == [0, 0, 8, None]


@pytest.mark.parametrize(("gap", "found"), [(2, "yes"), (3, "no")])
def test_vertebra_is_found_up_to_20_mm(gap, found):
    # Moved by 2 or 3 vertebrae of 8 mm, with no other vertebra about: 16 or 24 mm.
    empty = [0] * gap

    judged = judge(column(*empty, 2), column(2, *empty))

    assert judged[2]["found"] == found
    assert judged[2]["centroid_error_mm"] == 8 * gap


def test_vertebra_exactly_20_mm_away_is_not_found():
    prediction, reference = np.zeros((2, 1, 1, 6), np.uint8)
    prediction[0, 0, 5] = reference[0, 0, 0] = 1  # 5 * 4 mm

    assert judge(prediction, reference)[1]["found"] == "no"


def test_level_that_the_reference_lacks_is_absent():
    judged = judge(column(1, 2), column(0, 2))

    assert judged[1] == {
        "found": "absent",
        "centroid_error_mm": None,
        "dice_of_upper": None,
        "dice_of_lower": None,
    }


def test_neighbours_are_the_levels_of_the_case_whichever_numbers_lie_between():
    # L1 is in neither: what was taken for T12 lies on L2, its next level here.
    judged = judge(column(0, 1, 3), column(0, 3, 4))

    # T12 on all of L2: 2 * 2 / (2 + 2). L2 on all of L3.
    assert (judged[3]["dice_of_upper"], judged[4]["dice_of_upper"]) == (1, 1)
    # Below L2 comes L3, of which nothing was predicted; below L3 comes nothing.
    assert (judged[3]["dice_of_lower"], judged[4]["dice_of_lower"]) == (0, 0)


@pytest.mark.parametrize(
    ("predicted", "means", "better"),
    [
        ((1, 2, 3), (1, 0, 0), {}),
        # Everything named one level too high: move it down.
        ((0, 1, 2), (0, 1, 0), {"ann": "down"}),
        ((2, 3, 4), (0, 0, 1), {"ann": "up"}),
    ],
)
def test_shift_check_tells_labels_that_are_one_level_off(predicted, means, better):
    reference = {(1, 2, 3): (1, 2, 3), (0, 1, 2): (0, 2, 3), (2, 3, 4): (1, 2, 3)}

    shift = check_shift(
        each
        for each in score(column(*predicted), column(*reference[predicted]))
        if each.found
    )

    assert (shift["dice"], shift["moved_down"], shift["moved_up"]) == means
    assert shift["better_moved"] == better


@pytest.mark.parametrize(
    ("dice", "moved", "better"),
    [(0.5, 0.7, {"ann": "up"}), (0.5, 0.55, {}), (0.7, 0.7, {})],
)
def test_shift_check_takes_no_small_gain_for_a_shift(dice, moved, better):
    only = score_of_a_level(dice, dice_of_lower=moved)

    assert check_shift([only])["better_moved"] == better


def test_vertebrae_are_summarised_over_the_cases_that_hold_them():
    scores = score(column(1, 2, 0), column(1, 2, 3))
    scores += score(column(0, 2, 4), column(0, 2, 3), "ben")

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


def test_summary_has_a_row_per_vertebra_and_the_share_found():
    scores = score(column(1, 2, 0), column(1, 2, 3))

    summary = summarise(scores)
    table = format_summary(summary)

    # T12 and L1 of three; L3 and the disc, in neither mask, count in Dice alone.
    metrics = summary["over_classes"]["metrics"]
    assert metrics["found"]["mean"] == pytest.approx(2 / 3)
    assert metrics["vertebra_dice"]["mean"] == pytest.approx(2 / 3)
    assert metrics["dice"]["mean"] == pytest.approx(4 / 5)
    rows = {line.split("  ")[0]: line.split() for line in table.splitlines()}
    assert rows["T12"] == ["T12", "1", "1.000", "1", "0"]
    assert rows["all"] == ["all", "3", "0.667", "2", "0"]
    assert "less\nthan 20 mm apart" in table


def test_classes_that_are_no_vertebrae_have_no_such_table_or_column(tmp_path):
    scores = score_case(
        column(1, 2), column(1, 2), spacing=SPACING, class_names=NAMES, case_id="ann"
    )

    write_scores(tmp_path / "scores.csv", scores)
    summary = summarise(scores)

    assert "found" not in (tmp_path / "scores.csv").read_text()
    assert summary["vertebrae"] is None
    assert "found" not in summary["over_classes"]["metrics"]
    assert "Vertebra" not in format_summary(summary)
    assert read_scores(tmp_path / "scores.csv") == scores


def test_scores_of_vertebrae_survive_the_file(tmp_path):
    scores = score(column(1, 2, 0), column(0, 2, 3))

    write_scores(tmp_path / "scores.csv", scores)

    assert read_scores(tmp_path / "scores.csv") == scores
    assert [asdict(each)["found"] for each in scores] == [
        "absent",
        "yes",
        "no",
        "absent",
        "",
    ]
