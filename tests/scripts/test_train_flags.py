import pytest
from support.cubes import clean_rows, write_cube
from support.small_runs import TINY, call, names_in

import train


@pytest.mark.parametrize(
    ("flags", "shown"),
    [
        (["--patch-size", "6", "7"], "takes 2 numbers, divisible by (2, 2)"),
        (["--patch-size", "4", "4", "4"], "Received: (4, 4, 4)"),
        (["--require-gpu"], "--require-gpu needs a GPU"),
    ],
)
def test_flags_that_do_not_fit_end_with_two(
    small_cube, tmp_path, capsys, monkeypatch, flags, shown
):
    monkeypatch.setattr("tensorflow.config.list_physical_devices", lambda kind: [])

    assert call(small_cube, tmp_path, "--epochs", "1", *TINY, *flags) == 2
    assert shown in capsys.readouterr().err
    assert names_in(tmp_path) == []  # so that the right flags can follow


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
        (["--gpus", "0"], "--gpus must be positive and finite. Received: 0"),
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
            "--patch-size needs --model",
        ),
        (["--epochs", "0"], "--epochs 0 needs --weights"),
        (["--res"], "--res is not one of the flags. Did you mean --resume?"),
    ],
)
def test_wrong_flag_ends_with_two_and_is_named(tmp_path, capsys, flags, shown):
    with pytest.raises(SystemExit, match="2"):
        call("absent.h5", tmp_path, *flags)

    assert shown in capsys.readouterr().err


def test_gpus_and_started_processes_exclude_each_other(tmp_path, monkeypatch, capsys):
    cluster = '"cluster": {"worker": ["a:1", "b:1"]}'
    task = '"task": {"type": "worker", "index": 0}'
    monkeypatch.setenv("TF_CONFIG", f"{{{cluster}, {task}}}")

    assert call("no.h5", tmp_path / "run", "--gpus", "2") == 2

    assert capsys.readouterr().err == (
        "--gpus must not be given where Slurm or TF_CONFIG starts the processes. "
        "Received: 2, in process 0 of 2\n"
    )
    assert not (tmp_path / "run").exists()


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


def test_killed_network_ends_with_one_and_names_the_signal(
    small_cube, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(train, "run_in_process", lambda function, args: -9)

    assert call(small_cube, tmp_path, "--epochs", "1", model="both") == 1
    assert "UNet-2D was killed by signal 9 (SIGKILL)" in capsys.readouterr().err
