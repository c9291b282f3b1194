import pytest
from support.small_runs import write_run

from evaluation.score_file import read_instances
from runs.comparing import compare_runs
from runs.folder import read_json, write_json
from system.errors import DataError

MODELS = ("unet2d", "unet3d")


def test_two_runs_are_compared_case_by_case(tmp_path):
    runs = [tmp_path / model for model in MODELS]
    for run, model, dice, minutes in (
        (runs[0], "unet2d", {"ann": 0.5, "ben": 0.7}, 2.0),
        (runs[1], "unet3d", {"ben": 0.9, "ann": 0.8}, 3.0),
    ):
        costs = {"training_minutes": minutes}
        write_run(run, dice, model=model, costs=costs, history=True)

    table = compare_runs(runs, tmp_path).text

    comparison = read_json(tmp_path / "comparison.json")
    assert comparison["names"] == ["UNet-2D", "UNet-3D"]
    # Means .6 and .85; 3D minus 2D: .3 and .2.
    dice = comparison["metrics"][0]
    assert dice["networks"]["UNet-2D"]["mean"] == pytest.approx(0.6)
    assert dice["difference"]["mean"] == pytest.approx(0.25)
    (minutes,) = (e for e in comparison["costs"] if e["key"] == "training_minutes")
    assert minutes["networks"] == {"UNet-2D": 2.0, "UNet-3D": 3.0}
    assert table.startswith("Too few cases to compare: 2 cases, and a p-value")
    page = (tmp_path / "comparison.md").read_text()
    assert "| Dice" in page
    assert "](curves.png)" in page
    assert (tmp_path / "curves.png").stat().st_size > 1000


def test_instances_are_compared_where_both_runs_have_them(tmp_path):
    runs = [tmp_path / model for model in MODELS]
    for run, matched in zip(runs, ({"ann": 2, "ben": 4}, {"ben": 3}), strict=True):
        write_run(run, {"ann": 0.5, "ben": 0.7}, model=run.name, matched=matched)

    compare_runs(runs, tmp_path)

    comparison = read_json(tmp_path / "comparison.json")
    (recall,) = (e for e in comparison["metrics"] if e["key"] == "instance_recall")
    # Of four vertebrae of ben, 4 and 3.
    assert recall["difference"]["mean"] == -0.25
    assert recall["difference"]["num_cases"] == 1
    assert "| Instance recall" in (tmp_path / "comparison.md").read_text()


def test_instances_of_folds_are_gathered(tmp_path):
    for fold, name in enumerate(["ann", "ben"]):
        run = tmp_path / f"fold{fold}"
        write_run(run, {name: 0.5}, fold=fold, matched={name: fold + 2})
    write_run(tmp_path / "earlier", {"cid": 0.5}, fold=2)  # without instances

    compare_runs([tmp_path / n for n in ("fold0", "fold1", "earlier")], tmp_path / "a")

    scores = read_instances(tmp_path / "a" / "scores.csv")
    assert [(s.case_id, s.num_matched) for s in scores] == [("ann", 2), ("ben", 3)]
    assert read_json(tmp_path / "a" / "summary.json")["instances"]["num_matched"] == 5


def test_runs_without_history_are_compared_without_curves(tmp_path):
    runs = [tmp_path / model for model in MODELS]
    for run in runs:
        write_run(run, {"ann": 0.5, "ben": 0.7}, model=run.name)

    compare_runs(runs, tmp_path)

    assert not (tmp_path / "curves.png").exists()


def test_runs_without_a_test_case_leave_nothing_to_compare(tmp_path):
    runs = [tmp_path / model for model in MODELS]
    for run in runs:
        write_run(run, {}, model=run.name, history=True)

    assert "nothing to compare" in compare_runs(runs, tmp_path).text
    assert (tmp_path / "curves.png").exists()


def test_runs_over_other_cases_are_not_compared(tmp_path):
    runs = [tmp_path / model for model in MODELS]
    write_run(runs[0], {"ann": 0.5, "ben": 0.7}, model="unet2d")
    write_run(runs[1], {"ann": 0.5, "cid": 0.7}, model="unet3d")

    with pytest.raises(DataError, match="only in UNet-2D: ben; only in UNet-3D: cid"):
        compare_runs(runs, tmp_path)


def test_class_that_a_run_could_not_learn_is_named_on_the_page(tmp_path):
    runs = [tmp_path / model for model in MODELS]
    for run in runs:
        write_run(run, {"ann": 0.5, "ben": 0.7}, model=run.name)
    config = read_json(runs[1] / "config.json")
    write_json(runs[1] / "config.json", {**config, "untrained_classes": ["L5"]})

    text = compare_runs(runs, tmp_path).text

    sentence = f"No training scan of {runs[1]} held class L5."
    assert text.startswith(sentence)
    assert sentence in (tmp_path / "comparison.md").read_text()
