import json
import shlex
from pathlib import Path

import pytest
from support.small_runs import write_run

from cube.flags import CONTENT_FLAGS, list_origin
from makeCube import parse_args
from runs.commands import cube_flags, format_flags, list_commands
from runs.folder import read_json, write_json
from runs.gathering import gather


def commands_of(folders, against=(), cases=(), output="page"):
    sides = gather(folders, against)
    return list_commands(sides, bool(against), cases, Path(output))


def as_json(values):
    return json.dumps(values, default=str, sort_keys=True)


def add_record(run, record):
    config = read_json(run / "config.json")
    write_json(run / "config.json", config | record)


def test_flags_are_quoted_and_absent_ones_left_out():
    arguments = {
        "batch_size": 4,
        "minutes": 2.0,
        "weights": [Path("a b/model.keras")],
        "require_gpu": False,
        "mixed_precision": True,
        "patience": None,
        "scans": "release1.0",
    }

    assert format_flags(arguments) == (
        "--batch-size 4 --minutes 2 --weights 'a b/model.keras' --mixed-precision "
        "--scans release1.0"
    )
    assert format_flags({"mixed_precision": False}) == "--no-mixed-precision"


def test_transform_that_is_off_though_its_default_is_on_is_none():
    # The default of noise is 0.15, that of shift none.
    arguments = {"spacing": [4.0, 1.5, 1.5], "shift": None, "noise": None}

    assert cube_flags(arguments) == "--spacing 4 1.5 1.5 --noise none"


def test_run_of_both_networks_is_one_command(tmp_path):
    for model in ("unet2d", "unet3d"):
        write_run(tmp_path / model, {"ann": 0.5}, model=model, epochs=3)

    assert commands_of([tmp_path], output=tmp_path) == [
        f"python train.py c.h5 --model both --output {tmp_path} --epochs 3"
    ]


def test_folds_and_their_comparison_are_listed(tmp_path):
    for fold, name in enumerate(["ann", "ben"]):
        write_run(tmp_path / f"fold{fold}", {name: 0.5}, fold=fold)
    folders = [tmp_path / "fold0", tmp_path / "fold1"]

    assert commands_of(folders, cases=["*n"]) == [
        *(
            f"python train.py c.h5 --model unet2d --output {folder} --fold {fold} "
            "--folds 3"
            for fold, folder in enumerate(folders)
        ),
        f"python compareRuns.py {folders[0]} {folders[1]} --cases '*n' --output page",
    ]


def test_sides_are_kept_apart_by_against(tmp_path):
    for name, loss in (("first", "dice"), ("second", "dice-ce")):
        write_run(tmp_path / name, {"ann": 0.5}, loss=loss)

    commands = commands_of([tmp_path / "first"], [tmp_path / "second"])

    assert commands[-1] == (
        f"python compareRuns.py {tmp_path / 'first'} --against {tmp_path / 'second'} "
        "--output page"
    )
    assert ["--loss dice-ce" in command for command in commands] == [False, True, False]


def test_page_of_one_run_in_another_folder_has_its_own_command(tmp_path):
    write_run(tmp_path / "run", {"ann": 0.5, "ben": 0.5})

    commands = commands_of([tmp_path / "run"], cases=["ann"])
    above = commands_of([tmp_path / "run"], output=tmp_path)

    words = f"python compareRuns.py {tmp_path / 'run'}"
    assert commands[1:] == [f"{words} --cases ann --output page"]
    # The folder holds the run, so that it is not empty.
    assert above[1:] == [f"{words} --output {tmp_path} --force"]


def test_ensemble_is_tested_with_its_weights(tmp_path):
    weights = ["a/model.keras", "b/model.keras"]
    write_run(tmp_path / "run", {"a": 0.5}, model="ensemble", weights=weights, epochs=0)

    assert commands_of([tmp_path / "run"], output=tmp_path / "run") == [
        f"python train.py c.h5 --output {tmp_path / 'run'} --weights a/model.keras "
        "b/model.keras --epochs 0"
    ]


@pytest.mark.parametrize(
    "words",
    [
        "a.txt --output c.h5",
        "'a b.txt' --output c.h5 --spacing 4 1.5 1.5 --labels L1=20,21 ignore=255 "
        "--intensity window -200 1000 --copies 0 --shift 5 --noise none "
        "--allow-same-person --on-error skip --flip .5 --max-voxels 3000000000",
        "a.txt --output c.h5 --labels-from run/model.keras --gamma none --shape 8 8 16 "
        "--flip none",
    ],
)
def test_command_of_the_cube_has_the_flags_it_was_made_with(words, tmp_path):
    made_with = vars(parse_args(shlex.split(words)))
    record = {
        "cube_arguments": {name: made_with[name] for name in CONTENT_FLAGS},
        "cube_origin": list_origin(made_with),
    }
    write_run(tmp_path / "run", {"ann": 0.5})
    add_record(tmp_path / "run", record)

    command, *others = commands_of([tmp_path / "run"])

    found = vars(parse_args(shlex.split(command)[2:]))
    paths = {
        name: path.resolve()
        for name in ("pairs", "labels_from")
        if (path := made_with[name])
    }
    assert found.pop("flip_given") == made_with.pop("flip_given")
    assert as_json(found) == as_json(made_with | paths)  # tuples and lists alike
    assert all(other.split()[1] != "makeCube.py" for other in others)


def test_command_of_a_cube_without_its_list_says_so(tmp_path):
    for name in ("first", "second"):
        write_run(tmp_path / name, {"ann": 0.5}, loss=name)
        add_record(tmp_path / name, {"cube_arguments": {"copies": 2}})

    note, command, *others = commands_of([tmp_path / "first"], [tmp_path / "second"])

    assert note == "# PAIRS.txt: the pair list, which this cube does not record"
    assert command == "python makeCube.py PAIRS.txt --output c.h5 --copies 2"
    assert [other.split()[1] for other in others] == ["train.py"] * 2 + [
        "compareRuns.py"
    ]
