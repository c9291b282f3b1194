import json

import h5py
import numpy as np
import pytest
from support.cubes import (
    CLASS_NAMES,
    CUBE_ATTRIBUTES,
    SHAPE,
    clean_rows,
    make_row,
    write_cube,
)

from cube.attributes import ATTRIBUTES
from cube.reader import Cube
from cube.schema import COLUMNS
from cube.writer import CubeWriter
from system.errors import DataError


def test_a_chunk_is_one_sagittal_slice(cube_path):
    with h5py.File(cube_path) as file:
        assert file["image"].shape == (4, *SHAPE)
        assert file["image"].chunks == (1, 1, 8, 10)
        assert file["label"].chunks == (1, 1, 8, 10)
        assert file["image"].dtype == np.float16
        assert file["label"].dtype == np.uint8


def test_equal_rows_give_equal_bytes(tmp_path):
    first = write_cube(tmp_path / "first.h5", clean_rows())
    second = write_cube(tmp_path / "second.h5", clean_rows())

    assert first.read_bytes() == second.read_bytes()


def test_cube_with_too_few_rows_is_incomplete(tmp_path):
    attributes = {name: [] for name in ATTRIBUTES}
    with CubeWriter(
        tmp_path / "cube.h5", shape=SHAPE, num_rows=2, attributes=attributes
    ) as cube:
        cube.add(make_row("ann"))

    with pytest.raises(DataError, match="is incomplete"):
        Cube(tmp_path / "cube.h5")


def write_until_the_disk_is_full(cube_path):
    attributes = {name: [] for name in ATTRIBUTES}
    with CubeWriter(cube_path, shape=SHAPE, num_rows=1, attributes=attributes) as cube:
        cube.add(make_row("ann"))
        raise OSError("no space left")


def test_cube_that_failed_to_be_written_is_incomplete(tmp_path):
    with pytest.raises(OSError, match="no space left"):
        write_until_the_disk_is_full(tmp_path / "cube.h5")

    with pytest.raises(DataError, match="is incomplete"):
        Cube(tmp_path / "cube.h5")


def test_rows_copied_from_other_cubes_are_the_same(tmp_path, cube_path):
    rows = clean_rows()
    halves = [tmp_path / "first.h5", tmp_path / "second.h5"]
    write_cube(halves[0], rows[:1])
    write_cube(halves[1], rows[1:])

    gathered = tmp_path / "gathered.h5"
    with CubeWriter(
        gathered, shape=SHAPE, num_rows=4, attributes=CUBE_ATTRIBUTES
    ) as writer:
        for half in halves:
            with Cube(half) as cube:
                writer.add_rows(cube)

    with Cube(gathered) as found, Cube(cube_path) as expected:
        for row in range(4):
            np.testing.assert_array_equal(found.image(row), expected.image(row))
            np.testing.assert_array_equal(found.label(row), expected.label(row))
        for name, _, _ in COLUMNS:
            np.testing.assert_array_equal(found.dataset(name), expected.dataset(name))


def test_rows_that_are_stored_differently_are_not_copied(tmp_path, cube_path):
    with h5py.File(cube_path, "r+") as file:
        label = file["label"][:]
        del file["label"]
        file.create_dataset("label", data=label, chunks=(1, 1, 8, 10))
    attributes = {name: [] for name in ATTRIBUTES}

    with (
        CubeWriter(
            tmp_path / "new.h5", shape=SHAPE, num_rows=4, attributes=attributes
        ) as writer,
        Cube(cube_path) as cube,
        pytest.raises(DataError, match="must store its rows as this version does"),
    ):
        writer.add_rows(cube)


def test_text_in_the_file_is_json(cube_path):
    with h5py.File(cube_path) as file:
        assert json.loads(file.attrs["class_names"]) == list(CLASS_NAMES)
        assert json.loads(file["source"].asstr()[0])["orientation"] == "SPL"
