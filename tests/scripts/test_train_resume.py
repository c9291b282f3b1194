"""The flags of a resumed run: from the command line, the run folder, the defaults."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from support.cubes import clean_rows, write_cube
from support.small_runs import TINY, call

import train
from cube.reader import Cube
from runs.folder import write_json
from runs.train_arguments import merge_arguments
from runs.train_flags import build_parser


def command_line(**flags):
    """Return the parsed command line: absent flags are None, absent switches False."""
    absent = vars(build_parser(None).parse_args(["--output", "run"]))
    return {**absent, **flags}


def test_flags_without_a_value_get_the_defaults():
    merged = merge_arguments(command_line(), {})

    assert (merged["model"], merged["loss"], merged["augment"]) == (
        ("both", "dice", "stored")
    )
    assert (merged["steps"], merged["seed"], merged["epochs"]) == (50, 0, 100)
    assert (merged["fold"], merged["folds"], merged["filters"]) == (None, None, None)
    assert merged["mixed_precision"] is None


@pytest.mark.parametrize("recorded", [{}, {"mixed_precision": True}])
def test_mixed_precision_can_be_refused(recorded):
    merged = merge_arguments(command_line(mixed_precision=False), recorded)

    assert merged["mixed_precision"] is False


def test_recorded_arguments_replace_defaults_and_given_flags_replace_both():
    recorded = {"seed": 3, "steps": 20, "epochs": 7, "mixed_precision": True}

    merged = merge_arguments(command_line(seed=0, steps=30), recorded)

    # Zero is a value, though it is a default too; the switch is absent, not off.
    assert (merged["seed"], merged["steps"], merged["epochs"]) == (0, 30, 7)
    assert merged["mixed_precision"] is True


def test_run_of_an_earlier_version_is_resumed_as_it_was_trained():
    recorded = {"seed": 3, "small_patches": 0.25}

    merged = merge_arguments(command_line(), recorded)

    assert (merged["contrast_curves"], merged["spine_share"]) == (0, 0.8)
    assert merged["small_patches"] == 0.25


def test_epochs_are_unlimited_with_minutes_and_folds_are_five_with_a_fold():
    merged = merge_arguments(command_line(minutes=5.0, fold=2), {})

    assert (merged["epochs"], merged["folds"]) == (None, 5)
    assert merge_arguments(command_line(fold=2, folds=3), {})["folds"] == 3


def record_run(folder, **arguments):
    """Write what a run records before it starts."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"arguments": arguments}))


def test_resume_without_a_run_ends_with_two(small_cube, tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        call(small_cube, tmp_path, "--epochs", "1", *TINY, "--resume")

    assert (
        f"{tmp_path} must hold a run to resume. Received: no config.json"
        in capsys.readouterr().err
    )


def test_resume_of_a_folder_that_does_not_exist_names_it_as_it_is(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)

    with pytest.raises(SystemExit, match="2"):
        train.parse_args(["--resume", "--output", "run2"])

    assert capsys.readouterr().err == (
        "run2 must hold a run to resume. Received: no such folder\n"
    )


@pytest.mark.parametrize(
    ("flags", "answer"),
    [
        ("--steps 30", "--steps must be 50, as in run, to resume that run. Received: "
         "30"),
        ("--patch-size 8 8", "--patch-size must be 8 6, as in run, to resume that run. "
         "Received: 8 8"),
    ],
)  # fmt: skip
def test_flag_that_a_begun_run_keeps_is_refused_with_both_values(
    tmp_path, monkeypatch, capsys, flags, answer
):
    monkeypatch.chdir(tmp_path)
    run = Path("run")
    record_run(run, cube="c.h5", model="unet2d", epochs=2, steps=50, patch_size=[8, 6])
    resume = ["--resume", "--output", "run", "--epochs", "3"]
    assert train.parse_args([*resume, *flags.split()]).epochs == 3  # not begun
    (run / "checkpoint").mkdir()
    (run / "checkpoint" / "state.npz").touch()
    assert train.parse_args([*resume, "--steps", "50"]).steps == 50

    with pytest.raises(SystemExit, match="2"):
        train.parse_args([*resume, *flags.split()])

    assert capsys.readouterr().err == f"{answer}\n"


def test_resume_takes_the_flags_of_the_run_unless_others_are_given(tmp_path):
    run = tmp_path / "run"
    recorded = {"cube": "c.h5", "epochs": 7, "patch_size": [8, 6], "model": "unet2d"}
    record_run(
        run, **recorded, seed=3, minutes=None, output="old", force=True, weights="w"
    )

    args = train.parse_args(["--resume", "--output", str(run), "--epochs", "9"])

    assert (args.cube, args.weights) == (Path("c.h5"), [Path("w")])
    assert (args.epochs, args.minutes, args.seed) == (9, None, 3)
    assert (args.patch_size, args.model) == ([8, 6], "unet2d")
    assert (args.output, args.force, args.resume) == (run, False, True)


def test_resume_ignores_a_recorded_flag_that_is_gone(tmp_path):
    record_run(tmp_path / "run", cube="c.h5", epochs=7, model="unet2d", freeze=None)

    args = train.parse_args(["--resume", "--output", str(tmp_path / "run")])

    assert args.epochs == 7
    assert not hasattr(args, "freeze")


def test_resume_of_both_takes_the_flags_of_the_first(tmp_path):
    record_run(tmp_path / "unet2d", cube="c.h5", epochs=7, model="unet2d")

    args = train.parse_args(["--resume", "--output", str(tmp_path)])

    assert (args.cube, args.epochs, args.model) == (Path("c.h5"), 7, "both")


def test_resume_does_not_make_a_test_of_a_training(tmp_path, capsys):
    record_run(tmp_path / "run", cube="c.h5", epochs=7, model="unet2d", weights="w")

    with pytest.raises(SystemExit, match="2"):
        train.parse_args(["--resume", "--output", f"{tmp_path}/run", "--epochs", "0"])
    assert "--epochs must be 1 or more to resume" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("inner", "recorded", "given"),
    [
        ("unet2d", "both", "unet3d"),
        ("unet2d", "both", "unet2d"),
        ("", "unet2d", "both"),
        ("", "unet2d", "unet3d"),
    ],
)
def test_resume_refuses_another_model(tmp_path, capsys, inner, recorded, given):
    run = tmp_path / "run"
    record_run(run / inner, cube="c.h5", epochs=7, model="unet2d")

    with pytest.raises(SystemExit, match="2"):
        train.parse_args(["--resume", "--output", str(run), "--model", given])

    error = capsys.readouterr().err
    assert f"--model must be {recorded}, as in {run}, to resume that run." in error
    assert f"Received: {given}" in error


