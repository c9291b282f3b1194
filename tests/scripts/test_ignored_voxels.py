"""Scans of which only some vertebrae are labelled, from the pair list to the scores."""

import h5py
import numpy as np
import pytest
from PIL import Image
from support.small_runs import TINY, call, read_rows

import checkCube
import makeCube
from cube.reader import Cube
from runs import progress_pictures
from runs.progress_pictures import ProgressPictures
from volumes.formats.files import write_image
from volumes.geometry import Grid, affine_from
from volumes.ignored import IGNORED
from volumes.view import IGNORED_COLOR

GRID = Grid((8, 10, 16), affine_from((2.0, 2.0, 2.0)))
ON_THE_GRID = ("--spacing", 2, "--shape", *GRID.shape)
LABELLED, UNLABELLED = slice(3, 5), slice(10, 13)  # slices of two vertebrae
SPLITS = {"ann": "train", "ben": "validation", "cid": "test"}


def write_scan(folder, name, value=255, slices=UNLABELLED):
    label = np.zeros(GRID.shape, np.uint8)
    label[2:6, 3:7, LABELLED] = 20
    label[2:6, 3:7, slices] = value
    noise = np.random.default_rng(list(name.encode())).normal(0, 30, GRID.shape)
    write_image(folder / f"{name}.nrrd", (500 * (label > 0) + noise).astype("i2"), GRID)
    write_image(folder / f"{name}_label.nrrd", label, GRID)


def build(folder, *flags, names=SPLITS):
    lines = [f"{name}.nrrd,{name}_label.nrrd,{name},{SPLITS[name]}" for name in names]
    (folder / "pairs.txt").write_text("\n".join(lines) + "\n")
    arguments = [folder / "pairs.txt", "--output", folder / "cube.h5", "--workers", 1]
    words = (*arguments, *ON_THE_GRID, "--flip", 1, "--force", *flags)
    return makeCube.main([str(word) for word in words])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A cube of three scans, each with an unlabelled vertebra of the value 255."""
    folder = tmp_path_factory.mktemp("partly")
    for name in SPLITS:
        write_scan(folder, name)
    off = ("rescaling", "rotation", "elastic")
    flags = [word for name in off for word in (f"--{name}", "none")]
    assert build(folder, "--copies", 1, *flags, "--labels", "L1=20", "ignore=255") == 0
    return folder


def test_ignored_voxels_are_stored_as_255_and_move_with_the_copies(folder):
    expected = np.zeros(GRID.shape, np.uint8)
    expected[2:6, 3:7, LABELLED] = 1
    expected[2:6, 3:7, UNLABELLED] = IGNORED

    with h5py.File(folder / "cube.h5") as file:
        assert file.attrs["format_version"] == 3
    with Cube(folder / "cube.h5") as cube:
        assert cube.ignores
        assert cube.class_names == ("background", "L1")
        scan, copy = cube.rows("train")
        np.testing.assert_array_equal(cube.label(scan), expected)
        np.testing.assert_array_equal(cube.label(copy), expected[::-1])  # mirrored
        assert cube.ignored_values_of(scan) == (255,)
        # 4 x 4 x 2 and 4 x 4 x 3 of 8 x 10 x 16 voxels.
        assert cube.sources[scan]["class_voxels"] == [1200, 32]
        assert cube.sources[scan]["ignored_voxels"] == 48


def test_ignored_voxels_are_reported_and_hatched(folder, tmp_path, capsys):
    code = checkCube.main([str(folder / "cube.h5"), "--output", str(tmp_path)])

    assert code == 0
    # 48 voxels of 8 mm3.
    assert (
        "note   whole cube: ignored voxels: 1.15 ml in 3 of 3 scans are ignored, "
        "without loss and score: ann 0.384 ml, ben 0.384 ml, cid 0.384 ml\n"
        "0 faults, 1 note"
    ) in capsys.readouterr().out
    for name in ("ann", "overview"):
        with Image.open(tmp_path / f"{name}.png") as picture:
            assert (np.asarray(picture) == IGNORED_COLOR).all(axis=2).sum() > 50


@pytest.fixture(scope="module")
def run(folder):
    """A network trained on the cube and tested on its test case."""
    flags = ["--epochs", "1", "--loss", "dice-ce", *TINY]
    assert call(folder / "cube.h5", folder / "run", *flags) == 0
    return folder / "run"


@pytest.mark.slow
def test_network_is_trained_and_scored_without_ignored_voxels(run):
    (score,) = read_rows(run / "scores.csv")
    assert score["reference_ml"] == "0.256"  # 32 voxels of 8 mm3
    with Image.open(run / "overlays" / "cid.png") as picture:
        assert (np.asarray(picture) == IGNORED_COLOR).all(axis=2).sum() > 50


def test_classes_of_a_model_are_built_from_scans_with_values_to_ignore(run, tmp_path):
    write_scan(tmp_path, "ann", value=99)

    flags = ("--labels-from", run / "model.keras", "--labels", "ignore=99")
    assert build(tmp_path, *flags, "--copies", 0, names=["ann"]) == 0

    with Cube(tmp_path / "cube.h5") as cube:
        assert np.unique(cube.label(0)).tolist() == [0, 1, IGNORED]


def test_cube_without_a_voxel_to_ignore_is_as_older_versions_wrote_it(tmp_path, capsys):
    write_scan(tmp_path, "ann", value=0)

    assert build(tmp_path, "--labels", "20", "ignore=255", names=["ann"]) == 0

    assert "note      255, to be ignored, occurs in no scan" in capsys.readouterr().out
    with h5py.File(tmp_path / "cube.h5") as file:
        assert file.attrs["format_version"] == 2
        assert "ignored" not in file.attrs


def test_scan_may_be_ignored_but_for_a_few_slices(tmp_path, capsys):
    write_scan(tmp_path, "ann", slices=slice(0, 0))
    label = np.full(GRID.shape, 255, np.uint8)
    label[2:6, 3:7, LABELLED], label[:, :, 5] = 20, 0
    write_image(tmp_path / "ann_label.nrrd", label, GRID)

    assert build(tmp_path, "--labels", "20", names=["ann"]) == 1
    assert "% of the scan are labelled; it may be inverted" in capsys.readouterr().err
    assert build(tmp_path, "--labels", "20", "ignore=255", names=["ann"]) == 0
    with Cube(tmp_path / "cube.h5") as cube:
        np.testing.assert_array_equal(cube.label(0), np.where(label == 20, 1, label))


def test_ignored_voxels_are_no_errors_in_the_pictures_of_a_training(
    folder, tmp_path, monkeypatch
):
    drawn = {}

    def keep(path, name, image, prediction, networks, **others):
        drawn.update(others)

    with Cube(folder / "cube.h5") as cube:
        (row,) = cube.rows("validation", copy=0)
        predicted = np.zeros(cube.shape, np.uint8), cube.label(row)
        monkeypatch.setattr(progress_pictures, "predict_cases", lambda *_: [predicted])
        monkeypatch.setattr(progress_pictures, "write_overlay", keep)
        pictures = ProgressPictures(tmp_path, "UNet-2D", cube, None, None)
        pictures.draw([{"epoch": 1, "minutes": 60.0, "dice": 0.5}], 1.0)

    assert drawn["reference"].max() == 1
    assert drawn["ignored"].sum() == 48
