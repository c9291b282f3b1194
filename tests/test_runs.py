import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
from hand_made_run import leave_run

from models.trained import load_trained
from runs import testing
from runs.comparing import compare_runs
from runs.folder import prepared_run, read_json, write_json
from runs.labelling import plan_labels
from volumes.cube import Cube
from volumes.errors import DataError, OutputError, UsageError
from volumes.files import checksum, write_image

MODELS = ("unet2d", "unet3d")


def test_run_folder_is_made_with_its_parents(tmp_path):
    with prepared_run(tmp_path / "a" / "b", force=False, resume=False):
        assert (tmp_path / "a" / "b").is_dir()


def test_run_folder_that_holds_files_is_refused_unless_allowed(tmp_path):
    (tmp_path / "history.csv").touch()
    (tmp_path / "checkpoint").mkdir()
    (tmp_path / "notes.txt").touch()
    write_json(tmp_path / "config.json", {"arguments": {"model": "unet2d"}})

    with pytest.raises(UsageError, match=r"must be empty.*--resume.*--force"):
        prepared_run(tmp_path, force=False, resume=False).__enter__()
    with prepared_run(tmp_path, force=False, resume=True):
        assert (tmp_path / "history.csv").exists()

    with prepared_run(tmp_path, force=True, resume=False):
        # What a run leaves is removed; what somebody else put there is not.
        assert names_below(tmp_path) == ["notes.txt"]
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def names_below(folder):
    """Names of all in a folder, but for what is set aside until the run ends."""
    paths = [path.relative_to(folder) for path in folder.rglob("*")]
    return sorted(str(path) for path in paths if path.parts[0][0] != ".")


@pytest.mark.parametrize(
    "config",
    [None, "{", "[]", '{"model_type": "bert"}', '{"arguments": {"model": "bert"}}'],
)
def test_force_removes_nothing_where_no_run_is(tmp_path, config):
    (tmp_path / "predictions").mkdir()
    (tmp_path / "predictions" / "mine.nrrd").touch()
    (tmp_path / "scores.csv").touch()
    if config is not None:
        (tmp_path / "config.json").write_text(config)
    before = names_below(tmp_path)

    with pytest.raises(UsageError, match=r"must be empty, or hold a run for --force"):
        prepared_run(tmp_path, force=True, resume=False).__enter__()

    assert names_below(tmp_path) == before


def test_force_removes_a_run_of_both_and_what_lies_above_it(tmp_path):
    for model in MODELS:
        leave_run(tmp_path / model, {"ann": 0.5}, model=model)
    for name in ("comparison.md", "scores.csv", "unet3d/notes.txt"):
        (tmp_path / name).touch()

    with prepared_run(tmp_path, force=True, resume=False):
        # A run of both leaves no scores.csv of its own: it is somebody else's.
        assert names_below(tmp_path) == ["scores.csv", "unet3d", "unet3d/notes.txt"]


def refuse(*args):
    raise PermissionError(13, "Permission denied")


def test_run_that_cannot_be_set_aside_is_told_and_stays_whole(tmp_path, monkeypatch):
    leave_run(tmp_path / "run", {"ann": 0.5})
    before, move = names_below(tmp_path), Path.rename
    monkeypatch.setattr(
        Path,
        "rename",
        lambda path, to: (refuse if path.name == "summary.json" else move)(path, to),
    )
    force = prepared_run(tmp_path / "run", force=True, resume=False)

    with pytest.raises(OutputError, match=r"summary\.json: could not be removed: Perm"):
        force.__enter__()
    assert names_below(tmp_path) == before


def test_earlier_run_that_cannot_be_removed_is_told(tmp_path, monkeypatch):
    leave_run(tmp_path / "run", {"ann": 0.5})
    monkeypatch.setattr(shutil, "rmtree", refuse)

    with (
        pytest.raises(OutputError, match="-earlier: could not be removed: Permission"),
        prepared_run(tmp_path / "run", force=True, resume=False),
    ):
        pass


def end_run(run, error, note, **about):
    """Take the place of an earlier run, note the new one, and end by an error."""
    with prepared_run(run, force=True, resume=False):
        write_json(run / note, {"arguments": {"model": "unet2d"}, **about})
        raise error


