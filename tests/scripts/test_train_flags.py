"""Flags of train.py: which it refuses, and which a resumed run takes over."""

import json
from pathlib import Path

import pytest
from support.cubes import clean_rows, write_cube
from support.small_runs import TINY, call, names_in

import train
from cube.reader import Cube
from runs.folder import write_json


@pytest.mark.parametrize(
    ("flags", "shown"),
    [
        (["--patch-size", "6", "7"], "takes 2 numbers, divisible by (2, 2)"),
        (["--patch-size", "4", "4", "4"], "Received: (4, 4, 4)"),
        (["--require-gpu"], "--require-gpu needs a GPU"),
    ],
)
def test_request_that_does_not_fit_ends_with_two(
    small_cube, tmp_path, capsys, monkeypatch, flags, shown
):
    monkeypatch.setattr("tensorflow.config.list_physical_devices", lambda kind: [])

    assert call(small_cube, tmp_path, "--epochs", "1", *TINY, *flags) == 2
    assert shown in capsys.readouterr().err
    assert names_in(tmp_path) == []  # so that the right request can follow


def test_no_epochs_are_resumed_with_the_same_cube_and_weights_only(
    small_cube, tmp_path, monkeypatch, capsys
):
    def note(request, cube_path, run, arguments, *, require_gpu):
        with Cube(cube_path) as cube:
            about = {"arguments": arguments, "cube_checksum": cube.checksum}
        write_json(run / "config.json", about)
        tested.append((request.weights, cube_path))

    monkeypatch.setattr("runs.train_and_test.run_network", note)
    weights, others, run = (tmp_path / name for name in ("w.keras", "o.keras", "run"))
    weights.write_bytes(b"weights")
    others.write_bytes(b"others")
    other_cube = write_cube(tmp_path / "other.h5", clean_rows())
    tested, resumed = [], ["--resume", "--output", str(run)]
    assert call(small_cube, run, "--epochs", "0", "--weights", str(weights)) == 0

    assert train.main([*resumed, "--weights", str(others)]) == 1
    error = capsys.readouterr().err
    assert "resumed with the same weights. Received:" in error
    assert f"{others} (" in error
    assert f"but it was started with {weights} (" in error
    assert train.main([str(other_cube), *resumed]) == 1
    error = capsys.readouterr().err
    assert f"with the same cube. Received: {other_cube} (" in error
    assert f"but it was started with {small_cube} (" in error
    weights.write_bytes(b"trained on")
    assert train.main(resumed) == 1
    weights.write_bytes(b"weights")
    assert train.main(resumed) == 0
    assert tested == [(weights, small_cube)] * 2


def test_weights_of_another_network_end_with_two(
    small_cube, small_run, tmp_path, capsys
):
    weights = ["--epochs", "0", "--weights", str(small_run / "model.keras")]

    assert call(small_cube, tmp_path, *weights, model="unet3d") == 2
    assert "model.keras, unet2d. Received: unet3d" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "shown"),
    [
        (["--steps", "0"], "--steps must be positive and finite. Received: 0"),
        (["--patience", "0"], "--patience must be positive and finite. Received: 0"),
        (["--learning-rate", "-1"], "--learning-rate must be positive and finite"),
        (["--dropout", "1"], "--dropout must be in [0, 1). Received: 1.0"),
        (["--epochs", "-1"], "--epochs must be 0 or more. Received: -1"),
        (["--norm", "group", "--filters", "4"], "--filters must be a multiple of 8"),
        (["--folds", "5"], "--fold must be 0 to 4 with --folds 5. Received: None"),
        (
            ["--fold", "3", "--folds", "3"],
            "--fold must be 0 to 2 with --folds 3. Received: 3",
        ),
        (["--fold", "0", "--folds", "2"], "--folds must be 3 or more. Received: 2"),
        (["--fold", "5"], "--fold must be 0 to 4 with --folds 5. Received: 5"),
        (
            ["--model", "both", "--patch-size", "8", "8"],
            "--patch-size and --weights need --model",
        ),
        (["--epochs", "0"], "--epochs 0 needs --weights"),
        (["--res"], "unrecognized arguments: --res"),
    ],
)
def test_wrong_flag_ends_with_two_and_is_named(tmp_path, capsys, flags, shown):
    with pytest.raises(SystemExit, match="2"):
        call("absent.h5", tmp_path, *flags)

    assert shown in capsys.readouterr().err


def test_run_folder_in_use_ends_with_two(small_cube, small_run, capsys):
    assert call(small_cube, small_run, "--epochs", "1") == 2
    assert "must be empty" in capsys.readouterr().err


def test_missing_cube_ends_with_one(tmp_path, capsys):
    assert call(tmp_path / "absent.h5", tmp_path / "run", "--epochs", "1") == 1
    assert "absent.h5: no such cube" in capsys.readouterr().err


def test_cube_without_a_training_case_ends_with_one(tmp_path, capsys):
    cube = write_cube(tmp_path / "cube.h5", clean_rows()[2:])

    assert call(cube, tmp_path / "run", "--epochs", "1", *TINY) == 1
    assert "cube.h5 must have a training case" in capsys.readouterr().err


