import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support.scans import (
    GRID,
    NAMES,
    beside_the_scans,
    build,
    write_list,
    write_scan,
    write_scans,
)

import makeCube
from cube.flags import CONTENT_FLAGS
from cube.reader import Cube

SCRIPT = Path(makeCube.__file__)


@pytest.fixture
def scans(tmp_path):
    return write_scans(tmp_path)


def test_cube_holds_every_scan_and_copies_of_the_training_cases(scans, capsys):
    code = build(scans, "--copies", 2, "--validation", 0.25, "--test", 0.25)

    assert code == 0
    assert beside_the_scans(scans) == ["cube.h5"]
    with Cube(scans / "cube.h5") as cube:
        # Two of four are for training: 4 scans and 2 * 2 copies.
        assert len(cube) == 8
        assert [cube.case_ids[row] for row in cube.rows(copy=0)] == list(NAMES)
        assert len(cube.rows("validation")) == len(cube.rows("test")) == 1
        train = [cube.case_ids[row] for row in cube.rows("train", copy=0)]
        for copy in (1, 2):
            assert [cube.case_ids[row] for row in cube.rows(copy=copy)] == train
        assert len({str(cube.drawn[row]) for row in cube.rows("train")}) == 5
        # Right 3 mm, anterior 1.1, superior 0.9: the finest two as 0.9.
        assert cube.spacing == (3, 0.9, 0.9)
        # 6 in multiples of 8 (3 > 2 * 0.9 once); 12.1 / 0.9 = 13.4; 14.
        assert cube.shape == (8, 16, 16)
        assert cube.class_names == ("background", "spine")
        assert cube.label_values == ((), (20, 21))
        assert cube.arguments["copies"] == 2
    printed = capsys.readouterr().out.splitlines()
    assert "8 x 16 x 16 voxels of 3 x 0.9 x 0.9 mm" in printed[0]
    assert "4 scans and 4 copies" in printed[2]
    assert printed[-1].startswith(str(scans / "cube.h5"))


def test_scan_and_label_map_keep_their_place_in_the_world(scans):
    build(scans, "--copies", 0, "--labels", "keep", "--intensity", "zscore")

    spot = np.zeros(GRID.shape, bool)
    spot[2:6, 3:8, 2:4] = True
    expected = GRID.to_world(np.argwhere(spot)).mean(axis=0)
    with Cube(scans / "cube.h5") as cube:
        for row in range(4):
            found = cube.grid(row).to_world(np.argwhere(cube.label(row) == 2))
            np.testing.assert_allclose(found.mean(axis=0), expected, atol=0.1)
        # 1 / 8 of the slices and more is padding, around the scan.
        np.testing.assert_array_equal(cube.extents[0][0], (1, 7))
        assert (cube.image(0)[0] == cube.image(0)[0, 0, 0]).all()
        assert cube.image(0)[1:7].astype(float).std() > 0.5


def test_scan_on_the_cube_s_own_grid_is_not_interpolated(scans):
    flags = ("--spacing", 3, 1.1, 0.9, "--shape", 6, 11, 14)
    build(scans, *flags, "--copies", 0, "--intensity", "window", 0, 1000)

    rng = np.random.default_rng(list(b"ann"))
    image = rng.integers(0, 900, GRID.shape)
    with Cube(scans / "cube.h5") as cube:
        found = cube.image(0).astype(float)
        assert cube.intensity == ["window", 0, 1000]
        np.testing.assert_array_equal(cube.extents[0], [[0, 6], [0, 11], [0, 14]])
    # K runs to the right, J to the anterior, I to the inferior.
    turned = np.flip(image.transpose(2, 1, 0), 2)
    np.testing.assert_allclose(found, (turned - 500) / 500, atol=1e-3)