@pytest.mark.parametrize("names", [["."], MODELS])
@pytest.mark.parametrize("error", [UsageError("wrong"), SystemExit(2)])
def test_run_that_is_refused_leaves_the_earlier_one(tmp_path, names, error):
    for name in names:
        leave_run(tmp_path / "run" / name, {"ann": 0.5})
    (tmp_path / "run" / "comparison.md").touch()
    before = names_below(tmp_path)
    config = (tmp_path / "run" / names[0] / "config.json").read_bytes()

    for note in ("config.json", "unet2d/config.json"):
        with pytest.raises(type(error)):
            end_run(tmp_path / "run", error, note)

        assert names_below(tmp_path) == before
    assert (tmp_path / "run" / names[0] / "config.json").read_bytes() == config


def test_run_that_had_begun_stays_in_the_place_of_the_earlier_one(tmp_path):
    leave_run(tmp_path / "run", {"ann": 0.5})

    with pytest.raises(DataError, match="full"):
        end_run(tmp_path / "run", DataError("full"), "config.json", cube_checksum="1")

    assert names_below(tmp_path) == ["run", "run/config.json"]


def test_what_killed_writes_left_in_a_run_folder_is_nothing_and_goes(tmp_path):
    (tmp_path / "checkpoint").mkdir()
    left = (".0123abcd-config.json", "checkpoint/.0123abcd-state.npz")
    (tmp_path / left[0]).touch()
    (tmp_path / left[1]).touch()
    (tmp_path / ".notes").touch()

    with prepared_run(tmp_path, force=False, resume=True):
        names = sorted(path.name for path in tmp_path.rglob("*"))
    assert names == [".notes", "checkpoint"]

    (tmp_path / ".notes").unlink()
    (tmp_path / "checkpoint").rmdir()
    (tmp_path / left[0]).touch()
    (tmp_path / ".0123abcd-earlier" / "predictions").mkdir(parents=True)
    with prepared_run(tmp_path, force=False, resume=False):
        assert list(tmp_path.iterdir()) == []


def test_run_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(UsageError, match=r"file.run cannot be made a folder"):
        prepared_run(tmp_path / "file" / "run", force=True, resume=False).__enter__()


def test_run_folder_is_held_by_one_process_at_a_time(tmp_path):
    again = prepared_run(tmp_path, force=True, resume=False)

    with prepared_run(tmp_path, force=False, resume=False):
        (tmp_path / "history.csv").touch()
        with pytest.raises(UsageError, match=r"is in use by another train\.py"):
            again.__enter__()
        assert (tmp_path / "history.csv").exists()

    with prepared_run(tmp_path, force=False, resume=True):
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


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("seg.nrrd", ["a_label.seg.nrrd", "b_label.seg.nrrd", "c_label.seg.nrrd"]),
        ("input", ["a_label.nrrd", "b_label.nii.gz", "c_label.nrrd"]),
    ],
)
def test_label_maps_are_named_after_their_scans(tmp_path, kind, names):
    scans = [Path("in/a.nrrd"), Path("in/b.nii.gz"), Path("other/c.nhdr")]

    labels = plan_labels(scans, tmp_path, kind, force=False)

    assert labels == {
        scan: tmp_path / name for scan, name in zip(scans, names, strict=True)
    }


def test_scans_of_one_name_are_told_apart_by_their_folders(tmp_path):
    scans = [Path("ann/ct.nrrd"), Path("ben/ct.nrrd"), Path("ben/mr.nrrd")]

    labels = plan_labels(scans, tmp_path, "seg.nrrd", force=False)

    assert [path.name for path in labels.values()] == [
        "ann_ct_label.seg.nrrd",
        "ben_ct_label.seg.nrrd",
        "mr_label.seg.nrrd",
    ]


@pytest.mark.parametrize(
    ("scans", "shown"),
    [
        (["a/ct.nrrd", "a/ct.nrrd"], "Received twice"),
        (["a/ct.nrrd", "a/ct.nii"], r"Received twice: .*a_ct_label\.seg\.nrrd"),
        (["x/a/ct.nrrd", "y/a/ct.nrrd"], r"Received twice: .*a_ct_label\.seg\.nrrd"),
    ],
    ids=["one scan", "one stem", "one folder's name"],
)
def test_scans_that_cannot_be_told_apart_are_refused(tmp_path, scans, shown):
    with pytest.raises(UsageError, match=shown):
        plan_labels([Path(scan) for scan in scans], tmp_path, "seg.nrrd", force=False)


def test_existing_label_maps_need_force(tmp_path):
    (tmp_path / "b_label.seg.nrrd").touch()
    scans = [Path("in/a.nrrd"), Path("in/b.nrrd")]

    with pytest.raises(UsageError, match=r"--force replaces.*b_label\.seg\.nrrd$"):
        plan_labels(scans, tmp_path, "seg.nrrd", force=False)

    assert len(plan_labels(scans, tmp_path, "seg.nrrd", force=True)) == 2


