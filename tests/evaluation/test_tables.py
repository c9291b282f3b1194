"""Scores in a file, their summary, and how figures and tables are laid out."""

import json
from dataclasses import fields

import pytest
from support.score_rows import MIXED, score

from evaluation.metrics import METRICS, values_by_case
from evaluation.score_file import VERTEBRA_COLUMNS, read_scores, write_scores
from evaluation.scores import Score
from evaluation.tables import format_summary, summarise
from system.errors import DataError


def test_scores_survive_the_file_exactly(tmp_path):
    awkward = [
        score('of "him", too', 1 / 3, hd95_mm=0.1 + 0.2, volume_error_ml=-1e-17),
        score("ß 2", 2 / 3, "disc, upper\nhalf", empty="reference"),
        score("c", 1.0, empty="both"),
    ]

    write_scores(tmp_path / "scores.csv", awkward)

    assert read_scores(tmp_path / "scores.csv") == awkward


def test_scores_file_has_a_row_per_case_and_class_and_empty_cells(tmp_path):
    write_scores(tmp_path / "scores.csv", MIXED[:2])

    header, _, second = (tmp_path / "scores.csv").read_text().splitlines()
    names = [field.name for field in fields(Score)]
    assert header.split(",") == names[: -len(VERTEBRA_COLUMNS)]
    assert second == "a,subject a,disc,1.0,1.0,,,,,3.0,4.0,0.0,both"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("dice", "overlap", r"must have the columns.*no dice"),
        ("0.8", "good", r"line 2: .*'good'"),
        ("0.8", "nan", r"line 2: .*dice=nan"),
        (",both", "", r"line 3: .*empty=None"),
        (",both", ",neither", r"line 3: .*'neither'"),
        ("a,disc", "a,vertebra", r"line 3: .*'a', 'vertebra' again"),
    ],
)
def test_malformed_scores_file_is_refused(tmp_path, old, new, message):
    path = tmp_path / "scores.csv"
    write_scores(path, MIXED[:2])
    path.write_text(path.read_text().replace(old, new))

    with pytest.raises(DataError, match=message):
        read_scores(path)


def test_missing_scores_file_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"scores\.csv could not be read: No such"):
        read_scores(tmp_path / "scores.csv")


def test_summary_averages_classes_within_a_case_first():
    summary = summarise(MIXED)

    # Cases: (0.8 + 1) / 2, 0.6 / 2, 0.1 / 2 -> 0.9, 0.3, 0.05.
    dice = summary["over_classes"]["metrics"]["dice"]
    assert dice["mean"] == pytest.approx(1.25 / 3, rel=1e-12)
    assert dice["median"] == pytest.approx(0.3, rel=1e-12)
    assert dice["num_values"] == 3
    # Class in neither mask left out: 2, (4 + 100) / 2, (9 + 50) / 2.
    hausdorff = summary["over_classes"]["metrics"]["hd95_mm"]
    assert hausdorff["mean"] == pytest.approx((2 + 52 + 29.5) / 3, rel=1e-12)


def test_summary_counts_empty_masks_and_keeps_them():
    disc = summarise(MIXED)["classes"]["disc"]

    assert disc["num_cases"] == 3
    assert disc["both_empty"] == 1
    assert disc["prediction_empty"] == 1
    assert disc["reference_empty"] == 1
    assert disc["one_empty"] == 2
    assert disc["metrics"]["dice"]["mean"] == pytest.approx(1 / 3, rel=1e-12)
    assert disc["metrics"]["hd95_mm"]["mean"] == 75
    assert disc["metrics"]["hd95_mm"]["num_values"] == 2


def test_summary_tells_the_bias_of_the_volume_from_its_size():
    metrics = summarise(MIXED)["classes"]["vertebra"]["metrics"]

    # +3, -1, -1 ml.
    assert metrics["volume_error_ml"]["mean"] == pytest.approx(1 / 3, rel=1e-12)
    absolute = metrics["absolute_volume_error_ml"]["mean"]
    assert absolute == pytest.approx(5 / 3, rel=1e-12)


@pytest.mark.parametrize("scores", [MIXED, MIXED[:1], MIXED[1:2], []])
def test_summary_and_its_table_hold_for_every_number_of_cases(scores):
    summary = summarise(scores, seed=7)

    assert json.loads(json.dumps(summary, allow_nan=False)) == summary
    assert "Absent in both masks: Dice and IoU are 1" in format_summary(summary)


def test_summary_table_lines_up_its_figures():
    table = format_summary(summarise(MIXED)).splitlines()

    assert table[0].startswith("Mean per class  Cases   Dice")
    assert table[0].endswith("False negatives  False positives  Absent in both")
    assert table[3].split()[:3] == ["disc", "3", "0.333"]
    assert table[3].split()[-3:] == ["1", "1", "1"]
    assert len(table[2]) == len(table[3]) == len(table[0])


def test_case_without_an_applicable_class_is_left_out():
    dice, hausdorff = METRICS[0], METRICS[2]

    assert values_by_case(MIXED[1:2], dice) == {"a": 1.0}
    assert values_by_case(MIXED[1:2], hausdorff) == {}
