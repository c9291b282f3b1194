"""predict.py --vertebrae, with the prediction replaced by one that is known."""

from dataclasses import replace

import numpy as np
import pytest
from support.box_spines import box_spine
from support.small_runs import names_in, read_rows

import labelVertebrae
import predict
from models.ensemble import Member, Prediction
from models.metadata import ModelMetadata
from volumes.formats.files import read_label_map, write_image

METADATA = ModelMetadata(
    model="unet3d",
    spacing=(2.0, 2.0, 2.0),
    patch_size=(4, 4, 4),
    class_names=("background", "vertebrae"),
    label_values=((), (1,)),
    intensity=("zscore",),
    architecture={},
    cube_checksum="",
)


@pytest.fixture(autouse=True)
def stub(monkeypatch):
    """Let what is brighter than 100 be predicted; return a function for other classes.

    Its arguments are the names of the classes and their values in label maps.
    """
    known = {"metadata": METADATA}

    def predict_bright(members, image, grid):
        classes = (image >= 100).astype(np.uint8)
        return Prediction(classes, (), (0.1,) if len(members) > 1 else None)

    def load(paths):
        return tuple(Member(path, None, known["metadata"]) for path in paths)

    def choose(names, values):
        known["metadata"] = replace(METADATA, class_names=names, label_values=values)

    monkeypatch.setattr("models.ensemble.load_members", load)
    monkeypatch.setattr("runs.labelling.predict_members", predict_bright)
    return choose


@pytest.fixture
def model(tmp_path):
    (path := tmp_path / "model.keras").write_text("")
    return path


@pytest.fixture
def scans(tmp_path):
    """Write a scan of five boxes, ann, and one with none, ben, into a folder."""
    (folder := tmp_path / "in").mkdir()
    label_map, grid = box_spine()
    image = 100 * (label_map > 0) + np.arange(grid.shape[2])
    write_image(folder / "ann.nrrd", image.astype(np.float32), grid)
    write_image(folder / "ben.nrrd", np.ones(grid.shape, np.float32), grid)
    return folder


def call(scans, output, *models, flags=()):
    """Call predict.py --vertebrae."""
    words = [*map(str, scans), "--model", *map(str, models), "--output", str(output)]
    return predict.main([*words, "--vertebrae", *flags])


def test_files_are_those_of_label_vertebrae(scans, model, tmp_path):
    out = tmp_path / "out"
    flags = ["--lowest", "L5"]

    assert call([scans / "ann.nrrd"], out, model, flags=flags) == 0
    predicted = out / "in_ann_label.seg.nrrd"
    words = [str(predicted), "--scans", str(scans / "ann.nrrd"), *flags]
    assert labelVertebrae.main([*words, "--output", str(tmp_path / "again")]) == 0

    assert names_in(out) == [
        "in_ann_label.seg.nrrd",
        "in_ann_overlay.png",
        "in_ann_vertebrae.png",
        "in_ann_vertebrae.seg.nrrd",
        "labels.csv",
        "spines.csv",
        "vertebrae.csv",
    ]
    found = read_label_map(out / "in_ann_vertebrae.seg.nrrd")
    expected, _ = box_spine()
    # 1, the lowest box, is L5, 24 in VerSe; 5, the highest, is L1, 20.
    np.testing.assert_array_equal(found.array, np.where(expected, 25 - expected, 0))
    name = "out_in_ann_label"
    again = read_label_map(tmp_path / "again" / f"{name}_vertebrae.seg.nrrd")
    np.testing.assert_array_equal(again.array, found.array)
    assert again.segments == found.segments
    for table in ("vertebrae.csv", "spines.csv"):
        rows = read_rows(tmp_path / "again" / table)
        assert [row.pop("scan") for row in rows] == [name] * len(rows)
        expected = read_rows(out / table)
        assert [row.pop("scan") for row in expected] == ["in_ann"] * len(rows)
        assert rows == expected


def test_a_scan_without_a_chain_fails_and_the_others_go_on(
    scans, model, tmp_path, capsys
):
    out = tmp_path / "out"

    # Of a folder, with two networks.
    assert call([scans], out, model, model, flags=["--no-pictures"]) == 1

    assert names_in(out) == [
        "in_ann_label.seg.nrrd",
        "in_ann_vertebrae.seg.nrrd",
        "in_ben_label.seg.nrrd",
        "labels.csv",
        "spines.csv",
        "vertebrae.csv",
    ]
    assert [row["name"] for row in read_rows(out / "vertebrae.csv")] == [
        f"V{number}" for number in range(1, 6)
    ]
    assert [row["scan"] for row in read_rows(out / "spines.csv")] == ["in_ann"]
    assert len(read_rows(out / "labels.csv")) == 2
    printed = capsys.readouterr()
    assert "\n  in_ann: 5 vertebrae, V1 to V5, dropped 0.0 ml, " in printed.out
    assert (
        "in_ben: a chain of at least 2 vertebrae must be found, or none is written. "
        "Received: no chain\n" in printed.err
    )
    assert printed.err.endswith("1 of 2 scans failed.\n")


