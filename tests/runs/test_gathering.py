import json
from dataclasses import fields
from pathlib import Path

import pytest
from support.small_runs import write_run

from evaluation.instances import InstanceScore
from runs.gathering import gather, read_runs
from system.atomic import lock_folder
from system.errors import DataError, UsageError

DICE = {"ann": 0.5, "ben": 0.75}


def side_names(sides):
    return [side.name for side in sides]


def test_folds_of_both_networks_are_gathered_to_two_sides(tmp_path):
    for fold, names in enumerate((["ann", "ben"], ["cid"])):
        for model in ("unet3d", "unet2d"):
            write_run(
                tmp_path / f"fold{fold}" / model,
                dict.fromkeys(names, 0.5),
                model=model,
                fold=fold,
                costs={
                    "parameters": 100,
                    "training_minutes": 2.0 + fold,
                    "seconds_per_scan": 1.0 + 3 * fold,
                    "peak_memory_mib": 300 - fold,
                },
            )

    sides = gather([tmp_path / "fold0", tmp_path / "fold1"])

    assert side_names(sides) == ["UNet-2D", "UNet-3D"]
    assert [score.case_id for score in sides[1].scores] == ["ann", "ben", "cid"]
    # Seconds: two scans of 1 and one of 4.
    assert sides[0].costs == {
        "parameters": 100,
        "training_minutes": 2.5,
        "seconds_per_scan": 2.0,
        "peak_memory_mib": 300,
    }
    assert sides[0].missing_folds() == [2]


def test_cost_that_a_run_lacks_is_not_made_up(tmp_path):
    write_run(tmp_path / "a", {"ann": 0.5}, fold=0)
    write_run(tmp_path / "b", {"ben": 0.5}, fold=1, costs={"training_minutes": None})

    (side,) = gather([tmp_path / "a", tmp_path / "b"])

    assert set(side.costs.values()) == {None}
    assert side.missing_folds() == [2]


def test_runs_without_folds_miss_none(tmp_path):
    write_run(tmp_path / "a", DICE)

    assert gather([tmp_path / "a"])[0].missing_folds() == []


def test_two_runs_of_one_network_are_set_against_each_other(tmp_path):
    for name, loss in (("plain", "dice"), ("both", "dice-ce")):
        write_run(tmp_path / name / "unet3d", DICE, model="unet3d", loss=loss)

    sides = gather([tmp_path / "plain"], against=[tmp_path / "both"])

    assert side_names(sides) == ["plain/unet3d", "both/unet3d"]


def test_run_within_the_other_s_folder_keeps_its_whole_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_run(Path("a"), DICE, loss="dice")
    write_run(Path("a/b"), DICE, loss="dice-ce")

    assert side_names(gather([Path("a")], against=[Path("a/b")])) == ["a", "a/b"]


def test_sides_may_be_named_from_here_and_from_the_root(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_run(Path("a"), DICE, loss="dice")
    write_run(Path("b"), DICE, loss="dice-ce")

    sides = gather([Path("a")], against=[tmp_path / "b"])

    assert side_names(sides) == ["a", "b"]


def test_two_networks_against_each_other_are_called_by_their_kind(tmp_path):
    write_run(tmp_path / "a", DICE, model="unet3d")
    write_run(tmp_path / "b", DICE, model="unet2d")

    sides = gather([tmp_path / "a"], against=[tmp_path / "b"])

    assert side_names(sides) == ["UNet-3D", "UNet-2D"]


def test_runs_of_different_cubes_are_refused(tmp_path):
    write_run(tmp_path / "a", DICE)
    write_run(tmp_path / "b", DICE, model="unet3d", cube_checksum="f" * 64)

    with pytest.raises(
        DataError, match=r"of one cube.*c\.h5 \(0000.*/a and c\.h5 \(ffff.*/b$"
    ):
        gather([tmp_path / "a", tmp_path / "b"])


def record_places(run, checksum):
    """Record the checksum with places, as newer runs do."""
    config = json.loads((run / "config.json").read_text())
    config["cube_checksum_with_places"] = checksum
    (run / "config.json").write_text(json.dumps(config))


def test_runs_of_copies_of_a_cube_are_compared(tmp_path):
    for name, model in (("a", "unet2d"), ("b", "unet3d")):
        write_run(tmp_path / name, DICE, model=model, cube_checksum="1" * 64)
        record_places(tmp_path / name, name * 64)

    assert len(gather([tmp_path / "a", tmp_path / "b"])) == 2


def test_earlier_run_is_compared_with_a_newer_one_of_the_same_file(tmp_path):
    write_run(tmp_path / "old", DICE, cube_checksum="a" * 64)
    write_run(tmp_path / "new", DICE, model="unet3d", cube_checksum="1" * 64)
    record_places(tmp_path / "new", "a" * 64)
    for order in (("old", "new"), ("new", "old")):
        assert len(gather([tmp_path / name for name in order])) == 2

    record_places(tmp_path / "new", "b" * 64)
    with pytest.raises(
        DataError, match=r"\(aaaa.*/old and .*\(bbbb.*/new\. .*/old is of an earlier"
    ):
        gather([tmp_path / "old", tmp_path / "new"])


def test_weights_are_known_by_their_checksum_and_scans_may_lie_anywhere(tmp_path):
    for fold, (name, case_id) in enumerate((("a", "ann"), ("b", "ben"))):
        places = {"weights": f"/{name}/model.keras", "scans": f"/{name}"}
        write_run(
            tmp_path / name, {case_id: 0.5}, fold=fold, weights_checksum="1", **places
        )

    (side,) = gather([tmp_path / "a", tmp_path / "b"])

    assert len(side.runs) == 2


def test_case_that_one_side_tested_twice_is_refused(tmp_path):
    write_run(tmp_path / "a", DICE, fold=0)
    write_run(tmp_path / "b", {"ben": 0.5}, fold=1)

    with pytest.raises(DataError, match=r"each case once. Received: 'ben' in .*/a and"):
        gather([tmp_path / "a", tmp_path / "b"])


def test_runs_of_a_side_that_were_trained_unlike_are_refused(tmp_path):
    write_run(tmp_path / "a", {"ann": 0.5}, fold=0, filters=8)
    write_run(tmp_path / "b", {"ben": 0.5}, fold=1, filters=16, seed=7)

    with pytest.raises(
        DataError,
        match=r"the same arguments. Received: filters=8 in .*/a, filters=16 in",
    ):
        gather([tmp_path / "a", tmp_path / "b"])


def test_sides_of_different_folds_are_refused(tmp_path):
    write_run(tmp_path / "a", DICE, fold=0)
    write_run(tmp_path / "b", DICE, model="unet3d", fold=1)

    with pytest.raises(
        DataError,
        match=r"same folds. Received: fold 0 of 3 in UNet-2D; fold 1 of 3 in UNet-3D",
    ):
        gather([tmp_path / "a", tmp_path / "b"])


def test_folder_that_holds_no_run_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"must be a run folder.*no config\.json"):
        read_runs([tmp_path])