def test_rule_of_normalisation_is_settled_over_all_scans(scans, capsys):
    for name in NAMES:
        rng = np.random.default_rng(list(name.encode()))
        image = rng.normal(40, 30, GRID.shape)
        if name == "ann":
            image[:3] = -1000
        if name == "dan":
            image += 1024
        write_scan(scans, name, image=image.astype(np.int16))

    build(scans, "--copies", 0)

    printed = capsys.readouterr().out
    assert (
        "intensity window -200 to 1000 HU (auto: 3 of 4 scans can be in HU, ann shows "
        "air)\n" in printed
    )
    assert "note      dan: values 9" in printed
    with Cube(scans / "cube.h5") as cube:
        assert cube.intensity == ["window", -200, 1000]
        assert cube.arguments["intensity"] == ["auto"]
        assert {source["intensity"]["kind"] for source in cube.sources} == {"window"}
        kinds = [source["profile"]["kind"] for source in cube.sources]
        assert kinds == ["air", "cropped", "cropped", ""]


def test_labels_keep_makes_each_value_a_class(scans):
    build(scans, "--copies", 0, "--labels", "keep")

    with Cube(scans / "cube.h5") as cube:
        assert cube.class_names == ("background", "label_20", "label_21")
        np.testing.assert_array_equal(np.unique(cube.label(3)), (0, 1, 2))


def test_labels_with_names_are_classes_in_the_order_given(scans):
    build(scans, "--copies", 0, "--labels", "L2=21", "L1=20")

    with Cube(scans / "cube.h5") as cube:
        assert cube.class_names == ("background", "L2", "L1")
        assert cube.label_values == ((), (21,), (20,))


def test_longest_scan_spans_the_voxels_of_side(scans):
    build(scans, "--copies", 0, "--side", 12)

    with Cube(scans / "cube.h5") as cube:
        # 6 slices of 3 mm are the longest side, 18 mm; 18 / 12 = 1.5.
        assert cube.spacing == (1.5, 1.5, 1.5)
        assert cube.shape == (16, 16, 16)
        np.testing.assert_array_equal(cube.extents[0][0], (2, 14))


def test_splits_of_the_list_are_honoured(scans):
    splits = ("test", "train", "validation", "train")
    write_list(
        scans,
        [
            f"{name}.nrrd,{name}_label.nrrd,subject {name},{split}"
            for name, split in zip(NAMES, splits, strict=True)
        ],
    )

    build(scans, "--copies", 1)

    with Cube(scans / "cube.h5") as cube:
        assert cube.case_ids == ["ann", "ben", "ben", "cid", "dan", "dan"]
        train = ["train", "train"]
        assert cube.splits == ["test", *train, "validation", *train]
        assert cube.copies == [0, 0, 1, 0, 0, 1]
        assert cube.subjects[0] == "subject ann"


def test_scans_of_one_subject_share_a_split(scans):
    write_list(
        scans,
        [
            f"{name}.nrrd,{name}_label.nrrd,{subject}"
            for name, subject in zip(NAMES, ("x", "y", "x", "z"), strict=True)
        ],
    )

    for seed in range(4):
        build(scans, "--copies", 0, "--seed", seed, "--force")

        with Cube(scans / "cube.h5") as cube:
            assert cube.splits[0] == cube.splits[2]
            assert set(cube.splits) == {"train", "validation", "test"}


def test_source_of_a_row_is_stored(scans):
    build(scans, "--copies", 0)

    with Cube(scans / "cube.h5") as cube:
        source = cube.sources[1]
    assert source["image"] == str(scans / "ben.nrrd")
    assert source["label"] == str(scans / "ben_label.nrrd")
    assert source["orientation"] == "IAR"
    assert source["shape"] == [14, 11, 6]
    assert source["intensity"]["kind"] == "zscore"