def test_label_map_never_replaces_a_scan(tmp_path):
    scans = [tmp_path / "a.nrrd", tmp_path / "a_label.nrrd"]

    with pytest.raises(UsageError, match=r"must not replace a scan.*a_label\.nrrd"):
        plan_labels(scans, tmp_path, "input", force=True)


def test_source_is_read_while_it_is_the_one_in_the_cube(tmp_path, oblique_grid):
    voxels = np.arange(60, dtype=np.int16).reshape(oblique_grid.shape)
    path = tmp_path / "scan.nrrd"
    write_image(path, voxels, oblique_grid)
    source = {"image": str(path), "image_checksum": checksum(path), "shape": (3, 4, 5)}

    found = testing.read_source(source, "image", "ann")
    np.testing.assert_array_equal(found.array, voxels)

    write_image(path, voxels + 1, oblique_grid)
    with pytest.raises(DataError, match=r"scan\.nrrd must be the image.*'ann'.*chang"):
        testing.read_source(source, "image", "ann")
    path.unlink()
    with pytest.raises(DataError, match=r"scan\.nrrd: must be a file that exists"):
        testing.read_source(source, "image", "ann")


def test_case_that_names_a_path_is_written_inside_the_run_folder(
    small_cube, small_run, tmp_path
):
    path = shutil.copy(small_cube, tmp_path / "cube.h5")
    with h5py.File(path, "r+") as file:
        for row, split in enumerate(file["split"].asstr()[:]):
            if split == "test":
                file["case_id"][row] = f"../../{row}"
    network, traits = load_trained(small_run / "model.keras")

    with Cube(path) as cube:
        testing.predict_test_cases(network, traits, cube, tmp_path / "a" / "run")

    written = {p.relative_to(tmp_path) for p in tmp_path.rglob("*") if p.is_file()}
    assert {str(p.parent) for p in written} == {
        *(".", "a/run/predictions", "a/run/overlays"),
    }
    assert len(written) == 1 + 2 + 2


def test_two_runs_are_compared_case_by_case(tmp_path):
    runs = [tmp_path / model for model in MODELS]
    for run, model, dice, minutes in (
        (runs[0], "unet2d", {"ann": 0.5, "ben": 0.7}, 2.0),
        (runs[1], "unet3d", {"ben": 0.9, "ann": 0.8}, 3.0),
    ):
        costs = {"training_minutes": minutes}
        leave_run(run, dice, model=model, costs=costs, history=True)

    table = compare_runs(runs, tmp_path)

    comparison = read_json(tmp_path / "comparison.json")
    assert comparison["names"] == ["UNet-2D", "UNet-3D"]
    # Means .6 and .85; 3D minus 2D: .3 and .2.
    dice = comparison["metrics"][0]
    assert dice["networks"]["UNet-2D"]["mean"] == pytest.approx(0.6)
    assert dice["difference"]["mean"] == pytest.approx(0.25)
    (minutes,) = (e for e in comparison["costs"] if e["key"] == "training_minutes")
    assert minutes["networks"] == {"UNet-2D": 2.0, "UNet-3D": 3.0}
    assert table.startswith("UNet-3D scored higher by 0.250 Dice")
    page = (tmp_path / "comparison.md").read_text()
    assert "| Dice" in page
    assert "](curves.png)" in page
    assert (tmp_path / "curves.png").stat().st_size > 1000


def test_runs_without_history_are_compared_without_curves(tmp_path):
    runs = [tmp_path / model for model in MODELS]
    for run in runs:
        leave_run(run, {"ann": 0.5, "ben": 0.7}, model=run.name)

    compare_runs(runs, tmp_path)

    assert not (tmp_path / "curves.png").exists()


def test_runs_without_a_test_case_leave_nothing_to_compare(tmp_path):
    runs = [tmp_path / model for model in MODELS]
    for run in runs:
        leave_run(run, {}, model=run.name, history=True)

    assert "nothing to compare" in compare_runs(runs, tmp_path)
    assert (tmp_path / "curves.png").exists()


def test_runs_over_other_cases_are_not_compared(tmp_path):
    runs = [tmp_path / model for model in MODELS]
    leave_run(runs[0], {"ann": 0.5, "ben": 0.7}, model="unet2d")
    leave_run(runs[1], {"ann": 0.5, "cid": 0.7}, model="unet3d")

    with pytest.raises(DataError, match="only in UNet-2D: ben; only in UNet-3D: cid"):
        compare_runs(runs, tmp_path)
