import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
from support.small_runs import leave_run

from cube.reader import Cube
from models.model_file import load_model
from runs import testing
from runs.comparing import compare_runs
from runs.folder import read_json
from runs.labelling import plan_label_maps
from system.errors import DataError, UsageError
from volumes.formats.files import checksum, write_image

MODELS = ("unet2d", "unet3d")


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("seg.nrrd", ["a_label.seg.nrrd", "b_label.seg.nrrd", "c_label.seg.nrrd"]),
        ("input", ["a_label.nrrd", "b_label.nii.gz", "c_label.nrrd"]),
    ],
)
def test_label_maps_are_named_after_their_scans(tmp_path, kind, names):
    scans = [Path("in/a.nrrd"), Path("in/b.nii.gz"), Path("other/c.nhdr")]

    labels = plan_label_maps(scans, tmp_path, kind, force=False)

    assert labels == {
        scan: tmp_path / name for scan, name in zip(scans, names, strict=True)
    }


def test_scans_of_one_name_are_told_apart_by_their_folders(tmp_path):
    scans = [Path("ann/ct.nrrd"), Path("ben/ct.nrrd"), Path("ben/mr.nrrd")]

    labels = plan_label_maps(scans, tmp_path, "seg.nrrd", force=False)

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
        plan_label_maps(
            [Path(scan) for scan in scans], tmp_path, "seg.nrrd", force=False
        )


def test_existing_label_maps_need_force(tmp_path):
    (tmp_path / "b_label.seg.nrrd").touch()
    scans = [Path("in/a.nrrd"), Path("in/b.nrrd")]

    with pytest.raises(UsageError, match=r"--force replaces.*b_label\.seg\.nrrd$"):
        plan_label_maps(scans, tmp_path, "seg.nrrd", force=False)

    assert len(plan_label_maps(scans, tmp_path, "seg.nrrd", force=True)) == 2


def test_label_map_never_replaces_a_scan(tmp_path):
    scans = [tmp_path / "a.nrrd", tmp_path / "a_label.nrrd"]

    with pytest.raises(UsageError, match=r"must not replace a scan.*a_label\.nrrd"):
        plan_label_maps(scans, tmp_path, "input", force=True)


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
    network, metadata = load_model(small_run / "model.keras")

    with Cube(path) as cube:
        testing.predict_test_cases(network, metadata, cube, tmp_path / "a" / "run")

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
