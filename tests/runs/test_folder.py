import os
import shutil
from pathlib import Path

import pytest
from support.small_runs import write_run

from runs.folder import open_run_folder, read_json, write_json
from system.errors import DataError, OutputError, UsageError

MODELS = ("unet2d", "unet3d")


def test_run_folder_is_created_with_its_parents(tmp_path):
    with open_run_folder(tmp_path / "a" / "b", force=False, resume=False):
        assert (tmp_path / "a" / "b").is_dir()


def test_run_folder_whose_path_is_not_utf8_is_refused(tmp_path):
    folder = tmp_path / os.fsdecode(b"m\xfcller") / "run"

    with pytest.raises(UsageError, match=r"must be a path in UTF-8.*--output"):
        open_run_folder(folder, force=False, resume=False).__enter__()
    assert list(tmp_path.iterdir()) == []


def test_run_folder_that_holds_files_is_refused_unless_allowed(tmp_path):
    (tmp_path / "history.csv").touch()
    (tmp_path / "checkpoint").mkdir()
    (tmp_path / "notes.txt").touch()
    write_json(tmp_path / "config.json", {"arguments": {"model": "unet2d"}})

    with pytest.raises(UsageError, match=r"must be empty.*--resume.*--force"):
        open_run_folder(tmp_path, force=False, resume=False).__enter__()
    with open_run_folder(tmp_path, force=False, resume=True):
        assert (tmp_path / "history.csv").exists()

    with open_run_folder(tmp_path, force=True, resume=False):
        # The files of a run are removed; others are not.
        assert names_below(tmp_path) == ["notes.txt"]
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def names_below(folder):
    """List the paths in a folder, without the hidden backup of an earlier run."""
    paths = [path.relative_to(folder) for path in folder.rglob("*")]
    return sorted(str(path) for path in paths if path.parts[0][0] != ".")


@pytest.mark.parametrize(
    "config",
    [None, "{", "[]", '{"model_type": "bert"}', '{"arguments": {"model": "bert"}}'],
)
def test_force_removes_nothing_without_a_run(tmp_path, config):
    (tmp_path / "predictions").mkdir()
    (tmp_path / "predictions" / "mine.nrrd").touch()
    (tmp_path / "scores.csv").touch()
    if config is not None:
        (tmp_path / "config.json").write_text(config)
    before = names_below(tmp_path)

    with pytest.raises(UsageError, match=r"must be empty or hold a run for --force"):
        open_run_folder(tmp_path, force=True, resume=False).__enter__()

    assert names_below(tmp_path) == before


def test_force_removes_a_run_of_both_and_its_comparison(tmp_path):
    for model in MODELS:
        write_run(tmp_path / model, {"ann": 0.5}, model=model)
    for name in ("comparison.md", "scores.csv", "unet3d/notes.txt"):
        (tmp_path / name).touch()

    with open_run_folder(tmp_path, force=True, resume=False):
        # A run of both networks writes no scores.csv above theirs, so it stays.
        assert names_below(tmp_path) == ["scores.csv", "unet3d", "unet3d/notes.txt"]


def refuse(*args):
    raise PermissionError(13, "Permission denied")


def test_run_that_cannot_be_moved_to_the_backup_stays_whole(tmp_path, monkeypatch):
    write_run(tmp_path / "run", {"ann": 0.5})
    before, move = names_below(tmp_path), Path.rename
    monkeypatch.setattr(
        Path,
        "rename",
        lambda path, to: (refuse if path.name == "summary.json" else move)(path, to),
    )
    force = open_run_folder(tmp_path / "run", force=True, resume=False)

    with pytest.raises(OutputError, match=r"summary\.json: could not be removed: Perm"):
        force.__enter__()
    assert names_below(tmp_path) == before


def test_earlier_run_that_cannot_be_removed_is_reported(tmp_path, monkeypatch):
    write_run(tmp_path / "run", {"ann": 0.5})
    monkeypatch.setattr(shutil, "rmtree", refuse)

    with (
        pytest.raises(OutputError, match="-earlier: could not be removed: Permission"),
        open_run_folder(tmp_path / "run", force=True, resume=False),
    ):
        pass


def replace_run(run, error, config_name, **config):
    """Replace an earlier run, record the new one, and end with an error."""
    with open_run_folder(run, force=True, resume=False):
        write_json(run / config_name, {"arguments": {"model": "unet2d"}, **config})
        raise error


