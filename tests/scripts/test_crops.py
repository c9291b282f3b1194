"""Cutting scans to a few vertebrae, in benchmarks/crops.py."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks import crops
from cube.pairs import read_pairs
from models.metadata import ModelMetadata
from system.errors import DataError
from volumes.formats.files import (
    read_label_map,
    read_volume,
    write_image,
    write_label_map,
)
from volumes.geometry import Grid, affine_from
from volumes.volume import Segment, Volume

# I -> inferior: the first planes lie highest.
SPACING = (4.0, 2.0, 1.0)
GRID = Grid(
    (50, 20, 30),
    affine_from(SPACING, (-70, 12, 800), [[0, 0, 1], [0, 1, 0], [-1, 0, 0]]),
)
DOWNWARDS = (3, 1, 5, 2, 4)
METADATA = ModelMetadata(
    model="unet3d",
    spacing=(1.0, 2.0, 4.0),
    patch_size=(64, 64, 64),
    class_names=("background", "spine"),
    label_values=((), (1,)),
    intensity=("window", -200, 200),  # 0 to 0, 200 to 1
    architecture={"depth": 1},
    cube_checksum="",
)


class Copier:
    """Stands in for a network: a voxel is the probability of the spine."""

    def predict_on_batch(self, batch):
        return np.concatenate([1 - batch, batch], axis=-1)


@pytest.fixture
def labels():
    """Five vertebrae of 4 x 6 x 8 voxels, from plane 5 on, each 8 below the last."""
    labels = np.zeros(GRID.shape, np.uint16)
    for place, value in enumerate(DOWNWARDS):
        labels[5 + 8 * place : 9 + 8 * place, 9:15, 3:11] = value
    return labels


def write_case(folder, labels, segments=()):
    image = np.where(labels > 0, 200, 0).astype(np.int16)
    write_image(folder / "ann.nrrd", image, GRID)
    name = "ann.seg.nrrd" if segments else "ann_label.nrrd"
    like = Volume(image, GRID, folder / "ann.nrrd")
    write_label_map(folder / name, labels, like=like, segments=segments)
    (folder / "pairs.txt").write_text(f'ann.nrrd,{name},"Ann, 1st",train\n')
    return folder / "pairs.txt"


@pytest.mark.parametrize(
    ("count", "upwards"), [(3, [2, 5, 1]), (2, [2, 5]), (9, [4, 2, 5, 1, 3])]
)
def test_middle_vertebrae_go_by_height_and_not_by_value(labels, count, upwards):
    assert crops.middle_vertebrae(labels, GRID, count) == upwards


def test_crop_has_the_margin_and_its_place(tmp_path, labels):
    pairs = write_case(tmp_path, labels)

    words = [str(pairs), "--output", str(tmp_path / "out"), "--margin", "7", "--test"]
    assert crops.main(words) == 0

    (pair,) = read_pairs(tmp_path / "out" / "pairs.txt")
    assert (pair.subject, pair.split) == ("Ann, 1st", "test")
    # 13 to 33 along I; 7 mm are 2, 4 and 7 voxels, of which K has but 3 below.
    box = (slice(11, 35), slice(5, 19), slice(0, 18))
    image = read_volume(pair.image)
    np.testing.assert_array_equal(image.array, 200 * (labels[box] > 0))
    np.testing.assert_array_equal(read_label_map(pair.label).array, labels[box])
    np.testing.assert_allclose(image.grid.origin, GRID.to_world((11, 5, 0)))
    np.testing.assert_allclose(image.grid.spacing, SPACING)


def test_structures_with_other_names_are_left_out(tmp_path, labels):
    named = [Segment(value, f"L{value}", (1, 0, 0)) for value in (1, 2, 4, 5)]
    pairs = write_case(tmp_path, labels, [*named, Segment(3, "heart", (0, 1, 0))])

    case = crops.read_case(read_pairs(pairs)[0])

    np.testing.assert_array_equal(case.labels, np.where(labels == 3, 0, labels))
    assert case.names == {1: "L1", 2: "L2", 4: "L4", 5: "L5"}


def test_label_map_without_vertebrae_is_refused(tmp_path, labels):
    names = ("heart", "liver", "aorta", "lung", "spleen")
    segments = [Segment(n, name, (1, 0, 0)) for n, name in enumerate(names, 1)]
    pairs = write_case(tmp_path, labels, segments)

    with pytest.raises(DataError, match=r"must label a vertebra\. Received: none"):
        crops.read_case(read_pairs(pairs)[0])


def test_crop_and_box_of_the_whole_scan_are_scored(labels):
    bright = np.where(labels > 0, 200, 0).astype(np.int16)
    bright[40, 0, 20:25] = 200  # 5 false positives outside the box
    bright[14, 9, 3] = 0  # and a voxel missed inside
    case = crops.Case(Volume(bright, GRID, Path("ann.nrrd")), labels, {})
    box = crops.box_around(np.isin(labels, (2, 5, 1)), (1, 1, 1))

    found = crops.score(Copier(), METADATA, case, box)

    # 5 * 192 and 3 * 192 voxels in the reference.
    assert found == pytest.approx(
        {
            "whole_scan": 2 * 959 / (960 + 964),
            "box_of_whole_scan": 2 * 575 / (576 + 575),
            "crop": 2 * 575 / (576 + 575),
        }
    )
