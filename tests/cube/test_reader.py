import json
from dataclasses import replace

import h5py
import numpy as np
import pytest
from support.cubes import (
    CLASS_NAMES,
    CUBE_ATTRIBUTES,
    SHAPE,
    SPACING,
    clean_rows,
    make_label,
    make_row,
    write_cube,
)

from cube.reader import Cube
from cube.schema import ATTRIBUTES, COLUMNS
from cube.writer import CubeWriter
from system.errors import DataError


@pytest.fixture
def path(tmp_path):
    return write_cube(tmp_path / "cube.h5", clean_rows())


def test_every_row_comes_back_as_it_was_written(path):
    samples = clean_rows()

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
    samples = [make_row("Ärztin_κ", subject="Müller, 山田")]

    with Cube(write_cube(tmp_path / "cube.h5", samples)) as cube:
        assert cube.case_ids == ["Ärztin_κ"]
        assert cube.subjects == ["Müller, 山田"]


def test_box_of_a_row_is_read_alone(path):
    box = (slice(1, 3), slice(None), slice(4, 6))

    with Cube(path) as cube:
        np.testing.assert_array_equal(cube.image(2, box), make_row("x").image[box])
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
    samples = [make_row("ann"), replace(make_row("ben"), affine=affine)]

    with Cube(write_cube(tmp_path / "cube.h5", samples)) as cube:
        grid = cube.grid(1)

    assert grid.shape == SHAPE
    assert grid.orientation == "LAS"
    np.testing.assert_array_equal(grid.to_world((1, 1, 1)), (8, 21, 30.5))


def test_equal_rows_give_equal_bytes(tmp_path):
    first = write_cube(tmp_path / "first.h5", clean_rows())
    second = write_cube(tmp_path / "second.h5", clean_rows())

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
    samples = clean_rows()
    with Cube(write_cube(tmp_path / "first.h5", samples)) as cube:
        before = cube.checksum
    samples[0] = replace(samples[0], **change)

    with Cube(write_cube(tmp_path / "second.h5", samples)) as cube:
        assert cube.checksum != before


def test_cube_with_too_few_rows_counts_as_unfinished(tmp_path):
    attributes = {name: [] for name in ATTRIBUTES}
    with CubeWriter(
        tmp_path / "cube.h5", shape=SHAPE, num_rows=2, attributes=attributes
    ) as cube:
        cube.add(make_row("ann"))

    with pytest.raises(DataError, match="is incomplete"):
        Cube(tmp_path / "cube.h5")


def write_until_the_disk_is_full(path):
    attributes = {name: [] for name in ATTRIBUTES}
    with CubeWriter(path, shape=SHAPE, num_rows=1, attributes=attributes) as cube:
        cube.add(make_row("ann"))
        raise OSError("no space left")


def test_cube_whose_making_failed_counts_as_unfinished(tmp_path):
    with pytest.raises(OSError, match="no space left"):
        write_until_the_disk_is_full(tmp_path / "cube.h5")

    with pytest.raises(DataError, match="is incomplete"):
        Cube(tmp_path / "cube.h5")


def test_rows_taken_over_as_they_are_packed_are_the_same(tmp_path, path):
    samples = clean_rows()
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