@pytest.mark.parametrize("inner", ["", "unet2d"])
def test_unfinished_run_is_refused_with_the_command_that_ends_it(tmp_path, inner):
    write_run(tmp_path / "fold0" / inner, DICE)
    (tmp_path / "fold0" / inner / "summary.json").unlink()

    with pytest.raises(DataError) as raised:
        read_runs([tmp_path / "fold0"])

    unfinished, given = (tmp_path / "fold0" / inner).resolve(), tmp_path / "fold0"
    assert str(raised.value) == (
        f"{unfinished} is unfinished: python train.py --resume --output {given}"
    )


@pytest.mark.parametrize("locked", ["run", "run/unet2d"])
def test_run_that_is_being_trained_is_told_from_an_unfinished_one(tmp_path, locked):
    write_run(tmp_path / "run" / "unet2d", DICE)
    (tmp_path / "run" / "unet2d" / "summary.json").unlink()

    with (
        lock_folder(tmp_path / locked, "in use"),
        pytest.raises(DataError, match=r"run/unet2d is still being trained by train"),
    ):
        read_runs([tmp_path / "run"])


def test_run_without_scores_is_refused(tmp_path):
    write_run(tmp_path / "a", DICE)
    (tmp_path / "a" / "scores.csv").unlink()

    with pytest.raises(DataError, match=r"a/scores\.csv could not be read: No such"):
        read_runs([tmp_path / "a"])


def test_instances_of_a_run_of_earlier_versions_are_read(tmp_path):
    write_run(tmp_path / "a", DICE)
    names = [field.name for field in fields(InstanceScore)]
    cells = ["ann", "subject ann", *["1"] * 11]
    text = f"{','.join(names)}\n{','.join(cells)}\n"
    (tmp_path / "a" / "instances.csv").write_text(text)

    (run,) = read_runs([tmp_path / "a"])

    assert run.instances == (InstanceScore("ann", "subject ann", *[1] * 11),)


def test_config_of_something_else_is_refused(tmp_path):
    write_run(tmp_path / "a", DICE)
    (tmp_path / "a" / "config.json").write_text('{"arguments": {}, "epochs": 3}')

    with pytest.raises(DataError, match=r"a run of train\.py.*cube_checksum.*model"):
        read_runs([tmp_path / "a"])


def test_side_keeps_its_runs_apart_from_the_other_s(tmp_path):
    for name, loss in (("a", "dice"), ("b", "dice-ce")):
        write_run(tmp_path / name, {case: len(loss) / 10 for case in DICE}, loss=loss)

    side, other = gather([tmp_path / "a"], against=[tmp_path / "b"])

    assert {score.dice for score in side.scores} == {0.4}
    assert {score.dice for score in other.scores} == {0.7}
    assert {score.subject for score in side.scores} == {"subject ann", "subject ben"}
