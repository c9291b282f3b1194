import os
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK
from support.places import ROOT
from support.small_runs import names_in, read_rows, write_scan

import predict
from models.ensemble import Prediction
from runs.label_table import LabelTable
from volumes.formats.files import read_label_map
from volumes.scan_names import name_of

SCRIPT = Path(predict.__file__)


@pytest.fixture
def model(small_run):
    return str(small_run / "model.keras")


@pytest.fixture
def scan(tmp_path):
    return write_scan(tmp_path, "eve", seed=9)[0]


def as_nifti(scan):
    """Write the same scan as NIfTI, by another program."""
    path = scan.with_name("fay.nii.gz")
    SimpleITK.WriteImage(SimpleITK.ReadImage(str(scan)), str(path))
    return path


def test_label_map_lies_on_the_grid_of_its_scan(scan, model, tmp_path, capsys):
    code = predict.main([str(scan), "--model", model, "--output", str(tmp_path / "a")])

    path = tmp_path / "a" / f"{tmp_path.name}_eve_label.seg.nrrd"
    found, image = SimpleITK.ReadImage(str(path)), SimpleITK.ReadImage(str(scan))
    assert code == 0
    assert found.GetSize() == image.GetSize()
    for name in ("GetOrigin", "GetSpacing", "GetDirection"):
        np.testing.assert_allclose(
            getattr(found, name)(), getattr(image, name)(), atol=1e-6, err_msg=name
        )
    label_map = read_label_map(path)
    assert [(each.value, each.name) for each in label_map.segments] == [
        (20, "L1"),
        (21, "L2"),
    ]
    # A voxel has 1.5 * 2 * 2.5 = 7.5 mm3.
    millilitres = [(label_map.array == value).sum() * 0.0075 for value in (20, 21)]
    printed = capsys.readouterr().out
    assert f"L1 {millilitres[0]:.1f} ml, L2 {millilitres[1]:.1f} ml" in printed


def test_prediction_is_that_of_training(small_cube, small_run, model, tmp_path):
    scan = small_cube.parent / "cid.nrrd"

    predict.main([str(scan), "--model", model, "--output", str(tmp_path)])

    one = read_label_map(tmp_path / f"{name_of(scan)}_label.seg.nrrd").array
    other = read_label_map(small_run / "predictions" / "cid.seg.nrrd").array
    np.testing.assert_array_equal(one, other)


def test_format_follows_the_input_where_asked(scan, model, tmp_path):
    scans = [str(scan), str(as_nifti(scan))]
    flags = ["--model", model, "--output", str(tmp_path / "a"), "--format", "input"]

    assert predict.main([*scans, *flags]) == 0

    first, second = (tmp_path / "a" / f"{name_of(each)}_label" for each in scans)
    first = SimpleITK.ReadImage(f"{first}.nrrd")
    second = nib.load(f"{second}.nii.gz")
    np.testing.assert_allclose(second.affine, nib.load(scans[1]).affine, atol=1e-5)
    # SimpleITK's arrays have their axes in reverse.
    np.testing.assert_array_equal(
        SimpleITK.GetArrayFromImage(first).T, np.asarray(second.dataobj)
    )


def test_scan_that_fails_does_not_stop_the_rest(scan, model, tmp_path, capsys):
    broken = tmp_path / "broken.nrrd"
    broken.write_bytes(scan.read_bytes()[:-40])
    scans = [str(tmp_path / "absent.nrrd"), str(broken), str(scan)]

    code = predict.main([*scans, "--model", model, "--output", str(tmp_path / "a")])

    printed = capsys.readouterr()
    assert code == 1
    name = name_of(scan)
    written = [f"{name}_label.seg.nrrd", f"{name}_overlay.png", "labels.csv"]
    assert sorted(names_in(tmp_path / "a")) == sorted(written)
    assert "absent.nrrd" in printed.err
    assert "broken.nrrd" in printed.err
    assert printed.err.endswith("2 of 3 scans failed.\n")
    assert "eve_label.seg.nrrd: " in printed.out


def test_one_component_of_each_class_is_left_if_asked(scan, model, tmp_path):
    flags = ["--model", model, "--output", str(tmp_path / "a"), "--keep", "largest"]

    assert predict.main([str(scan), *flags]) == 0

    found = SimpleITK.ReadImage(f"{tmp_path / 'a' / name_of(scan)}_label.seg.nrrd")
    for value in np.unique(SimpleITK.GetArrayFromImage(found)):
        parts = SimpleITK.ConnectedComponent(found == int(value))
        count = SimpleITK.GetArrayFromImage(parts).max()
        assert value == 0 or count == 1


def test_existing_label_map_is_replaced_only_by_force(scan, model, tmp_path, capsys):
    path = tmp_path / f"{name_of(scan)}_label.seg.nrrd"
    path.write_text("old")
    other = tmp_path / f"{name_of(scan)}_label.nii"
    other.write_text("old, of another --format")
    rows = [{"scan": scan, "label_map": each} for each in (other.name, "x.nrrd")]
    LabelTable(tmp_path / "labels.csv").replace(rows)
    arguments = [str(scan), "--model", model, "--output", str(tmp_path)]

    assert predict.main(arguments) == 2
    assert "--force replaces them" in capsys.readouterr().err
    assert path.read_text() == "old"
    assert predict.main([*arguments, "--force"]) == 0
    assert read_label_map(path).segments
    assert not other.exists()
    found = read_rows(tmp_path / "labels.csv")
    assert {row["label_map"] for row in found} == {path.name, "x.nrrd"}


