"""Label maps that number structures differently become one set of classes."""

import numpy as np
import pytest
from support.small_runs import TINY, call, read_rows

import checkCube
import makeCube
from cube.reader import Cube
from models.model_file import load_model
from runs.folder import read_json
from volumes.formats.files import (
    read_label_map,
    read_volume,
    write_image,
    write_label_map,
)
from volumes.geometry import Grid, affine_from
from volumes.volume import Segment

GRID = Grid((8, 10, 16), affine_from((2.0, 2.0, 2.0)))
ON_THE_GRID = ("--spacing", 2, "--shape", *GRID.shape)
# First slice of each block, from below: its structures are L2, L1, T12 and T11.
LEVELS = {"L2": 1, "L1": 5, "T12": 9, "T11": 13}


def write_scan(folder, name, numbers, *, named=False):
    """Write a scan of four blocks whose levels have the given numbers; 0 leaves out."""
    label = np.zeros(GRID.shape, np.uint8)
    for level, first in LEVELS.items():
        label[2:6, 3:7, first : first + 2] = numbers[level]
    noise = np.random.default_rng(list(name.encode())).normal(0, 30, GRID.shape)
    image = (500 * (label > 0) + noise).astype(np.int16)
    write_image(folder / f"{name}.nrrd", image, GRID)
    path = folder / f"{name}_label.{'seg.nrrd' if named else 'nrrd'}"
    segments = [
        Segment(value, f" Vertebra_{level.lower()}", (1, 0, 0))
        for level, value in numbers.items()
        if value and named
    ]
    like = read_volume(folder / f"{name}.nrrd")
    write_label_map(path, label, like=like, segments=segments)
    return f"{name}.nrrd,{path.name}"


def numbers(l2, l1, t12, t11):
    return {"L2": l2, "L1": l1, "T12": t12, "T11": t11}


VERSE = numbers(21, 20, 19, 18)


def build(folder, lines, *flags):
    (folder / "pairs.txt").write_text("\n".join(lines) + "\n")
    arguments = [folder / "pairs.txt", "--output", folder / "cube.h5", "--workers", 1]
    words = (*arguments, "--copies", 0, *flags, "--allow-unlikely", "--force")
    return makeCube.main([str(word) for word in words])


def expected(*names):
    """The classes of a scan on the cube's own grid, by hand."""
    found = np.zeros(GRID.shape, np.uint8)
    for number, name in enumerate(names, start=1):
        found[2:6, 3:7, LEVELS[name] : LEVELS[name] + 2] = number
    return found


def test_names_schemes_and_tables_meet_in_one_set_of_classes(tmp_path):
    (tmp_path / "own.csv").write_text("name,id\nT11,9\nT12,8\nL1,7\nL2,6\n")
    lines = [
        write_scan(tmp_path, "slicer", numbers(1, 2, 3, 4), named=True),
        write_scan(tmp_path, "other", numbers(4, 3, 2, 1), named=True),
        "labels: verse",
        write_scan(tmp_path, "verse", VERSE),
        # The names of the file count, though a scheme is stated.
        write_scan(tmp_path, "named", numbers(18, 19, 20, 21), named=True),
        "labels: TotalSegmentator",
        write_scan(tmp_path, "total", numbers(30, 31, 32, 33)),
        "labels: own.csv",
        write_scan(tmp_path, "own", numbers(6, 7, 8, 9)),
    ]

    assert build(tmp_path, lines, *ON_THE_GRID, "--labels", "keep") == 0

    with Cube(tmp_path / "cube.h5") as cube:
        assert cube.class_names == ("background", "T11", "T12", "L1", "L2")
        assert cube.label_values == ((), (18,), (19,), (20,), (21,))
        assert len(cube) == 6
        for row in range(6):
            np.testing.assert_array_equal(
                cube.label(row), expected("T11", "T12", "L1", "L2")
            )
            # 4 * 4 * 2 voxels of each level.
            assert cube.sources[row]["class_voxels"][1:] == [32, 32, 32, 32]
        rows = {name: row for row, name in enumerate(cube.case_ids)}
        assert cube.label_values_of(rows["slicer"]) == ((), (4,), (3,), (2,), (1,))
        assert cube.label_values_of(rows["total"]) == ((), (33,), (32,), (31,), (30,))
        names = {33: "T11", 32: "T12", 31: "L1", 30: "L2"}
        assert cube.label_names_of(rows["total"]) == names


def test_numbers_that_differ_between_files_are_refused_with_both(tmp_path, capsys):
    lines = [
        write_scan(tmp_path, "slicer", numbers(1, 2, 3, 4), named=True),
        write_scan(tmp_path, "other", numbers(4, 3, 2, 1), named=True),
    ]

    assert build(tmp_path, lines, "--labels", 1) == 2

    error = capsys.readouterr().err
    assert "'L2' in " in error
    assert "slicer_label.seg.nrrd, 'T11' in " in error
    assert "--labels L1 L2" in error


