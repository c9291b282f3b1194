import h5py
import numpy as np
import pytest
from support.cubes import CLASS_NAMES, clean_rows, write_cube

from cube.attributes import ATTRIBUTES, OPTIONAL_ATTRIBUTES
from cube.reader import Cube
from system.errors import DataError


def test_hdf5_file_of_another_program_is_refused(tmp_path):
    with h5py.File(tmp_path / "cube.h5", "w") as file:
        file["image"] = np.zeros((2, 3, 4))

    with pytest.raises(DataError, match="is an HDF5 file but not a cube of makeCube"):
        Cube(tmp_path / "cube.h5")


def test_other_format_version_is_refused(cube_path):
    with h5py.File(cube_path, "r+") as file:
        file.attrs["format_version"] = 99

    with pytest.raises(DataError, match=r"version 3 or older\. Received: 99"):
        Cube(cube_path)


def test_format_version_1_is_read_without_its_later_attributes(cube_path):
    with h5py.File(cube_path, "r+") as file:
        assert file.attrs["format_version"] == 2
        file.attrs["format_version"] = 1
        for name in OPTIONAL_ATTRIBUTES:
            file.attrs.pop(name, None)

    with Cube(cube_path) as cube:
        assert cube.class_names == CLASS_NAMES


@pytest.mark.parametrize("name", ["image", "extent", "drawn"])
def test_cube_without_a_dataset_is_refused_by_its_name(cube_path, name):
    with h5py.File(cube_path, "r+") as file:
        del file[name]

    with pytest.raises(DataError, match=f"cube.h5 lacks {name}"):
        Cube(cube_path)


@pytest.mark.parametrize("name", [*ATTRIBUTES, "complete"])
def test_cube_without_an_attribute_is_refused_by_its_name(cube_path, name):
    with h5py.File(cube_path, "r+") as file:
        del file.attrs[name]

    with pytest.raises(DataError, match=f"cube.h5 lacks {name}"):
        Cube(cube_path)


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


def numbers_as_text(file, other):
    del file["copy"]
    file["copy"] = ["0", "1", "0", "0"]


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
        (numbers_as_text, r"must hold `copy` of shape and type .*int64"),
        (fewer_rows, r"must hold `copy` of shape and type .*4,.*Received: .*3,"),
    ],
)
def test_dataset_of_wrong_kind_shape_or_type_is_refused(cube_path, change, message):
    other = write_cube(cube_path.with_name("other.h5"), clean_rows())
    with h5py.File(cube_path, "r+") as file:
        change(file, other)

    with pytest.raises(DataError, match=message):
        Cube(cube_path)


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
        ("spacing", "[1, true, 1]"),
        ("spacing", '[1, "1", 1]'),
        ("class_names", '["background", "a\\nb", "c"]'),
        ("class_names", '["background", "\\ud800", "c"]'),
        ("class_names", '{"background": 0, "a": 1, "b": 2}'),
        ("intensity", '["window", "-200", "1000"]'),
        ("intensity", '["window", 0, 1e-320]'),
        ("intensity", f'["window", 0, 1{"0" * 400}]'),
        ("intensity", '{"zscore": 1}'),
        ("arguments", '{"seed": true}'),
        ("arguments", '{"seed": -1}'),
        ("arguments", '{"seed": 0, "rotation": "10"}'),
        ("arguments", '{"seed": 0, "rotation": 1e308}'),
        ("arguments", '{"seed": 0, "rotation": NaN}'),
        ("arguments", '{"seed": 0, "gamma": 1}'),
        ("arguments", '{"seed": 0, "gamma": [1.5, 0.7]}'),
        ("left_out", "{"),
        ("left_out", "5"),
        ("left_out", "[1]"),
        ("left_out", '{"ann": 1}'),
        ("origin", "[]"),
        ("origin", '{"pairs": 5}'),
        ("built_in", "{"),
        ("built_in", '"a\\u0000b"'),
        ("request", "5"),
        ("request", np.bytes_(b'"text of bytes"')),
        ("class_members", '[[], "L1", "L2"]'),
        ("class_members", '[[], [70000], ["L2"]]'),
        ("class_members", '[[], [true], ["L2"]]'),
    ],
)
def test_invalid_attribute_is_refused_by_its_name(cube_path, name, text):
    with h5py.File(cube_path, "r+") as file:
        file.attrs[name] = text

    with pytest.raises(DataError, match=f"must hold a valid `{name}`. Received: "):
        Cube(cube_path)


def test_label_values_for_too_few_classes_are_refused(cube_path):
    with h5py.File(cube_path, "r+") as file:
        file.attrs["label_values"] = "[[], [20]]"

    with pytest.raises(DataError, match=r"values for each class\. Received: 2 for 3"):
        Cube(cube_path)


def test_structures_for_too_few_classes_are_refused(cube_path):
    with h5py.File(cube_path, "r+") as file:
        file.attrs["class_members"] = '[[], ["L1"]]'

    with pytest.raises(DataError, match=r"structures for each class\. .*: 2 for 3"):
        Cube(cube_path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"chunks": (1, 1, 8, 10)}, r"all of `image`, not compressed, .* Received: 0"),
        ({"chunks": (4, 6, 8, 10)}, r"`image` in chunks of \(1, 1, 8, 10\)"),
        ({}, r"`image` in chunks of .* Received: None"),
    ],
)
def test_voxels_that_are_declared_but_not_stored_are_refused(
    cube_path, options, message
):
    with h5py.File(cube_path, "r+") as file:
        shape = file["image"].shape
        del file["image"]
        file.create_dataset("image", shape, np.float16, **options)

    with pytest.raises(DataError, match=message):
        Cube(cube_path)