def test_nothing_of_an_earlier_prediction_is_left_by_force(scans, model, tmp_path):
    out = tmp_path / "out"
    (scans / "ben.nrrd").write_bytes((scans / "ann.nrrd").read_bytes())
    assert call([scans], out, model) == 0
    for name in ("in_ann_probability_vertebrae.nrrd", "in_ann_probability_label.csv"):
        (out / name).touch()
    before = names_in(out)
    words = ["--model", str(model), "--output", str(out), "--no-pictures", "--force"]

    assert call([scans / "ann.nrrd"], out, model, flags=words[-2:]) == 0
    gone = "in_ann_overlay.png", "in_ann_probability_vertebrae.nrrd"
    gone += ("in_ann_vertebrae.png",)
    assert names_in(out) == [name for name in before if name not in gone]
    assert predict.main([str(scans / "ann.nrrd"), *words]) == 0
    gone += ("in_ann_vertebrae.seg.nrrd",)
    assert names_in(out) == [name for name in before if name not in gone]
    for table in ("vertebrae.csv", "spines.csv"):
        assert {row["scan"] for row in read_rows(out / table)} == {"in_ben"}


def test_old_vertebrae_are_gone_where_force_finds_no_chain(scans, model, tmp_path):
    out = tmp_path / "out"
    assert call([scans / "ann.nrrd"], out, model) == 0

    flags = ["--keep", "largest", "--force"]
    assert call([scans / "ann.nrrd"], out, model, flags=flags) == 1

    assert not list(out.glob("in_ann_vertebrae*"))
    assert read_rows(out / "spines.csv") == []


def test_vertebrae_are_found_in_what_is_kept(scans, model, tmp_path):
    flags = ["--keep", "largest", "--format", "input"]

    code = call([scans / "ann.nrrd"], tmp_path / "out", model, flags=flags)

    # One box is left, which is no chain.
    assert code == 1
    assert not list((tmp_path / "out").glob("*vertebrae*"))


@pytest.mark.parametrize("classes", [("discs", "vertebrae"), ("intervertebral disc",)])
def test_discs_alone_are_not_taken_for_vertebrae(
    classes, scans, model, tmp_path, stub, capsys
):
    # What is bright is predicted as the first class.
    out = tmp_path / "out"
    values = ((), *((number,) for number in range(1, len(classes) + 1)))
    stub(("background", *classes), values)

    code = call([scans / "ann.nrrd"], out, model)

    error = capsys.readouterr().err
    assert not list(tmp_path.glob("out/*vertebrae*"))
    if len(classes) == 1:
        assert code == 2
        assert "--vertebrae needs a network of which a class is called" in error
    else:
        assert code == 1
        assert "in_ann: a chain of at least 2 vertebrae must be found" in error


def test_classes_that_are_levels_keep_their_names(
    scans, model, tmp_path, stub, monkeypatch
):
    label_map, _ = box_spine()

    def predict_levels(members, image, grid):
        classes = np.select([label_map == 3, label_map == 4], [2, 1], 0)
        return Prediction(classes.astype(np.uint8), (), None)

    out = tmp_path / "out"
    stub(("background", "L1", "L2"), ((), (20,), (21,)))
    monkeypatch.setattr("runs.labelling.predict_members", predict_levels)
    assert call([scans / "ann.nrrd"], out, model, flags=["--format", "input"]) == 0

    found = read_label_map(out / "in_ann_vertebrae.nrrd")
    expected = np.select([label_map == 3, label_map == 4], [21, 20], 0)
    np.testing.assert_array_equal(found.array, expected)
    rows = read_rows(out / "vertebrae.csv")
    assert [(row["name"], row["name_source"]) for row in rows] == [
        ("L2", "labels"),
        ("L1", "labels"),
    ]


def test_wrong_use_is_refused_before_any_scan_is_read(
    scans, model, tmp_path, stub, capsys
):
    out = tmp_path / "out"
    words = [str(scans), "--model", str(model), "--output", str(out)]

    with pytest.raises(SystemExit, match="2"):
        predict.main([*words, "--lowest", "L5"])
    assert (
        "--lowest needs --vertebrae. Received: --lowest L5" in capsys.readouterr().err
    )
    assert predict.main([*words, "--vertebrae", "--lowest", "rib"]) == 2
    assert "--lowest must be a vertebra" in capsys.readouterr().err
    stub(("background", "rib", "lung"), ((), (1,), (2,)))
    assert call([scans], out, model) == 2
    assert capsys.readouterr().err == (
        "--vertebrae needs a network of which a class is called vertebrae, or a level "
        "each; labelVertebrae.py --labels takes label maps of other names. Received: "
        "rib, lung\n"
    )
    assert not out.exists()
    out.mkdir()
    (out / "in_ben_vertebrae.png").write_text("mine")
    assert call([scans], out, model) == 2
    assert "--force replaces them" in capsys.readouterr().err
    assert names_in(out) == ["in_ben_vertebrae.png"]


def test_tables_keep_the_rows_of_an_earlier_scan(scans, model, tmp_path):
    out = tmp_path / "out"
    (scans / "ben.nrrd").write_bytes((scans / "ann.nrrd").read_bytes())

    assert call([scans / "ann.nrrd"], out, model, flags=["--no-pictures"]) == 0
    assert call([scans / "ben.nrrd"], out, model, flags=["--no-pictures"]) == 0

    for table in ("vertebrae.csv", "spines.csv"):
        found = dict.fromkeys(row["scan"] for row in read_rows(out / table))
        assert list(found) == ["in_ann", "in_ben"]
