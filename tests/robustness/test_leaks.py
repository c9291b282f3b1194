"""Nothing of a validation or test case leaks into training."""

from dataclasses import fields

import numpy as np
import pytest
from support.places import SHARED
from support.scans import (
    GRID,
    NAMES,
    build,
    make_case,
    write_list,
    write_scan,
    write_scans,
)

import makeCube
from augment.compose import Compose
from cube.plan import plan_cube
from cube.reader import Cube
from cube.writer import CubeRow
from system.errors import UsageError

REAL_LISTS = SHARED / "data" / "pairs"
SPLITS = dict(zip(NAMES, ("train", "validation", "test", "train"), strict=True))


def list_of(splits):
    return [f"{n}.nrrd,{n}_label.nrrd,,{split}" for n, split in splits.items()]


@pytest.fixture
def scans(tmp_path):
    write_scans(tmp_path)
    write_list(tmp_path, list_of(SPLITS))
    return tmp_path


def rows_of(path, splits):
    """Return all columns of the rows of some splits, images as bits."""
    with Cube(path) as cube:
        rows = [row for split in splits for row in cube.rows(split)]
        columns = {
            name: [cube.dataset(name)[row] for row in rows]
            for name in (field.name for field in fields(CubeRow))
        }
    columns["image"] = [image.view(np.uint16) for image in columns["image"]]
    return columns


@pytest.mark.slow
def test_no_subject_is_in_two_splits_and_no_copy_outside_training(tmp_path):
    rng = np.random.default_rng(0)
    planned = 0
    for seed in range(150):
        subjects = rng.integers(0, rng.integers(1, 30), rng.integers(1, 40)).astype(str)
        cases = [make_case(str(n), subject=s) for n, s in enumerate(subjects)]
        shares = dict(zip(("validation", "test"), rng.uniform(0, 0.6, 2), strict=True))
        args = {
            **vars(makeCube.parse_args(["pairs.txt", "--output", "cube.h5"])),
            **{"copies": 3, "seed": seed, "side": 8, **shares},
        }
        try:
            plan = plan_cube(cases, args, Compose([]), tmp_path / "cube.h5")
        except UsageError:  # too few subjects for these shares
            continue
        planned += 1

        splits = {}
        for subject, split in zip(subjects, plan.splits, strict=True):
            splits.setdefault(subject, set()).add(split)
        assert all(len(found) == 1 for found in splits.values())
        copies = set(zip(plan.splits, plan.copies, strict=True))
        assert copies <= {("train", 3), ("validation", 0), ("test", 0)}

    assert planned > 80


@pytest.mark.parametrize("flags", [("--spacing", 3, 1.5, 1.5), ("--side", 12)])
def test_validation_and_test_rows_do_not_depend_on_the_training_cases(scans, flags):
    outside = ("validation", "test")
    build(scans, *flags)
    expected = rows_of(scans / "cube.h5", outside)
    assert len(expected["image"]) == 2

    image = np.random.default_rng(5).integers(0, 9000, GRID.shape).astype(np.int16)
    write_scan(scans, "ann", image=image, label=np.ones(GRID.shape, np.uint8))
    splits = {name: split for name, split in SPLITS.items() if name != "dan"}
    write_list(scans, list_of(splits))
    build(scans, *flags, "--force", "--copies", 2)

    found = rows_of(scans / "cube.h5", outside)
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values, err_msg=name)


def test_images_do_not_depend_on_the_label_maps(scans):
    flags = ("--spacing", 3, 1.5, 1.5, "--copies", 2)
    build(scans, *flags)
    before = rows_of(scans / "cube.h5", ("train", "validation", "test"))

    for number, name in enumerate(NAMES):
        rng = np.random.default_rng(list(name.encode()))
        image = rng.integers(0, 900, GRID.shape).astype(np.int16)
        label = np.zeros(GRID.shape, np.uint8)
        label[number : number + 5, 1:9] = 3
        write_scan(scans, name, image=image, label=label)
    build(scans, *flags, "--force")

    after = rows_of(scans / "cube.h5", ("train", "validation", "test"))
    np.testing.assert_array_equal(after["image"], before["image"])
    assert any(
        (one != other).any()
        for one, other in zip(after["label"], before["label"], strict=True)
    )


@pytest.mark.skipif(not REAL_LISTS.is_dir(), reason="the real scans are not here")
@pytest.mark.slow
def test_real_scan_under_two_names_is_refused_unless_allowed(tmp_path, capsys):
    pairs = REAL_LISTS / "with_duplicate.txt"
    flags = ["--output", str(tmp_path / "cube.h5"), "--side", "16", "--copies", "0"]

    assert makeCube.main([str(pairs), *flags, "--workers", "1"]) == 1
    assert "these are the same: VB3_18 and VB3_19" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []

    assert makeCube.main([str(pairs), *flags, "--allow-duplicates"]) == 0


@pytest.mark.skipif(not REAL_LISTS.is_dir(), reason="the real scans are not here")
def test_real_label_map_of_another_shape_is_refused_with_both(tmp_path, capsys):
    pairs = REAL_LISTS / "with_broken.txt"
    flags = ["--output", str(tmp_path / "cube.h5"), "--workers", "1"]

    assert makeCube.main([str(pairs), *flags]) == 1

    first, image, label, remedy = capsys.readouterr().err.splitlines()
    assert "case 'VB2_02' are on different grids, their shapes differ" in first
    assert "image.nrrd: shape (381, 381, 76)" in image
    assert "label.nrrd: shape (381, 381, 77)" in label
    assert "In 3D Slicer, module Segmentations" in remedy
    assert list(tmp_path.iterdir()) == []
