import re
from dataclasses import replace

import pytest
from PIL import Image
from support.report_runs import HOSTILE, write_runs
from support.small_runs import write_run

from evaluation.score_file import read_scores, write_scores
from evaluation.tables import summarise
from runs.comparing import compare_runs
from runs.folder import read_json, write_json
from runs.gathering import read_runs
from runs.report import report_run


def page_of(folder):
    return (folder / "report.html").read_text(encoding="utf-8")


def test_comparison_shows_verdict_facts_cases_and_costs(tmp_path):
    write_runs(tmp_path)
    config = read_json(tmp_path / "unet3d" / "config.json")
    config |= {
        "untrained_classes": ["L5"],
        "commit": "abc",
        "cube_arguments": {"side": 9},
    }
    write_json(tmp_path / "unet3d" / "config.json", config)

    compare_runs([tmp_path], tmp_path)

    page = page_of(tmp_path)
    assert (
        '<p class="lead">Too few cases to compare: 4 cases, and a <span>p-value' in page
    )
    assert "UNet-2D: none\nUNet-3D: L5" in page
    assert "UNet-3D: abc" in page
    assert "UNet-3D: <span>--side</span> 9" in page
    assert "Absent in both masks: Dice and IoU are 1" in page
    assert '<th scope="row">Training (minutes)</th><td>1.0</td><td>1.0</td>' in page
    assert "<td>0.500</td><td>0.600</td><td>+0.100</td>" in page
    # The overlays lie in the folder, so nothing is copied.
    assert 'src="unet3d/overlays/50___of__1.png"' in page
    assert not (tmp_path / "report_pictures").exists()


def test_pictures_of_runs_in_another_folder_are_copied_and_removed_again(tmp_path):
    runs = write_runs(tmp_path / "runs")

    compare_runs(runs, tmp_path / "page")

    pictures = tmp_path / "page" / "report_pictures"
    assert len(list(pictures.rglob("*.png"))) == 2 * len(HOSTILE)
    assert 'src="report_pictures/UNet-2D/50___of__1.png"' in page_of(tmp_path / "page")
    compare_runs(runs[:1], tmp_path / "page", cases=["a&b"], force=True)
    assert [path.name for path in pictures.rglob("*.png")] == ["a_b.png"]


def test_copied_pictures_of_two_sides_are_kept_apart(tmp_path):
    runs = []
    for name, shade in (("dice/ce", 50), ("dice_ce", 150)):
        write_run(run := tmp_path / "runs" / name, {"architecture": 0.5})
        (run / "overlays").mkdir()
        paths = run / "overlays" / "architecture.png", run / "architecture.png"
        for number, path in enumerate(paths):
            Image.new("L", (9, 9), shade + number).save(path)
        runs.append(run)

    compare_runs(runs[:1], tmp_path / "page", runs[1:])

    page = page_of(tmp_path / "page")
    shades = [
        Image.open(tmp_path / "page" / source).getpixel((0, 0))
        for source in re.findall('src="(report_pictures/[^"]+)"', page)
    ]
    assert shades == [50, 150, 51, 151]


def test_warnings_of_the_test_are_shown(tmp_path):
    (run,) = write_runs(tmp_path, "unet2d")
    report_run(run, "UNet-2D", summarise(read_scores(run / "scores.csv")))
    assert "Warnings" not in page_of(run)
    warnings = {"warnings": ["ann: all of the prediction was kept"]}
    write_json(run / "summary.json", read_json(run / "summary.json") | warnings)

    report_run(run, "UNet-2D", summarise(read_scores(run / "scores.csv")))

    assert "ann: all of the prediction was kept." in page_of(run)


def test_one_run_has_its_mean_dice_as_verdict_and_its_worst_case_first(tmp_path):
    (run,) = write_runs(tmp_path, "unet2d")

    report_run(run, "UNet-2D", summarise(read_runs([run])[0].scores))

    page = page_of(run)
    # (.5 + .75 + .25 + .9) / 4
    assert "<span>UNet-2D</span> reaches a mean Dice of 0.600 over 4 cases." in page
    assert (
        page.index('id="case-0">') < page.index("Dice 0.250") < page.index("Dice 0.9")
    )
    assert (run / "cases.png").is_file()


def test_run_that_was_not_tested_names_its_best_validation(tmp_path):
    write_run(tmp_path / "run", {}, history=True)

    report_run(tmp_path / "run", "UNet-2D", {})

    page = page_of(tmp_path / "run")
    assert "no test case; best validation Dice 0.500 of <span>UNet-2D</span>." in page
    assert "Every test case" not in page


def test_network_from_elsewhere_is_said_to_be_only_tested(tmp_path):
    run = tmp_path / "run"
    write_run(run, {"ann": 0.5}, weights="other/model.keras", epochs=0)

    compare_runs([run], tmp_path / "page")

    page = page_of(tmp_path / "page")
    assert "trained elsewhere, only tested here: other/model.keras" in page
    assert "There is no picture of this prediction." in page


def test_folds_are_listed_in_a_table_of_runs(tmp_path):
    folders = [tmp_path / "fold0", tmp_path / "fold1"]
    for fold, (folder, name) in enumerate(zip(folders, ["ann", "ben"], strict=True)):
        write_run(folder, {name: 0.5}, fold=fold)

    compare_runs(folders, tmp_path / "page")

    page = page_of(tmp_path / "page")
    assert "2 cases, tested in 2 runs of 3 folds" in page
    row = f'<th scope="row">{folders[1]}</th><td>UNet-2D</td><td>1</td><td>1</td>'
    assert row in page


def test_alternative_texts_name_only_what_is_drawn(tmp_path):
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder, more in zip(folders, ({}, {"weights": ["x"]}), strict=True):
        dice = {f"case{number}": 0.5 for number in range(61)}
        write_run(folder, dice, history=not more, **more)

    compare_runs(folders[:1], tmp_path / "page", folders[1:])

    page = page_of(tmp_path / "page")
    assert 'alt="Dice, loss and learning rate of a over the training"' in page
    assert 'alt="Dice, HD95 and NSD of the 60 worst of 61 test cases: a point' in page


@pytest.mark.parametrize("matched", [None, {"ann": 2}])
def test_instances_have_a_section_where_there_are_any(matched, tmp_path):
    write_run(tmp_path / "run", {"ann": 0.5}, matched=matched)

    compare_runs([tmp_path / "run"], tmp_path / "page")

    assert ("Instances" in page_of(tmp_path / "page")) == bool(matched)


def test_classes_of_a_case_are_named_by_the_lowest(tmp_path):
    write_run(tmp_path / "run", {"ann": 0.5})
    (score,) = read_scores(tmp_path / "run" / "scores.csv")
    scores = [score, replace(score, class_name="disc", dice=0.25)]
    write_scores(tmp_path / "run" / "scores.csv", scores)

    compare_runs([tmp_path / "run"], tmp_path / "page")

    page = page_of(tmp_path / "page")
    assert '<th scope="col">Lowest class</th>' in page
    assert "<td>0.250 disc</td>" in page
