import errno
import fcntl
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from hand_made_cubes import (
    CLASS_NAMES,
    CUBE_ATTRIBUTES,
    SHAPE,
    SPACING,
    clean_samples,
    make_label,
    make_sample,
    write_cube,
)

from volumes.cube import ATTRIBUTES, COLUMNS, Cube, CubeWriter
from volumes.errors import DataError


@pytest.fixture
def path(tmp_path):
    return write_cube(tmp_path / "cube.h5", clean_samples())


def test_every_row_comes_back_as_it_was_written(path):
    samples = clean_samples()

    with Cube(path) as cube:
        assert len(cube) == 4
        for row, sample in enumerate(samples):
            np.testing.assert_array_equal(cube.image(row), sample.image)
            np.testing.assert_array_equal(cube.label(row), sample.label)
        np.testing.assert_array_equal(cube.extents, [s.extent for s in samples])
        np.testing.assert_array_equal(cube.affines, [s.affine for s in samples])
        assert cube.case_ids == ["ann", "ann", "ben", "cid"]
        assert cube.subjects[1:3] == ["subject of ann", "subject of ben"]
        assert cube.copies == [0, 1, 0, 0]
        assert cube.splits == ["train", "train", "validation", "test"]
        assert cube.drawn == [s.drawn for s in samples]
        assert cube.sources == [s.source for s in samples]
        assert cube.image(0).dtype == np.float16
        assert cube.label(0).dtype == np.uint8


def test_attributes_come_back_as_they_were_written(path):
    with Cube(path) as cube:
        assert cube.shape == SHAPE
        assert cube.spacing == SPACING
        assert cube.class_names == CLASS_NAMES
        assert cube.label_values == ((), (20,), (21,))
        assert cube.intensity == ["zscore"]
        assert cube.arguments == {"seed": 0}
        assert cube.seed == 0


def test_names_beyond_ascii_come_back(tmp_path):
    samples = [make_sample("Ärztin_κ", subject="Müller, 山田")]

    with Cube(write_cube(tmp_path / "cube.h5", samples)) as cube:
        assert cube.case_ids == ["Ärztin_κ"]
        assert cube.subjects == ["Müller, 山田"]


def test_box_of_a_row_is_read_alone(path):
    box = (slice(1, 3), slice(None), slice(4, 6))

    with Cube(path) as cube:
        np.testing.assert_array_equal(cube.image(2, box), make_sample("x").image[box])
        np.testing.assert_array_equal(cube.label(2, box), make_label()[box])


def test_a_chunk_is_one_sagittal_slice(path):
    with h5py.File(path) as file:
        assert file["image"].shape == (4, *SHAPE)
        assert file["image"].chunks == (1, 1, 8, 10)
        assert file["label"].chunks == (1, 1, 8, 10)
        assert file["image"].dtype == np.float16
        assert file["label"].dtype == np.uint8


@pytest.mark.parametrize(
    ("split", "copy", "expected"),
    [
        (None, None, [0, 1, 2, 3]),
        ("train", None, [0, 1]),
        ("train", 0, [0]),
        (None, 0, [0, 2, 3]),
        ("test", None, [3]),
        ("validation", 1, []),
    ],
)
def test_rows_of_a_split_and_of_a_copy(path, split, copy, expected):
    with Cube(path) as cube:
        assert cube.rows(split, copy) == expected


def test_rows_of_an_unknown_split_are_refused(path):
    with Cube(path) as cube, pytest.raises(ValueError, match="Received: training"):
        cube.rows("training")


def test_grid_of_a_row_lies_in_the_world_of_its_scan(tmp_path):
    affine = np.diag([-2.0, 1, 0.5, 1])
    affine[:3, 3] = 10, 20, 30
    samples = [make_sample("ann"), replace(make_sample("ben"), affine=affine)]

    with Cube(write_cube(tmp_path / "cube.h5", samples)) as cube:
        grid = cube.grid(1)

    assert grid.shape == SHAPE
    assert grid.orientation == "LAS"
    np.testing.assert_array_equal(grid.to_world((1, 1, 1)), (8, 21, 30.5))


def test_equal_rows_give_equal_bytes(tmp_path):
    first = write_cube(tmp_path / "first.h5", clean_samples())
    second = write_cube(tmp_path / "second.h5", clean_samples())

    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize(
    "change",
    [
        {"split": "test"},
        {"subject": "somebody else"},
        {"case_id": "anne"},
        {"source": {"label_checksum": "another"}},
        {"drawn": {"rotation": [1, 2, 3]}},
    ],
)
def test_checksum_changes_with_what_a_row_says(tmp_path, change):
    samples = clean_samples()
    with Cube(write_cube(tmp_path / "first.h5", samples)) as cube:
        before = cube.checksum
    samples[0] = replace(samples[0], **change)

    with Cube(write_cube(tmp_path / "second.h5", samples)) as cube:
        assert cube.checksum != before