@pytest.fixture(scope="module")
def hospital_a(tmp_path_factory):
    """A network of four levels, by the values of VerSe without names."""
    folder = tmp_path_factory.mktemp("a")
    lines = [
        f"{write_scan(folder, name, VERSE)},{name},{split}"
        for name, split in zip(
            ("ann", "ben", "cid"), ("train", "validation", "test"), strict=True
        )
    ]
    words = ("--labels", "T11=18", "T12=19", "L1=20", "L2=21")
    assert build(folder, lines, *ON_THE_GRID, *words) == 0
    flags = ["--epochs", "1", *TINY]
    assert call(folder / "cube.h5", folder / "run", *flags) == 0
    return folder


@pytest.mark.slow
def test_model_is_tested_on_scans_that_lack_a_class(hospital_a, tmp_path, capsys):
    without_t11 = numbers(21, 20, 19, 0)
    lines = [write_scan(tmp_path, name, without_t11) for name in ("xan", "yan")]
    model = hospital_a / "run" / "model.keras"
    flags = ("--validation", 0, "--test", 1, *ON_THE_GRID)

    assert build(tmp_path, lines, *flags, "--labels-from", model) == 0

    assert "note      class T11 occurs in no scan" in capsys.readouterr().out
    with Cube(tmp_path / "cube.h5") as cube:
        assert cube.class_names == ("background", "T11", "T12", "L1", "L2")
        assert cube.label_values_of(0) == ((), (), (19,), (20,), (21,))
    assert checkCube.main([str(tmp_path / "cube.h5"), "--no-pictures"]) == 0
    run = tmp_path / "run"
    weights = ["--weights", str(model), "--epochs", "0"]
    assert call(tmp_path / "cube.h5", run, *weights) == 0
    scores = read_rows(run / "scores.csv")
    # An untrained network may still predict it: absent in both, or a false positive.
    assert {row["found"] for row in scores if row["class_name"] == "T11"} == {"absent"}
    assert {row["reference_ml"] for row in scores if row["class_name"] == "T11"} == {
        "0.0"
    }
    # 32 voxels of 8 mm3.
    assert {row["reference_ml"] for row in scores if row["class_name"] == "L1"} == {
        "0.256"
    }


@pytest.mark.slow
def test_reference_of_each_test_case_is_read_by_its_own_numbers(tmp_path):
    lines = [
        write_scan(tmp_path, "ann", numbers(1, 2, 3, 4), named=True) + ",ann,train",
        write_scan(tmp_path, "ben", numbers(4, 3, 2, 1), named=True) + ",ben,test",
        write_scan(tmp_path, "cid", numbers(2, 9, 3, 0), named=True) + ",cid,test",
    ]
    assert build(tmp_path, lines, *ON_THE_GRID, "--labels", "L1", "x=L2,T12") == 0

    run = tmp_path / "run"
    assert call(tmp_path / "cube.h5", run, "--epochs", "1", *TINY) == 0

    volumes = {
        (row["case_id"], row["class_name"]): row["reference_ml"]
        for row in read_rows(run / "scores.csv")
    }
    assert volumes == {
        ("ben", "L1"): "0.256",
        ("ben", "x"): "0.512",
        ("cid", "L1"): "0.256",
        ("cid", "x"): "0.512",
    }
    metadata = load_model(run / "model.keras")[1]
    assert metadata.class_members == ((), ("L1",), ("L2", "T12"))
    # The values of x differ between the files: predictions are numbered.
    assert set(np.unique(read_label_map(run / "predictions/ben.seg.nrrd").array)) <= {
        *(0, 1, 2)
    }


@pytest.mark.slow
def test_class_only_in_the_test_scan_is_said_by_every_script(tmp_path, capsys):
    lines = [
        write_scan(tmp_path, "ann", numbers(21, 20, 19, 0)) + ",ann,train",
        write_scan(tmp_path, "ben", VERSE) + ",ben,test",
    ]

    assert build(tmp_path, lines, "--labels", "keep") == 0
    assert "class label_18 occurs in no training scan, only in ben" in (
        capsys.readouterr().out
    )
    assert checkCube.main([str(tmp_path / "cube.h5"), "--no-pictures"]) == 0  # a note
    assert "no training scan holds class label_18, only ben" in capsys.readouterr().out
    run = tmp_path / "run"
    assert call(tmp_path / "cube.h5", run, "--epochs", "1", *TINY) == 0
    out = capsys.readouterr().out
    assert out.index("no training scan holds class label_18") < out.index("epoch 1")
    assert read_json(run / "config.json")["untrained_classes"] == ["label_18"]
    # Bare numbers are no vertebrae.
    assert "found" not in read_rows(run / "scores.csv")[0]
    assert read_json(run / "summary.json")["scores"]["vertebrae"] is None


def test_labels_and_labels_from_exclude_each_other(tmp_path, capsys):
    assert build(tmp_path, [], "--labels", "keep", "--labels-from", "m.keras") == 2

    assert "not allowed with argument --labels" in capsys.readouterr().err
