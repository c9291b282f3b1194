from dataclasses import fields

import pytest
from support.score_rows import MIXED, score
from support.vertebra_columns import column, score_column

from evaluation.score_file import (
    ENSEMBLE_COLUMNS,
    KEPT_COLUMNS,
    VERTEBRA_COLUMNS,
    read_scores,
    write_scores,
)
from evaluation.scores import Score
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
    optional = VERTEBRA_COLUMNS + KEPT_COLUMNS + ENSEMBLE_COLUMNS
    assert header.split(",") == [name for name in names if name not in optional]
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


def test_scores_of_vertebrae_survive_the_file(tmp_path):
    scores = score_column(column(1, 2, 0), column(0, 2, 3))

    write_scores(tmp_path / "scores.csv", scores)

    assert read_scores(tmp_path / "scores.csv") == scores
    found = [score.found for score in scores]
    assert found == ["absent", "yes", "no", "absent", ""]


def test_scores_of_whole_predictions_survive_the_file(tmp_path):
    kept = score("a", 0.9, dice_all=0.6, hd95_all_mm=40.5, dropped_ml=12.0)
    empty = score("b", 1.0, empty="both", dice_all=1.0, dropped_ml=0.0)

    write_scores(tmp_path / "scores.csv", [kept, empty])

    assert read_scores(tmp_path / "scores.csv") == [kept, empty]