def test_missing_file_and_folder_are_refused(tmp_path):
    with pytest.raises(DataError, match="no such cube"):
        Cube(tmp_path / "cube.h5")
    with pytest.raises(DataError, match="no such cube"):
        Cube(tmp_path)


def test_file_that_is_no_hdf5_is_refused(tmp_path):
    (tmp_path / "cube.h5").write_bytes(b"scan,label\n" * 100)

    with pytest.raises(DataError, match="cannot be opened as HDF5"):
        Cube(tmp_path / "cube.h5")


def test_cube_that_is_cut_off_is_refused(path):
    path.write_bytes(path.read_bytes()[:-500])

    with pytest.raises(DataError, match="cannot be opened as HDF5"):
        Cube(path)


OTHER_PROCESS = """
from volumes.cube import Cube
with Cube({path!r}) as cube:
    print(cube.label(2).sum())
"""


def test_cube_is_read_by_two_processes_at_once(path):
    code = OTHER_PROCESS.format(path=str(path))
    with Cube(path) as cube:
        ran = subprocess.run(
            [sys.executable, "-c", code],
            cwd=Path(__file__).parents[1],
            capture_output=True,
            text=True,
            timeout=60,
        )

        assert (ran.returncode, ran.stderr) == (0, "")
        assert int(ran.stdout) == cube.label(2).sum()


LOCKS = os.environ.get("HDF5_USE_FILE_LOCKING", "TRUE").upper() not in ("FALSE", "0")


@pytest.mark.skipif(not LOCKS, reason="HDF5 is told to use no locks")
def test_lock_of_a_writing_program_is_told_in_words(path):
    with open(path, "rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)

        with pytest.raises(DataError, match="cannot be locked for reading: Resource"):
            Cube(path)


def test_disk_without_locks_is_told_in_words(path, monkeypatch):
    def no_locks(*_):
        number = errno.ENOLCK
        raise OSError(number, f"Unable to open file (unable to lock file, {number})")

    monkeypatch.setattr(h5py, "File", no_locks)

    with pytest.raises(DataError, match=r"No locks.*HDF5_USE_FILE_LOCKING=FALSE"):
        Cube(path)


def test_hdf5_file_of_another_program_is_refused(tmp_path):
    with h5py.File(tmp_path / "cube.h5", "w") as file:
        file["image"] = np.zeros((2, 3, 4))

    with pytest.raises(DataError, match="is HDF5 but no cube of makeCube"):
        Cube(tmp_path / "cube.h5")


def test_other_format_version_is_refused(path):
    with h5py.File(path, "r+") as file:
        file.attrs["format_version"] = 99

    with pytest.raises(DataError, match=r"format version 1\. Received: 99"):
        Cube(path)


@pytest.mark.parametrize("name", ["image", "extent", "drawn"])
def test_cube_without_a_dataset_is_refused_by_its_name(path, name):
    with h5py.File(path, "r+") as file:
        del file[name]

    with pytest.raises(DataError, match=f"cube.h5 lacks {name}"):
        Cube(path)


@pytest.mark.parametrize("name", [*ATTRIBUTES, "complete"])
def test_cube_without_an_attribute_is_refused_by_its_name(path, name):
    with h5py.File(path, "r+") as file:
        del file.attrs[name]

    with pytest.raises(DataError, match=f"cube.h5 lacks {name}"):
        Cube(path)


def link_out(file, other):
    del file["drawn"]
    file["drawn"] = h5py.ExternalLink(str(other), "drawn")


def group(file, other):
    del file["drawn"]
    file.create_group("drawn")


def wrong_kind(file, other):
    labels = file["label"][:]
    del file["label"]
    file["label"] = labels.astype(np.uint16)


def fewer_rows(file, other):
    copies = file["copy"][:-1]
    del file["copy"]
    file["copy"] = copies


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (link_out, "must hold 'drawn' itself. Received: a link to 'drawn' of .*other"),
        (group, "must hold 'drawn' as a dataset. Received: a group"),
        (
            wrong_kind,
            r"must hold `label` of shape and type .*uint8.*Received: .*uint16",
        ),
        (fewer_rows, r"must hold `copy` of shape and type .*4,.*Received: .*3,"),
    ],
)
def test_dataset_that_is_not_what_it_must_be_is_refused(path, change, message):
    other = write_cube(path.with_name("other.h5"), clean_samples())
    with h5py.File(path, "r+") as file:
        change(file, other)

    with pytest.raises(DataError, match=message):
        Cube(path)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("spacing", "[1, 1]"),
        ("spacing", "[1, 0, 1]"),
        ("spacing", "[1, NaN, 1]"),
        ("spacing", "3"),
        ("class_names", '["background"]'),
        ("class_names", "[1, 2, 3]"),
        ("label_values", "[[], [20], [65536]]"),
        ("label_values", "[[], [20], [true], [2.5]]"),
        ("intensity", '["window", 3, -3]'),
        ("intensity", '["histogram"]'),
        ("arguments", "{}"),
        ("versions", "[]"),
        ("versions", "no JSON"),
    ],
)
def test_attribute_that_cannot_be_is_refused_by_its_name(path, name, text):
    with h5py.File(path, "r+") as file:
        file.attrs[name] = text

    with pytest.raises(DataError, match=f"must hold a valid `{name}`. Received: "):
        Cube(path)