@pytest.mark.parametrize("names", [["."], MODELS])
@pytest.mark.parametrize("error", [UsageError("wrong"), SystemExit(2)])
def test_refused_run_leaves_the_earlier_one(tmp_path, names, error):
    for name in names:
        write_run(tmp_path / "run" / name, {"ann": 0.5})
    (tmp_path / "run" / "comparison.md").touch()
    before = names_below(tmp_path)
    config = (tmp_path / "run" / names[0] / "config.json").read_bytes()

    for config_name in ("config.json", "unet2d/config.json"):
        with pytest.raises(type(error), match=str(error)):
            replace_run(tmp_path / "run", error, config_name)

        assert names_below(tmp_path) == before
    assert (tmp_path / "run" / names[0] / "config.json").read_bytes() == config


def test_backup_is_kept_if_the_earlier_run_cannot_be_restored(tmp_path, monkeypatch):
    write_run(tmp_path / "run", {"ann": 0.5})
    move = Path.rename
    monkeypatch.setattr(
        Path,
        "rename",
        lambda path, to: (refuse if "-earlier" in str(path) else move)(path, to),
    )

    with pytest.raises(OutputError, match="could not be removed: Permission denied"):
        replace_run(tmp_path / "run", UsageError("wrong"), "config.json")

    (kept,) = (tmp_path / "run").glob(".*-earlier/scores.csv")
    assert kept.is_file()


def test_failed_run_that_had_started_replaces_the_earlier_one(tmp_path):
    write_run(tmp_path / "run", {"ann": 0.5})

    with pytest.raises(DataError, match="full"):
        replace_run(
            tmp_path / "run", DataError("full"), "config.json", cube_checksum="1"
        )

    assert names_below(tmp_path) == ["run", "run/config.json"]


def test_files_that_killed_processes_left_are_removed(tmp_path):
    (tmp_path / "checkpoint").mkdir()
    left = (".0123abcd-config.json", "checkpoint/.0123abcd-state.npz")
    for name in left:
        (tmp_path / name).touch()
    (tmp_path / ".notes").touch()

    with open_run_folder(tmp_path, force=False, resume=True):
        names = sorted(path.name for path in tmp_path.rglob("*"))
    assert names == [".notes", "checkpoint"]

    (tmp_path / ".notes").unlink()
    (tmp_path / "checkpoint").rmdir()
    (tmp_path / left[0]).touch()
    (tmp_path / ".0123abcd-earlier" / "predictions").mkdir(parents=True)
    with open_run_folder(tmp_path, force=False, resume=False):
        assert list(tmp_path.iterdir()) == []


def refuse_in(run, name=""):
    with open_run_folder(run, force=False, resume=False):
        if name:
            (run / name).touch()
        raise DataError("refused")


def test_run_that_is_refused_leaves_no_empty_folder_of_its_own(tmp_path):
    (tmp_path / "mine").mkdir()
    for arguments in (["mine"], ["run"], ["used", "file"]):
        with pytest.raises(DataError, match="refused"):
            refuse_in(tmp_path / arguments[0], *arguments[1:])

    assert {path.name for path in tmp_path.iterdir()} == {"mine", "used"}


def test_run_folder_that_cannot_be_created_is_refused(tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(UsageError, match=r"file.run cannot be created"):
        open_run_folder(tmp_path / "file" / "run", force=True, resume=False).__enter__()


def test_run_folder_is_used_by_one_process_at_a_time(tmp_path):
    again = open_run_folder(tmp_path, force=True, resume=False)

    with open_run_folder(tmp_path, force=False, resume=False):
        (tmp_path / "history.csv").touch()
        with pytest.raises(UsageError, match=r"is in use by another train\.py"):
            again.__enter__()
        assert (tmp_path / "history.csv").exists()

    with open_run_folder(tmp_path, force=False, resume=True):
        pass


def test_json_is_read_as_it_was_written(tmp_path):
    content = {"device": "CPU", "costs": {"minutes": 1.5, "none": None}, "list": [1, 2]}

    write_json(tmp_path / "new" / "config.json", {**content, "output": Path("run")})

    assert read_json(tmp_path / "new" / "config.json") == {**content, "output": "run"}


@pytest.mark.parametrize("content", [None, "{", ""])
def test_missing_or_damaged_json_is_refused(tmp_path, content):
    path = tmp_path / "summary.json"
    if content is not None:
        path.write_text(content)

    with pytest.raises(DataError, match=r"summary\.json cannot be read"):
        read_json(path)
