import errno
import fcntl
import os
import subprocess
import sys

import h5py
import numpy as np
import pytest
from support.cubes import (
    clean_rows,
    write_cube,
)
from support.places import ROOT

from cube.reader import Cube
from cube.schema import ATTRIBUTES
from system.errors import DataError


@pytest.fixture
def path(tmp_path):
    return write_cube(tmp_path / "cube.h5", clean_rows())


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
from cube.reader import Cube
with Cube({path!r}) as cube:
    print(cube.label(2).sum())
"""


def test_cube_is_read_by_two_processes_at_once(path):
    code = OTHER_PROCESS.format(path=str(path))
    with Cube(path) as cube:
        ran = subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
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

    with pytest.raises(DataError, match="is an HDF5 file but not a cube of makeCube"):
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
    other = write_cube(path.with_name("other.h5"), clean_rows())
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
        ("split", "training", "must use the splits train, .*Received: .'training'.$"),
        ("case_id", "x" * 1001, r"in at most 1000 characters"),
        ("drawn", "[1]", r"valid JSON object in `drawn` of row 1"),
        ("drawn", '{"rescaling": [0, 0, 0]}', r"valid JSON object in `drawn`"),
        ("drawn", '{"rescaling": "x"}', r"valid JSON object in `drawn`"),
        ("drawn", '{"rotation": [1, [2]]}', r"valid JSON object in `drawn`"),
        ("source", "{", r"valid JSON object in `source` of row 1"),
        ("source", "{}", r"valid JSON object in `source` of row 1"),
        (
            "source",
            '{"content_checksum": "a", "spacing": [1, 1, 1], "orientation": "XYZ"}',
            r"valid JSON object in `source` of row 1",
        ),
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
    readers = {
        "case_id": "case_ids",
        "split": "splits",
        "drawn": "drawn",
        "source": "sources",
    }

    def read(cube):
        return getattr(cube, readers.get(name, "extents")), cube.grid(1)

    with Cube(path) as cube, pytest.raises(DataError, match=message):
        read(cube)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"chunks": (1, 1, 8, 10)}, r"all of `image`, not compressed, .* Received: 0"),
        ({"chunks": (4, 6, 8, 10)}, r"`image` in chunks of \(1, 1, 8, 10\)"),
        ({}, r"`image` in chunks of .* Received: None"),
    ],
)
def test_voxels_that_are_only_promised_are_refused(path, options, message):
    with h5py.File(path, "r+") as file:
        shape = file["image"].shape
        del file["image"]
        file.create_dataset("image", shape, np.float16, **options)

    with pytest.raises(DataError, match=message):
        Cube(path)