def test_label_values_for_too_few_classes_are_refused(path):
    with h5py.File(path, "r+") as file:
        file.attrs["label_values"] = "[[], [20]]"

    with pytest.raises(DataError, match=r"values for each class\. Received: 2 for 3"):
        Cube(path)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("split", "training", "must name the splits train, .*Received: .'training'.$"),
        ("drawn", "[1]", r"must hold a JSON object in `drawn` of row 1"),
        ("source", "{", r"must hold a JSON object in `source` of row 1"),
        ("extent", [[0, 7], [0, 8], [0, 10]], "must hold in `extent` boxes inside"),
        ("extent", [[3, 2], [0, 8], [0, 10]], "must hold in `extent` boxes inside"),
        ("extent", [[-1, 2], [0, 8], [0, 10]], "must hold in `extent` boxes inside"),
        ("affine", np.zeros((4, 4)), "must hold a grid in `affine` of row 1"),
        ("affine", np.full((4, 4), np.nan), "must hold a grid in `affine` of row 1"),
    ],
)
def test_row_that_cannot_be_is_refused_when_it_is_read(path, name, value, message):
    with h5py.File(path, "r+") as file:
        file[name][1] = value
    readers = {"split": "splits", "drawn": "drawn", "source": "sources"}

    def read(cube):
        return getattr(cube, readers.get(name, "extents")), cube.grid(1)

    with Cube(path) as cube, pytest.raises(DataError, match=message):
        read(cube)


def test_cube_with_too_few_rows_counts_as_unfinished(tmp_path):
    attributes = {name: [] for name in ATTRIBUTES}
    with CubeWriter(
        tmp_path / "cube.h5", shape=SHAPE, num_rows=2, attributes=attributes
    ) as cube:
        cube.add(make_sample("ann"))

    with pytest.raises(DataError, match="was not finished"):
        Cube(tmp_path / "cube.h5")


def write_until_the_disk_is_full(path):
    attributes = {name: [] for name in ATTRIBUTES}
    with CubeWriter(path, shape=SHAPE, num_rows=1, attributes=attributes) as cube:
        cube.add(make_sample("ann"))
        raise OSError("no space left")


def test_cube_whose_making_failed_counts_as_unfinished(tmp_path):
    with pytest.raises(OSError, match="no space left"):
        write_until_the_disk_is_full(tmp_path / "cube.h5")

    with pytest.raises(DataError, match="was not finished"):
        Cube(tmp_path / "cube.h5")


def test_rows_taken_over_as_they_are_packed_are_the_same(tmp_path, path):
    samples = clean_samples()
    halves = [tmp_path / "first.h5", tmp_path / "second.h5"]
    write_cube(halves[0], samples[:1])
    write_cube(halves[1], samples[1:])

    gathered = tmp_path / "gathered.h5"
    with CubeWriter(
        gathered, shape=SHAPE, num_rows=4, attributes=CUBE_ATTRIBUTES
    ) as writer:
        for half in halves:
            with Cube(half) as cube:
                writer.add_rows(cube)

    with Cube(gathered) as found, Cube(path) as expected:
        for row in range(4):
            np.testing.assert_array_equal(found.image(row), expected.image(row))
            np.testing.assert_array_equal(found.label(row), expected.label(row))
        for name, _, _ in COLUMNS:
            np.testing.assert_array_equal(found.dataset(name), expected.dataset(name))


def test_rows_that_are_stored_otherwise_are_not_taken_over(tmp_path, path):
    with h5py.File(path, "r+") as file:
        label = file["label"][:]
        del file["label"]
        file.create_dataset("label", data=label, chunks=(1, 1, 8, 10))
    attributes = {name: [] for name in ATTRIBUTES}

    with (
        CubeWriter(
            tmp_path / "new.h5", shape=SHAPE, num_rows=4, attributes=attributes
        ) as writer,
        Cube(path) as cube,
        pytest.raises(DataError, match="must store its rows as this version does"),
    ):
        writer.add_rows(cube)


def test_text_in_the_file_is_json_that_others_can_read(path):
    with h5py.File(path) as file:
        assert json.loads(file.attrs["class_names"]) == list(CLASS_NAMES)
        assert json.loads(file["source"].asstr()[0])["orientation"] == "SPL"