def test_same_voxels_in_another_file_are_refused_unless_allowed(scans, capsys):
    rng = np.random.default_rng(list(b"ben"))
    voxels = rng.integers(0, 900, GRID.shape).astype(np.float32)
    write_scan(scans, "dan", image=voxels)

    assert build(scans) == 1
    assert "these are the same: ben and dan" in capsys.readouterr().err
    build(scans, "--copies", 0, "--allow-duplicates")

    with Cube(scans / "cube.h5") as cube:
        ann, ben, _, dan = cube.sources
    stored = (scans / "dan.nrrd").read_bytes()
    assert dan["image_checksum"] == hashlib.sha256(stored).hexdigest()
    assert dan["image_checksum"] != ben["image_checksum"]
    assert dan["content_checksum"] == ben["content_checksum"]
    assert ann["content_checksum"] != ben["content_checksum"]


def test_bytes_depend_neither_on_the_number_of_workers_nor_on_the_run(scans):
    cubes = []
    for workers in (1, 2, 1):
        build(scans, "--copies", 1, "--workers", workers, "--force")
        cubes.append((scans / "cube.h5").read_bytes())

    assert cubes[0] == cubes[1] == cubes[2]


def test_seed_decides_what_is_drawn(scans):
    drawn = []
    for seed in (0, 0, 1):
        build(scans, "--copies", 1, "--test", 0, "--seed", seed, "--force")
        with Cube(scans / "cube.h5") as cube:
            drawn.append(dict(zip(cube.case_ids, cube.drawn, strict=True)))

    assert drawn[0] == drawn[1]
    shared = [name for name in NAMES if drawn[0][name] and drawn[2][name]]
    assert shared
    assert all(drawn[0][name] != drawn[2][name] for name in shared)


def test_none_leaves_a_transform_out(scans):
    build(scans, "--copies", 1, "--elastic", "none", "--gamma", "none")

    with Cube(scans / "cube.h5") as cube:
        drawn = cube.drawn[cube.rows(copy=1)[0]]
    assert set(drawn) == {"flip", "rescaling", "rotation", "blur", "noise"}


def test_extreme_flags_do_not_overflow(scans):
    assert build(scans, "--brightness", 1e6, "--noise", 1e5) == 0

    with Cube(scans / "cube.h5") as cube:
        assert all(np.isfinite(cube.image(row)).all() for row in range(len(cube)))


def test_cube_may_be_replaced_while_it_is_read(scans):
    build(scans, "--copies", 1)
    with Cube(scans / "cube.h5") as reader:
        first = reader.image(0)

        code = build(scans, "--copies", 1, "--intensity", "window", 0, 1000, "--force")

        assert code == 0
        # The reader still reads the file that it opened, to its last row.
        np.testing.assert_array_equal(reader.image(0), first)
        assert all(reader.label(row).any() for row in range(len(reader)))
        assert reader.intensity == ["zscore"]
    with Cube(scans / "cube.h5") as cube:
        assert cube.intensity == ["window", 0, 1000]
        assert (cube.image(0) != first).any()


def test_script_runs_from_the_shell(scans):
    flags = ["pairs.txt", "--output", "new/cube.h5", "--copies", "0", "--workers", "1"]

    ran = subprocess.run(
        [sys.executable, "-W", "error", str(SCRIPT), *flags],
        cwd=scans,
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert (ran.returncode, ran.stderr) == (0, "")
    with Cube(scans / "new" / "cube.h5") as cube:
        assert len(cube) == 4
    assert [path.name for path in (scans / "new").iterdir()] == ["cube.h5"]


def test_help_lists_every_flag_and_imports_no_scientific_library():
    ran = subprocess.run(
        [sys.executable, "-X", "importtime", str(SCRIPT), "--help"],
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert ran.returncode == 0
    assert "python makeCube.py pairs.txt --output cube.h5" in ran.stdout
    for flag in (*CONTENT_FLAGS, "output", "force", "workers"):
        assert f"--{flag.replace('_', '-')}" in ran.stdout
    # `-X importtime` lists every imported module.
    assert "argparse" in ran.stderr
    for library in ("keras", "tensorflow", "numba", "numpy"):
        assert library not in ran.stderr
