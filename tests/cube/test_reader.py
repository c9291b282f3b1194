import os
import subprocess
import sys
from dataclasses import replace

import h5py
import numpy as np
import pytest
from support.cubes import (
    CLASS_NAMES,
    SHAPE,
    SPACING,
    clean_rows,
    make_label,
    make_row,
    write_cube,
)
from support.places import ROOT

from cube.reader import Cube
from system.errors import DataError

PROFILE = {"low": 0, "median": 1, "high": 2, "air": 0, "kind": ""}


def test_every_row_comes_back_as_it_was_written(cube_path):
    rows = clean_rows()

    with Cube(cube_path) as cube:
        assert len(cube) == 4
        for number, row in enumerate(rows):
            np.testing.assert_array_equal(cube.image(number), row.image)
            np.testing.assert_array_equal(cube.label(number), row.label)
        np.testing.assert_array_equal(cube.extents, [row.extent for row in rows])
        np.testing.assert_array_equal(cube.affines, [row.affine for row in rows])
        assert cube.case_ids == ["ann", "ann", "ben", "cid"]
        assert cube.subjects[1:3] == ["subject of ann", "subject of ben"]
        assert cube.copies == [0, 1, 0, 0]
        assert cube.splits == ["train", "train", "validation", "test"]
        assert cube.drawn == [row.drawn for row in rows]
        assert cube.sources == [row.source for row in rows]
        assert cube.image(0).dtype == np.float16
        assert cube.label(0).dtype == np.uint8


def test_attributes_come_back_as_they_were_written(cube_path):
    with Cube(cube_path) as cube:
        assert cube.shape == SHAPE
        assert cube.spacing == SPACING
        assert cube.class_names == CLASS_NAMES
        assert cube.label_values == ((), (20,), (21,))
        assert cube.intensity == ["zscore"]
        assert cube.arguments == {"seed": 0}
        assert cube.seed == 0


def test_label_values_are_those_of_the_row_or_else_of_the_cube(tmp_path):
    own, cubes = make_row("ann"), make_row("ben")
    own = replace(own, source={**own.source, "label_values": [[], [4], []]})
    bad = replace(own, source={**own.source, "label_values": [[], [4]]})
    path = write_cube(tmp_path / "cube.h5", [own, cubes, bad])

    with Cube(path) as cube:
        assert cube.class_members is None
        assert cube.label_values_of(0) == ((), (4,), ())
        assert cube.label_values_of(1) == ((), (20,), (21,))
        with pytest.raises(DataError, match="each class in `source` of row 2"):
            cube.label_values_of(2)


@pytest.mark.parametrize(
    "source",
    [
        {"label_values": [[], [-1], []]},
        {"label_values": 3},
        {"class_voxels": 3},
        {"intensity": 3},
        {"profile": 3},
        {"profile": {**PROFILE, "kind": ["air"]}},
        {"profile": {**PROFILE, "low": 10**400}},
        {"profile": {**PROFILE, "low": "0"}},
        {"profile": {"kind": "air"}},
        {"profile": {**PROFILE, "low": True}},
        {"intensity": {"kind": "window"}},
        {"intensity": {"kind": ["window"], "low": 0, "high": 1}},
        {"intensity": {"kind": "window", "low": "0", "high": 1}},
        {"shape": 5},
        {"shape": [2, 3]},
        {"shape": [2, 3, "4"]},
        {"image": 5},
        {"label": "a\0b"},
        {"image": "\ud800"},
        {"image_checksum": 5},
        {"ignored_voxels": 10**400},
        {"label_names": {"9" * 5000: "L1"}},
    ],
)
def test_invalid_values_and_counts_of_a_row_are_refused(tmp_path, source):
    row = make_row("ann")
    path = write_cube(
        tmp_path / "c.h5", [replace(row, source={**row.source, **source})]
    )

    with Cube(path) as cube, pytest.raises(DataError, match="`source` of row 0"):
        cube.sources  # noqa: B018


def test_path_whose_bytes_are_not_utf8_comes_back(tmp_path):
    path = "/m\udcfcller/c.nrrd"  # as Python has it
    row = make_row("ann")
    row = replace(row, source=row.source | {"image": path})

    with Cube(write_cube(tmp_path / "cube.h5", [row])) as cube:
        assert cube.sources[0]["image"] == path
        assert os.fsencode(cube.places(0, "image")[0]) == b"/m\xfcller/c.nrrd"


@pytest.mark.parametrize("copies", [[1, 2, 0, 0], [0, -1, 0, 0], [0, 1, 1, 0]])
def test_copies_without_their_scan_are_refused(cube_path, copies):
    with h5py.File(cube_path, "r+") as file:
        file["copy"][:] = copies

    message = r"hold in `copy` 0 for a scan of each case, .* Received: \[-?\d"
    with Cube(cube_path) as cube, pytest.raises(DataError, match=message):
        cube.rows(copy=0)


def test_names_beyond_ascii_come_back(tmp_path):
    rows = [make_row("Ärztin_κ", subject="Müller, 山田")]

    with Cube(write_cube(tmp_path / "cube.h5", rows)) as cube:
        assert cube.case_ids == ["Ärztin_κ"]
        assert cube.subjects == ["Müller, 山田"]


def test_box_of_a_row_is_read_alone(cube_path):
    box = (slice(1, 3), slice(None), slice(4, 6))

    with Cube(cube_path) as cube:
        np.testing.assert_array_equal(cube.image(2, box), make_row("x").image[box])
        np.testing.assert_array_equal(cube.label(2, box), make_label()[box])


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
def test_rows_of_a_split_and_of_a_copy(cube_path, split, copy, expected):
    with Cube(cube_path) as cube:
        assert cube.rows(split, copy) == expected