def test_scan_of_more_voxels_than_allowed_is_refused(scan, model, tmp_path, capsys):
    arguments = [str(scan), "--model", model, "--output", str(tmp_path / "a")]

    # 8 * 10 * 7 = 560; of the network's 2 mm it takes 6 * 10 * 9.
    assert predict.main([*arguments, "--max-voxels", "559"]) == 1
    assert "at most 559 voxels" in capsys.readouterr().err
    assert predict.main([*arguments, "--max-voxels", "560"]) == 0


def test_rule_of_the_model_is_printed_and_replaced_only_by_the_flag(
    scan, model, tmp_path, capsys
):
    arguments = [str(scan), "--model", model, "--output", str(tmp_path / "a")]

    assert predict.main(arguments) == 0
    first = capsys.readouterr().out
    window = ["--intensity", "window", "-100", "900"]
    assert predict.main([*arguments, *window, "--force"]) == 0
    second = capsys.readouterr().out

    assert "intensity: z-score of each scan, as the model was trained" in first
    assert "does not suit" not in first
    assert (
        "intensity: window -100 to 900 HU, by --intensity; the model was trained with: "
        "z-score of each scan" in second
    )


def test_scan_that_the_rule_does_not_suit_is_warned_of(scan, model, tmp_path, capsys):
    arguments = [str(scan), "--model", model, "--output", str(tmp_path / "a")]

    # Values of -80 to 600 are all above the window's end.
    assert predict.main([*arguments, "--intensity", "window", "-900", "-500"]) == 0

    (warning,) = [x for x in capsys.readouterr().out.splitlines() if "suit" in x]
    assert warning == (
        "  warning: the scan does not suit the window -900 to -500 HU: 100 % of its "
        "voxels are at the upper end of the window; it may be in another unit; "
        "--intensity states another rule"
    )


def test_warning_is_counted_written_and_an_error_if_strict(
    scan, model, tmp_path, capsys
):
    arguments = [str(scan), "--model", model, "--output", str(tmp_path / "a")]
    window = ["--intensity", "window", "-900", "-500"]

    assert predict.main([*arguments, *window]) == 0
    assert capsys.readouterr().err == "1 of 1 scan has warnings.\n"
    assert predict.main([*arguments, *window, "--strict", "--force"]) == 1
    (row, _) = read_rows(tmp_path / "a" / "labels.csv")
    assert "the scan does not suit the window -900 to -500 HU" in row["warnings"]


def test_empty_prediction_is_a_warning(scan, model, tmp_path, capsys, monkeypatch):
    def predict_nothing(members, image, grid):
        return Prediction(np.zeros(grid.shape, np.uint8), (), None)

    monkeypatch.setattr("runs.labelling.predict_members", predict_nothing)
    arguments = [str(scan), "--model", model, "--output", str(tmp_path / "a")]

    assert predict.main([*arguments, "--strict", "--no-pictures"]) == 1

    assert "warning: nothing was labelled\n" in capsys.readouterr().out
    assert "a_overlay.png" not in " ".join(names_in(tmp_path / "a"))


def test_missing_model_ends_with_one(scan, tmp_path, capsys):
    arguments = [
        "--model",
        str(tmp_path / "absent.keras"),
        "--output",
        str(tmp_path / "a"),
    ]

    assert predict.main([str(scan), *arguments]) == 1
    assert "absent.keras: no such model" in capsys.readouterr().err


def test_what_is_missing_is_told_before_tensorflow_starts(tmp_path):
    (tmp_path / "model.keras").touch()
    code = (
        "import sys, predict\n"
        "for words in (['--lowest', 'L9', '--vertebrae'], []):\n"
        "    print(predict.main(['absent.nrrd', '--model', 'model.keras', '--output', "
        "'labels', *words]))\n"
        "print('tensorflow' in sys.modules)\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.split() == ["2", "1", "False"]
    assert "absent.nrrd: no such scan" in done.stderr


def test_folder_of_no_scans_ends_with_one(model, tmp_path, capsys):
    empty, output = tmp_path / "empty", tmp_path / "a"
    empty.mkdir()

    assert predict.main([str(empty), "--model", model, "--output", str(output)]) == 1
    assert f"{empty}: must hold scans" in capsys.readouterr().err
    assert not output.exists()


def test_missing_gpu_ends_with_two_if_required(
    scan, model, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr("tensorflow.config.list_physical_devices", lambda kind: [])
    arguments = ["--model", model, "--output", str(tmp_path / "a"), "--require-gpu"]

    assert predict.main([str(scan), *arguments]) == 2
    assert "--require-gpu needs a GPU" in capsys.readouterr().err


def test_wrong_flag_ends_with_two(capsys):
    with pytest.raises(SystemExit, match="2"):
        predict.main(["scan.nrrd", "--model", "m", "--output", "o", "--format", "tiff"])

    assert "must be seg.nrrd or input. Received: tiff" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        predict.main(["a.nrrd", "--model", "m", "--output", "o", "--max-voxels", "0"])

    assert "--max-voxels must be 1 or more" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        predict.main(["a.nrrd", "--model", "m", "--output", "o", "--intensity", "ct"])

    assert "--intensity takes auto, zscore, or window" in capsys.readouterr().err


def test_script_labels_a_scan_and_leaves_the_terminal_clean(scan, model, tmp_path):
    arguments = [str(scan), "--model", model, "--output", "labels"]

    found = subprocess.run(
        [sys.executable, str(SCRIPT), *arguments],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )

    # The network is too small to label anything well.
    assert (found.returncode, found.stderr) == (0, "1 of 1 scan has warnings.\n")
    assert found.stdout.splitlines()[0].startswith("predicting on ")
    assert (tmp_path / "labels" / f"{name_of(scan)}_label.seg.nrrd").is_file()
