from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from support.cubes import clean_rows, make_row, write_cube
from support.scans import named

from cube.class_choice import choose_classes
from cube.class_report import (
    count_classes,
    describe_classes,
    describe_untrained,
    untrained_classes,
)
from cube.folds import FoldedCube
from cube.reader import Cube


def without_l2(row):
    return replace(row, label=np.where(row.label == 2, 0, row.label).astype(np.uint8))


def with_counts(row):
    counts = np.bincount(row.label.ravel(), minlength=3).tolist()
    return replace(row, source={**row.source, "class_voxels": counts})


@pytest.mark.parametrize("change", [with_counts, lambda row: row])
def test_class_that_only_other_splits_hold_is_found(tmp_path, change):
    rows = [row if row.split == "test" else without_l2(row) for row in clean_rows()]
    write_cube(tmp_path / "cube.h5", [change(row) for row in rows])

    with Cube(tmp_path / "cube.h5") as cube:
        assert untrained_classes(cube) == {"L2": ["cid"]}


def test_voxels_of_classes_are_those_stored_with_the_row(tmp_path):
    row = with_counts(make_row("ann"))
    path = write_cube(tmp_path / "cube.h5", [row])

    with Cube(path) as cube:
        # 6 * 8 * 10 voxels, 24 of L1 and 16 of L2.
        assert count_classes(cube, 0) == [440, 24, 16]
    with h5py.File(path, "r+") as file:
        file["source"][0] = file["source"].asstr()[0].replace("[440, 24, 16]", "[1]")
    with Cube(path) as cube:
        assert count_classes(cube, 0) == [440, 24, 16]


def test_class_that_no_scan_holds_and_cube_without_training(tmp_path):
    rows = [without_l2(row) for row in clean_rows()]
    path = write_cube(tmp_path / "cube.h5", rows)
    only_test = write_cube(tmp_path / "test.h5", [without_l2(clean_rows()[3])])

    with Cube(path) as cube, Cube(only_test) as test:
        assert untrained_classes(cube) == {"L2": []}
        assert untrained_classes(test) == {}
    assert describe_untrained({"L2": [], "T1": ["a", "b"]}) == [
        "no training scan holds class L2, and no other does",
        "no training scan holds class T1, only a, b",
    ]


def test_fold_that_tests_the_only_scan_of_a_class_lacks_it(tmp_path):
    rows = [make_row("ann"), without_l2(make_row("ben")), without_l2(make_row("cid"))]
    path = write_cube(tmp_path / "cube.h5", rows)

    lacking = []
    for fold in range(3):
        with FoldedCube(path, fold, 3) as cube:
            lacking.append((cube.splits[0], untrained_classes(cube)))

    assert sorted(lacking, key=str) == [
        ("test", {"L2": ["ann"]}),
        ("train", {}),
        ("validation", {"L2": ["ann"]}),
    ]


def test_named_classes_may_be_absent_and_that_is_said(mixed, bare):
    classes = choose_classes(["T11", "L1", "L5", "x=L2,foo"], mixed)

    assert describe_classes(classes, mixed, ["train", "test"]) == [
        "class T11 occurs in no scan",
        "class L5 occurs in no training scan, only in ben",
        "'foo' of class x occurs in no scan",
        "in no class, so background: T12, sacrum",
    ]
    classes = choose_classes(["T11=18", "L1=20"], bare)
    assert describe_classes(classes, bare, ["train", "test"])[0] == (
        "class T11 occurs in no scan"
    )


def test_cube_without_training_scans_lacks_none_of_them(mixed):
    classes = choose_classes(["L5", "low=L1,L2,T12,sacrum"], mixed)

    assert describe_classes(classes, mixed, ["test", "test"]) == []


def test_long_lists_of_unused_structures_are_cut():
    case = named("ann", {n: f"structure {n}" for n in range(1, 200)})
    case = replace(case, pair=replace(case.pair, label=Path("l.nrrd")))

    (line,) = describe_classes(
        choose_classes(["x=structure 1"], [case]), [case], ["train"]
    )

    assert line.startswith("in no class, so background: structure 10, structure 100, ")
    assert len(line) < 200


def test_ignored_structures_are_described_and_not_listed_as_unused(mixed):
    classes = choose_classes(["L1", "L2", "ignore=T12"], mixed)

    assert describe_classes(classes, mixed, ["train", "train"]) == [
        "ignored, without loss and score: T12, in 1 of 2 scans",
        "in no class, so background: L5, sacrum",
    ]
    absent = choose_classes(["L1", "ignore=255"], mixed)
    lines = describe_classes(absent, mixed, ["train", "train"])
    assert lines[0] == "255, to be ignored, occurs in no scan"
