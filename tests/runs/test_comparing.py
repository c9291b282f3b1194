import pytest
from support.small_runs import write_run

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

    table = compare_runs(runs, tmp_path)

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

    assert "nothing to compare" in compare_runs(runs, tmp_path)
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

    text = compare_runs(runs, tmp_path)

    sentence = f"No training scan of {runs[1]} held class L5."
    assert text.startswith(sentence)
    assert sentence in (tmp_path / "comparison.md").read_text()
