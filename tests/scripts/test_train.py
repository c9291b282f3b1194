import json
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import SimpleITK
import slicerio
from support import small_runs
from support.small_runs import CASES, TINY, call, names_in, read_rows

import train
from cube.reader import Cube
from models.model_file import load_model
from models.training_loop import TrainingLoop

SCRIPT = Path(train.__file__)


def test_prediction_lies_on_the_grid_of_its_scan(small_cube, small_run):
    path = small_run / "predictions" / "cid.seg.nrrd"

    found = SimpleITK.ReadImage(str(path))
    scan = SimpleITK.ReadImage(str(small_cube.parent / "cid.nrrd"))
    segments = slicerio.read_segmentation(str(path))["segments"]

    assert found.GetSize() == scan.GetSize()
    for name in ("GetOrigin", "GetSpacing", "GetDirection"):
        np.testing.assert_allclose(
            getattr(found, name)(), getattr(scan, name)(), atol=1e-6, err_msg=name
        )
    assert {each["name"]: each["labelValue"] for each in segments} == {
        "L1": 20,
        "L2": 21,
    }
    assert set(np.unique(SimpleITK.GetArrayFromImage(found))) <= {0, 20, 21}


def test_saved_network_knows_its_cube(small_run):
    _, metadata = load_model(small_run / "model.keras")

    assert metadata.model == "unet2d"
    assert metadata.spacing == (2.0, 2.0, 2.0)
    assert metadata.class_names == ("background", "L1", "L2")
    assert metadata.label_values == ((), (20,), (21,))
    assert metadata.architecture["filters"] == 2


def test_moved_scans_are_named_and_found_with_the_flag(
    small_cube, small_run, tmp_path, capsys
):
    (tmp_path / "study").mkdir()
    cube = shutil.copy(small_cube, tmp_path / "study" / "cube.h5")
    with h5py.File(cube, "r+") as file:  # nothing lies where it was built
        file.attrs["built_in"] = json.dumps(str(tmp_path / "gone"))
    weights = str(small_run / "model.keras")
    flags = ["--epochs", "0", "--weights", weights]

    assert call(cube, tmp_path / "refused", *flags) == 1
    assert call(cube, tmp_path / "none", *flags, "--scans", str(tmp_path)) == 1
    error = capsys.readouterr().err
    assert "image of case 'cid' must be a file that exists" in error
    assert f"study/cid.nrrd, which does not, nor is it below {tmp_path}" in error

    scans = str(small_cube.parent)
    assert call(cube, tmp_path / "run", *flags, "--scans", scans) == 0
    assert read_rows(tmp_path / "run" / "scores.csv") == read_rows(
        small_run / "scores.csv"
    )
    with pytest.raises(SystemExit, match="2"):
        call(cube, tmp_path / "wrong", "--scans", str(cube))
    assert "--scans must be a folder. Received: " in capsys.readouterr().err


def test_no_epochs_with_weights_only_tests(small_cube, small_run, tmp_path):
    weights = str(small_run / "model.keras")

    code = call(small_cube, tmp_path, "--epochs", "0", "--weights", weights)

    assert code == 0
    assert "history.csv" not in names_in(tmp_path)
    assert read_rows(tmp_path / "scores.csv") == read_rows(small_run / "scores.csv")


@pytest.mark.slow
def test_three_dimensional_network_trains_and_resumes(small_cube, tmp_path, capsys):
    flags = ["--steps", "1", "--batch-size", "1", *TINY[:4], "--dropout", "0.2"]
    assert call(small_cube, tmp_path, "--epochs", "1", *flags, model="unet3d") == 0

    resumed = ["--epochs", "2", "--resume", *flags]
    assert call(small_cube, tmp_path, *resumed, model="unet3d") == 0

    rows = read_rows(tmp_path / "history.csv")
    assert [(row["epoch"], row["step"]) for row in rows] == [("1", "1"), ("2", "2")]
    other = [*resumed, "--seed", "7"]
    capsys.readouterr()
    with pytest.raises(SystemExit, match="2"):
        call(small_cube, tmp_path, *other, model="unet3d")
    assert "--seed must be 0, as in" in capsys.readouterr().err


