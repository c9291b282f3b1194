import json

import pytest
from support.score_rows import MIXED
from support.vertebra_columns import NAMES, SPACING, column, score_column

from evaluation.score_file import read_scores, write_scores
from evaluation.scores import score_case
from evaluation.tables import format_summary, summarise
from volumes.geometry import Grid, affine_from


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


def test_summary_has_both_signed_and_absolute_volume_error():
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


def test_summary_has_a_row_per_vertebra_and_the_share_found():
    scores = score_column(column(1, 2, 0), column(1, 2, 3))

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
    assert "\nare less than 20 mm apart" in table


def test_classes_that_are_no_vertebrae_have_no_such_table_or_column(tmp_path):
    scores = score_case(
        column(1, 2),
        column(1, 2),
        grid=Grid((3, 4, 4), affine_from(SPACING)),
        class_names=NAMES,
        case_id="ann",
    )

    write_scores(tmp_path / "scores.csv", scores)
    summary = summarise(scores)

    assert "found" not in (tmp_path / "scores.csv").read_text()
    assert summary["vertebrae"] is None
    assert "found" not in summary["over_classes"]["metrics"]
    assert "Vertebra" not in format_summary(summary)
    assert read_scores(tmp_path / "scores.csv") == scores
