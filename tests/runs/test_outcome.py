from pathlib import Path

import pytest

from runs.outcome import list_outcome, shorten_warnings


def touch(folder, *names):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_text("")


@pytest.fixture
def in_folder(tmp_path, monkeypatch):
    """The folder, from which the paths of a run are short."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_files_of_a_network_are_listed_with_what_they_are_for(in_folder):
    files = ("config.json", "report.html", "summary.md", "model.keras", "history.csv")
    touch(in_folder / "run", *files)
    (in_folder / "run" / "overlays").mkdir()

    assert list_outcome(Path("run")).splitlines() == [
        "run/report.html  open this first: every case with pictures, curves, costs",
        "run/summary.md   tables of the scores of each class",
        "run/overlays     pictures of the test cases",
        "run/model.keras  for predict.py --model run",
    ]


@pytest.mark.usefixtures("in_folder")
def test_files_of_both_networks_take_at_most_eight_lines():
    run = Path("run")
    touch(run, "report.html", "comparison.md")
    for model in ("unet2d", "unet3d"):
        touch(run / model, "config.json", "report.html", "summary.md", "model.keras")
        (run / model / "overlays").mkdir()

    lines = list_outcome(run).splitlines()

    assert [line.split()[0] for line in lines] == [
        "run/report.html",
        "run/comparison.md",
        "run/unet2d/overlays",
        "run/unet2d/model.keras",
        "run/unet3d/overlays",
        "run/unet3d/model.keras",
    ]
    assert lines[-1] == "run/unet3d/model.keras  for predict.py --model run/unet3d"
    assert lines[2].endswith("pictures of the test cases of UNet-2D")


def test_files_that_a_run_did_not_write_are_left_out(in_folder):
    touch(in_folder / "run", "config.json")

    assert list_outcome(in_folder / "run") == ""


def test_warnings_are_shortened_to_three_and_counted():
    warnings, path = [f"case{number}: odd" for number in range(5)], Path("run/x.md")

    assert shorten_warnings(warnings[:1], path) == "Warning: case0: odd."
    assert len(shorten_warnings(warnings[:3], path).splitlines()) == 3
    assert shorten_warnings(warnings, path).splitlines()[2:] == [
        "Warning: case2: odd.",
        "And 2 more warnings: see run/x.md",
    ]