def test_out_of_memory_ends_with_one(small_cube, tmp_path, monkeypatch, capsys):
    def run(*_):
        raise MemoryError

    monkeypatch.setattr(TrainingLoop, "run", run)

    assert call(small_cube, tmp_path, "--epochs", "1", *TINY) == 1
    assert capsys.readouterr().err == (
        "Out of memory while training on batches of 2 patches of 1 x 16 x 16 voxels.\n"
    )


@pytest.fixture(scope="module")
def folded_cube(tmp_path_factory):
    """Four scans to train on, with a copy each."""
    folder = tmp_path_factory.mktemp("folded")
    return small_runs.write_cube(folder, dict.fromkeys(CASES, "train"))


@pytest.mark.slow
def test_fold_is_tested_and_no_copy_of_a_held_out_case_is_read(
    folded_cube, tmp_path, monkeypatch, capsys
):
    read = []
    found = Cube._read

    def spy(cube, name, row, box):
        read.append((cube.case_ids[row], cube.copies[row]))
        return found(cube, name, row, box)

    monkeypatch.setattr(Cube, "_read", spy)
    flags = ["--epochs", "2", *TINY, "--fold", "1", "--folds", "3"]

    assert call(folded_cube, tmp_path / "run", *flags) == 0

    splits = json.loads((tmp_path / "run" / "splits.json").read_text())
    members = {split: set() for split in ("train", "validation", "test")}
    for case in splits["cases"]:
        members[case["split"]].add(case["case_id"])
    assert sorted(map(len, members.values())) == [1, 1, 2]
    held_out = members["validation"] | members["test"]
    assert {copy for case_id, copy in read if case_id in held_out} == {0}
    assert {case_id for case_id, _ in read} <= members["train"] | members["validation"]
    # Of the training cases, the copies are read too.
    assert {copy for case_id, copy in read if case_id in members["train"]} == {0, 1}
    scores = read_rows(tmp_path / "run" / "scores.csv")
    assert {row["case_id"] for row in scores} == members["test"]
    assert "Fold 1 of 3, by subject\n  train       " in capsys.readouterr().out

    weights = ["--epochs", "0", "--weights", str(tmp_path / "run" / "model.keras")]
    other = ["--fold", "2", "--folds", "3"]
    assert call(folded_cube, tmp_path / "other", *weights, *other) == 2
    assert "must not have been trained or validated on" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        call(folded_cube, tmp_path / "run", *flags[:-3], *other[1:], "--resume")
    assert "--fold must be 1, as in" in capsys.readouterr().err


def test_more_folds_than_subjects_end_with_two(folded_cube, tmp_path, capsys):
    flags = ["--epochs", "1", *TINY, "--fold", "0"]

    assert call(folded_cube, tmp_path / "run", *flags) == 2
    assert "5 folds need at least as many subjects" in capsys.readouterr().err


def test_help_does_not_wait_for_tensorflow():
    code = "import train; train.parse_args(['c.h5', '--output', 'run'])"
    code += "; import sys; sys.exit('tensorflow' in sys.modules)"

    assert (
        subprocess.run([sys.executable, "-c", code], cwd=SCRIPT.parent).returncode == 0
    )


@pytest.mark.slow
def test_script_trains_both_and_leaves_the_terminal_clean(small_cube, tmp_path):
    run = tmp_path / "run"
    flags = ["--output", str(run), "--epochs", "1", *TINY]

    found = subprocess.run(
        [sys.executable, str(SCRIPT), str(small_cube), *flags],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )

    assert found.returncode == 0, found.stderr
    assert found.stderr == ""
    assert "UNet-3D minus UNet-2D" in found.stdout
    assert names_in(run) == [  # two test cases are too few for cases.png
        "comparison.json",
        "comparison.md",
        "curves.png",
        "report.html",
        "unet2d",
        "unet3d",
    ]