def test_rows_of_an_unknown_split_are_refused(cube_path):
    with Cube(cube_path) as cube, pytest.raises(ValueError, match="Received: training"):
        cube.rows("training")


def test_grid_of_a_row_lies_in_the_world_of_its_scan(tmp_path):
    affine = np.diag([-2.0, 1, 0.5, 1])
    affine[:3, 3] = 10, 20, 30
    rows = [make_row("ann"), replace(make_row("ben"), affine=affine)]

    with Cube(write_cube(tmp_path / "cube.h5", rows)) as cube:
        grid = cube.grid(1)

    assert grid.shape == SHAPE
    assert grid.orientation == "LAS"
    np.testing.assert_array_equal(grid.to_world((1, 1, 1)), (8, 21, 30.5))


def test_names_of_label_values_are_read_and_are_no_part_of_the_content(tmp_path):
    rows = clean_rows()
    named = {**rows[0].source, "label_names": {"20": "L1", "7": "disc"}}

    with (
        Cube(write_cube(tmp_path / "first.h5", rows)) as cube,
        Cube(
            write_cube(
                tmp_path / "second.h5", [replace(rows[0], source=named), *rows[1:]]
            )
        ) as other,
    ):
        assert other.label_names_of(0) == {20: "L1", 7: "disc"}
        assert cube.label_names_of(0) == other.label_names_of(2) == {}
        assert cube.checksum == other.checksum


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
def test_checksum_changes_with_every_column_of_text(tmp_path, change):
    rows = clean_rows()
    with Cube(write_cube(tmp_path / "first.h5", rows)) as cube:
        before = cube.checksum
    rows[2] = replace(rows[2], **change)

    with Cube(write_cube(tmp_path / "second.h5", rows)) as cube:
        assert cube.checksum != before


def test_missing_file_and_folder_are_refused(tmp_path):
    with pytest.raises(DataError, match="no such cube"):
        Cube(tmp_path / "cube.h5")
    with pytest.raises(DataError, match="no such cube"):
        Cube(tmp_path)


OTHER_PROCESS = """
from cube.reader import Cube
with Cube({cube_path!r}) as cube:
    print(cube.label(2).sum())
"""


def test_cube_is_read_by_two_processes_at_once(cube_path):
    code = OTHER_PROCESS.format(cube_path=str(cube_path))
    with Cube(cube_path) as cube:
        ran = subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
        )

        assert (ran.returncode, ran.stderr) == (0, "")
        assert int(ran.stdout) == cube.label(2).sum()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("split", "training", "must use the splits train, .*Received: .'training'.$"),
        ("case_id", "x" * 1001, r"in at most 1000 characters"),
        ("case_id", "a\nfault  b", r"without control characters. .*'a.nfault  b'"),
        ("subject", "a\x1b[2J", r"without control characters. .*'a.x1b\[2J'"),
        ("drawn", "[1]", r"valid JSON object in `drawn` of row 1"),
        ("drawn", '{"rescaling": [0, 0, 0]}', r"valid JSON object in `drawn`"),
        ("drawn", '{"rescaling": "x"}', r"valid JSON object in `drawn`"),
        ("drawn", '{"rotation": [1, [2]]}', r"valid JSON object in `drawn`"),
        ("drawn", f'{{"rotation": 1{"0" * 400}}}', r"valid JSON object in `drawn`"),
        ("drawn", f'{{"rescaling": 1{"0" * 400}}}', r"valid JSON object in `drawn`"),
        ("drawn", '{"a\\nb": 1}', r"valid JSON object in `drawn`"),
        (
            "drawn",
            '{"a": ' * 20 + "1" + "}" * 20,
            r"valid JSON object in `drawn`",
        ),
        ("source", "{", r"valid JSON object in `source` of row 1"),
        ("source", "{}", r"valid JSON object in `source` of row 1"),
        (
            "source",
            '{"content_checksum": "a", "spacing": [1, 1, 1], "orientation": "XYZ"}',
            r"valid JSON object in `source` of row 1",
        ),
        (
            "source",
            '{"content_checksum": "a", "spacing": [1, 1, 1], "orientation": "RAS", '
            '"label_names": {"x": "L1"}}',
            r"valid JSON object in `source` of row 1",
        ),
        ("extent", [[0, 7], [0, 8], [0, 10]], "must hold in `extent` boxes inside"),
        ("extent", [[3, 2], [0, 8], [0, 10]], "must hold in `extent` boxes inside"),
        ("extent", [[-1, 2], [0, 8], [0, 10]], "must hold in `extent` boxes inside"),
        ("affine", np.zeros((4, 4)), "must hold a grid in `affine` of row 1"),
        ("affine", np.full((4, 4), np.nan), "must hold a grid in `affine` of row 1"),
    ],
)
def test_invalid_row_is_refused(cube_path, name, value, message):
    with h5py.File(cube_path, "r+") as file:
        file[name][1] = value
    readers = {
        "case_id": "case_ids",
        "subject": "subjects",
        "split": "splits",
        "drawn": "drawn",
        "source": "sources",
    }

    def read(cube):
        return getattr(cube, readers.get(name, "extents")), cube.grid(1)

    with pytest.raises(DataError, match=message), Cube(cube_path) as cube:
        read(cube)