def test_no_epochs_are_resumed_with_the_same_cube_and_weights_only(
    small_cube, tmp_path, monkeypatch, capsys
):
    def record(options, cube_path, run, arguments, *, require_gpu, scans):
        with Cube(cube_path) as cube:
            config = {"arguments": arguments, "cube_checksum": cube.checksum}
        write_json(run / "config.json", config)
        tested.append((options.weights, cube_path))

    monkeypatch.setattr("runs.train_and_test.run_network", record)
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


def test_both_resumes_only_what_was_started(small_cube, tmp_path, monkeypatch):
    record_run(tmp_path / "unet2d", cube=str(small_cube), epochs=7, model="unet2d")
    calls = []

    def run_in_process(function, args):
        calls.append(args)
        return 0

    monkeypatch.setattr(train, "run_in_process", run_in_process)
    compared = SimpleNamespace(verdict="")
    monkeypatch.setattr("runs.comparing.compare_runs", lambda runs, output: compared)

    code = train.main(["--output", str(tmp_path), "--resume"])

    assert code == 0
    # Nothing of the second was recorded: it starts anew.
    assert [
        (args.model, args.output, args.resume, args.force, args.epochs)
        for args in calls
    ] == [
        ("unet2d", tmp_path / "unet2d", True, False, 7),
        ("unet3d", tmp_path / "unet3d", False, False, 7),
    ]


def test_both_killed_at_once_can_be_resumed_and_restarted(
    small_cube, tmp_path, monkeypatch
):
    calls = []

    def run_in_process(function, args):
        calls.append((args.model, args.resume, args.epochs))
        if len(calls) == 1:
            raise MemoryError("killed")  # as a kill, it skips all clean-up
        return 0

    monkeypatch.setattr(train, "run_in_process", run_in_process)
    compared = SimpleNamespace(verdict="")
    monkeypatch.setattr("runs.comparing.compare_runs", lambda runs, output: compared)
    with pytest.raises(MemoryError, match="killed"):
        call(small_cube, tmp_path, "--epochs", "7", model="both")

    assert train.main(["--output", str(tmp_path), "--resume"]) == 0

    resumed = [("unet2d", True, 7), ("unet3d", False, 7)]
    assert calls == [("unet2d", False, 7), *resumed]
    # Before that was recorded, there are at most empty folders.
    (tmp_path / "unet2d" / "config.json").unlink()
    assert call(small_cube, tmp_path, "--epochs", "7", model="both") == 0


def test_ctrl_c_says_how_to_resume(small_cube, tmp_path, monkeypatch, capsys):
    def press_ctrl_c(args):
        raise KeyboardInterrupt

    monkeypatch.setattr(train, "train_network", press_ctrl_c)
    run = tmp_path / "run"

    assert call(small_cube, run, "--epochs", "7") == 130

    assert capsys.readouterr().err.splitlines() == [
        f"Resume with: python train.py --resume --output {run}",
        "Interrupted.",
    ]