def test_resume_without_a_run_ends_with_two(small_cube, tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        call(small_cube, tmp_path, "--epochs", "1", *TINY, "--resume")

    assert (
        f"{tmp_path} must hold a run to resume. Received: no config.json"
        in capsys.readouterr().err
    )


def note_run(folder, **arguments):
    """Write by hand what a run notes before it begins."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"arguments": arguments}))


def test_resume_goes_on_by_the_flags_of_the_run_unless_others_are_given(tmp_path):
    run = tmp_path / "run"
    begun = {"cube": "c.h5", "epochs": 7, "patch_size": [8, 6], "model": "unet2d"}
    note_run(run, **begun, seed=3, minutes=None, output="old", force=True, weights="w")

    args = train.parse_args(["--resume", "--output", str(run), "--epochs", "9"])

    assert (args.cube, args.weights) == (Path("c.h5"), Path("w"))
    assert (args.epochs, args.minutes, args.seed) == (9, None, 3)
    assert (args.patch_size, args.model) == ([8, 6], "unet2d")
    assert (args.output, args.force, args.resume) == (run, False, True)


def test_resume_ignores_a_recorded_flag_that_is_gone(tmp_path):
    note_run(tmp_path / "run", cube="c.h5", epochs=7, model="unet2d", freeze=None)

    args = train.parse_args(["--resume", "--output", str(tmp_path / "run")])

    assert args.epochs == 7
    assert not hasattr(args, "freeze")


def test_resume_of_both_goes_on_by_the_flags_of_the_first(tmp_path):
    note_run(tmp_path / "unet2d", cube="c.h5", epochs=7, model="unet2d")

    args = train.parse_args(["--resume", "--output", str(tmp_path)])

    assert (args.cube, args.epochs, args.model) == (Path("c.h5"), 7, "both")


def test_resume_does_not_make_a_test_of_a_training(tmp_path, capsys):
    note_run(tmp_path / "run", cube="c.h5", epochs=7, model="unet2d", weights="w")

    with pytest.raises(SystemExit, match="2"):
        train.parse_args(["--resume", "--output", f"{tmp_path}/run", "--epochs", "0"])
    assert "--epochs must be 1 or more to resume" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("inner", "begun", "asked"),
    [
        ("unet2d", "both", "unet3d"),
        ("unet2d", "both", "unet2d"),
        ("", "unet2d", "both"),
        ("", "unet2d", "unet3d"),
    ],
)
def test_resume_goes_on_with_no_other_model(tmp_path, capsys, inner, begun, asked):
    run = tmp_path / "run"
    note_run(run / inner, cube="c.h5", epochs=7, model="unet2d")

    with pytest.raises(SystemExit, match="2"):
        train.parse_args(["--resume", "--output", str(run), "--model", asked])

    shown = (
        f"--model must be {begun}, as in {run}, to resume that run. Received: {asked}"
    )
    assert shown in capsys.readouterr().err


def test_force_does_not_remove_the_weights_to_start_from(small_cube, tmp_path, capsys):
    (tmp_path / "model.keras").touch()
    flags = ["--weights", str(tmp_path / "model.keras"), "--force"]

    with pytest.raises(SystemExit, match="2"):
        call(small_cube, tmp_path, "--epochs", "1", *flags)

    assert "--weights must not lie in --output" in capsys.readouterr().err
    assert names_in(tmp_path) == ["model.keras"]


def test_missing_weights_end_with_one_before_anything_is_removed(
    small_cube, tmp_path, capsys
):
    run = tmp_path / "run"
    run.mkdir()
    (run / "summary.json").touch()
    flags = ["--force", "--weights", str(tmp_path / "absent.keras")]

    assert call(small_cube, run, "--epochs", "1", *flags) == 1
    assert "absent.keras: no such model" in capsys.readouterr().err
    assert names_in(run) == ["summary.json"]


def test_both_resumes_only_what_was_begun(small_cube, tmp_path, monkeypatch):
    note_run(tmp_path / "unet2d", cube=str(small_cube), epochs=7, model="unet2d")
    calls = []

    def run_in_process(function, args):
        calls.append(args)
        return 0

    monkeypatch.setattr(train, "run_in_process", run_in_process)
    monkeypatch.setattr("runs.comparing.compare_runs", lambda runs, output: "")

    code = train.main(["--output", str(tmp_path), "--resume"])

    assert code == 0
    # Nothing of the second was noted: it begins anew.
    assert [
        (args.model, args.output, args.resume, args.force, args.epochs)
        for args in calls
    ] == [
        ("unet2d", tmp_path / "unet2d", True, False, 7),
        ("unet3d", tmp_path / "unet3d", False, False, 7),
    ]


def test_both_killed_at_once_can_be_resumed_and_begun_again(
    small_cube, tmp_path, monkeypatch
):
    calls = []

    def run_in_process(function, args):
        calls.append((args.model, args.resume, args.epochs))
        if len(calls) == 1:
            raise MemoryError("cut")  # as a kill: nothing is tidied up
        return 0

    monkeypatch.setattr(train, "run_in_process", run_in_process)
    monkeypatch.setattr("runs.comparing.compare_runs", lambda runs, output: "")
    with pytest.raises(MemoryError, match="cut"):
        call(small_cube, tmp_path, "--epochs", "7", model="both")

    assert train.main(["--output", str(tmp_path), "--resume"]) == 0

    begun = [("unet2d", True, 7), ("unet3d", False, 7)]
    assert calls == [("unet2d", False, 7), *begun]
    # Before that was noted, there are at most empty folders.
    (tmp_path / "unet2d" / "config.json").unlink()
    assert call(small_cube, tmp_path, "--epochs", "7", model="both") == 0
