import json
import subprocess
import sys
from pathlib import Path

import pytest
from support.small_runs import write_run

import compareRuns
from evaluation.score_file import read_scores

SCRIPT = Path(compareRuns.__file__)
# Six cases in three folds; UNet-3D is better in each.
FOLDS = [{"ann": 0.5, "ben": 0.625}, {"cid": 0.75, "dan": 0.5}, {"eve": 0.25, "fay": 0}]


@pytest.fixture
def folds(tmp_path):
    for fold, dice in enumerate(FOLDS):
        for model, more in (("unet2d", 0), ("unet3d", 0.25)):
            write_run(
                tmp_path / f"fold{fold}" / model,
                {case_id: value + more for case_id, value in dice.items()},
                model=model,
                fold=fold,
                history=True,
            )
    return [str(tmp_path / f"fold{fold}") for fold in range(3)]


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def test_folds_of_two_networks_give_a_page(folds, tmp_path, capsys):
    page = tmp_path / "new" / "page"

    code = compareRuns.main([*folds, "--output", str(page)])

    printed = capsys.readouterr().out
    assert code == 0
    names = ["cases.png", "comparison.json", "comparison.md", "report.html"]
    assert names_in(page) == names
    assert printed.startswith("Gathered from 3 runs of 3 folds: each case was tested")
    assert f"\nOpen {page / 'report.html'}: " in printed
    assert "UNet-3D is better by 0.250 Dice (95 % interval 0.250 to 0.250" in printed
    comparison = json.loads((page / "comparison.json").read_text())
    assert comparison["num_cases"] == 6
    assert comparison["metrics"][0]["difference"]["p_value"] == 2 / 64
    assert comparison["runs"]["UNet-2D"] == [f"{fold}/unet2d" for fold in folds]
    text = (page / "comparison.md").read_text()
    where = "Cube c.h5 (000000000000), on CPU unet2d and on CPU unet3d."
    assert text.startswith(f"# UNet-2D and UNet-3D\n\n{where}\n\nGathered from 3 runs")
    assert "](cases.png)" in text
    assert "](curves.png)" not in text


def test_one_network_s_folds_give_its_scores(folds, tmp_path, capsys):
    page = tmp_path / "page"

    runs = [f"{fold}/unet2d" for fold in folds[:2]]
    code = compareRuns.main([*runs, "--output", str(page)])

    assert code == 0
    names = ["cases.png", "report.html", "scores.csv", "summary.json", "summary.md"]
    assert names_in(page) == names
    assert "Gathered from 2 runs of 3 folds, without 2:" in capsys.readouterr().out
    assert [score.dice for score in read_scores(page / "scores.csv")] == (
        [0.5, 0.625, 0.75, 0.5]
    )
    summary = json.loads((page / "summary.json").read_text())
    assert summary["over_classes"]["metrics"]["dice"]["mean"] == 2.375 / 4
    assert summary["costs"]["training_minutes"] == 1


def test_settings_of_one_network_are_compared_by_against(tmp_path, capsys):
    for name, loss, dice in (("dice", "dice", 0.5), ("ce", "dice-ce", 0.75)):
        write_run(tmp_path / name, {"ann": dice, "ben": dice}, loss=loss, history=True)
    first, second, page = (str(tmp_path / name) for name in ("dice", "ce", "page"))

    code = compareRuns.main([first, "--against", second, "--output", page])

    assert code == 0
    assert "ce minus dice: +0.250 Dice" in capsys.readouterr().out
    assert "](curves.png)" in (tmp_path / "page" / "comparison.md").read_text()


def test_cases_of_one_source_alone_are_compared(folds, tmp_path, capsys):
    page = tmp_path / "page"
    given = [*folds, "--output", str(page), "--cases"]

    assert compareRuns.main([*given, "ann", "?e*"]) == 0

    comparison = json.loads((page / "comparison.json").read_text())
    assert [case["case_id"] for case in comparison["cases"]] == ["ann", "ben"]
    assert "\n\nOnly cases named ann or ?e*.\n" in capsys.readouterr().out


def test_pattern_that_matches_no_case_is_one_sentence(folds, tmp_path, capsys):
    page = tmp_path / "page"

    code = compareRuns.main([*folds, "--output", str(page), "--cases", "VB3_*"])

    assert (code, page.exists()) == (2, False)
    error = capsys.readouterr().err
    assert error.startswith("--cases must match a test case of the runs. Received: 'VB")
    assert error.count("\n") == 1


def test_page_needs_force_to_be_replaced_and_leaves_what_is_not_its_own(
    folds, tmp_path, capsys
):
    page = tmp_path / "page"
    given = [*folds, "--output", str(page)]
    assert compareRuns.main(given) == 0
    (page / "notes.txt").touch()
    (page / "summary.md").touch()

    assert compareRuns.main(given) == 2
    assert "must be empty. Use --force" in capsys.readouterr().err
    assert compareRuns.main([*given, "--force"]) == 0
    names = ["cases.png", "comparison.json", "comparison.md", "notes.txt"]
    assert names_in(page) == [*names, "report.html"]


def test_refused_call_leaves_the_earlier_page_whole(folds, tmp_path, capsys):
    page = tmp_path / "page"
    assert compareRuns.main([*folds, "--output", str(page)]) == 0
    before = {path: path.read_bytes() for path in page.iterdir()}
    (Path(folds[0]) / "unet2d" / "history.csv").write_text("damaged")

    for code, runs in (
        (1, [folds[0], folds[0]]),  # a case is tested twice
        (1, [folds[0], f"{folds[1]}/unet2d"]),  # of other folds
        (1, [f"{folds[0]}/unet2d"]),  # whose curve cannot be read
        (2, [str(tmp_path / "absent")]),  # no run
    ):
        assert compareRuns.main([*runs, "--output", str(page), "--force"]) == code
        assert {path: path.read_bytes() for path in page.iterdir()} == before
    assert capsys.readouterr().err.count("\n") == 4


def test_earlier_page_that_cannot_be_removed_is_reported(folds, tmp_path, capsys):
    (tmp_path / "page" / "summary.md").mkdir(parents=True)

    code = compareRuns.main([*folds, "--output", str(tmp_path / "page"), "--force"])

    assert code == 1
    assert "summary.md: could not be removed: Is a dir" in capsys.readouterr().err


def test_run_folder_is_never_written_to(folds, capsys):
    run = f"{folds[0]}/unet2d"

    assert compareRuns.main([*folds, "--output", run, "--force"]) == 2
    assert "must not be a run folder" in capsys.readouterr().err
    assert "comparison.json" not in names_in(Path(run))


def test_runs_that_do_not_compare_end_with_one(folds, tmp_path, capsys):
    code = compareRuns.main([folds[0], folds[0], "--output", str(tmp_path / "page")])

    assert code == 1
    assert "A side must test each case once. Received: 'ann'" in capsys.readouterr().err


def test_script_runs_by_itself(folds, tmp_path):
    found = subprocess.run(
        [sys.executable, str(SCRIPT), *folds, "--output", str(tmp_path / "page")],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )

    assert (found.returncode, found.stderr) == (0, "")
    assert "UNet-3D minus UNet-2D" in found.stdout
