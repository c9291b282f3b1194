from collections import Counter

import pytest
from support.cubes import make_row, write_cube

from cube.folds import (
    FoldedCube,
    assign_folds,
    describe_splits,
    open_cube,
    record_splits,
    training_rows,
)
from cube.reader import Cube
from system.errors import UsageError

# Thirteen scans of eight people.
SUBJECTS = [*"abcdefgh", "b", "b", "e", "e", "e"]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("folds", "sizes"), [(3, [3, 3, 2]), (5, [2, 2, 2, 1, 1])])
def test_every_subject_is_in_one_fold_and_folds_are_even(folds, sizes, seed):
    found = assign_folds(SUBJECTS, folds, seed)

    assert set(found) == set(SUBJECTS)
    assert sorted(Counter(found.values()).values(), reverse=True) == sizes


@pytest.mark.parametrize("seed", range(5))
def test_subjects_with_many_scans_are_spread(seed):
    # Of 4, 3 and six times 1 scan: 4, 3, then 1 + 1 three times.
    found = assign_folds(SUBJECTS, 5, seed)

    scans = Counter(found[subject] for subject in SUBJECTS)
    assert sorted(scans.values()) == [2, 2, 2, 3, 4]


def test_folds_depend_on_the_seed_and_not_on_the_order_of_scans():
    first = assign_folds(SUBJECTS, 3, 1)

    assert assign_folds(SUBJECTS[::-1], 3, 1) == first
    assert assign_folds(SUBJECTS, 3, 2) != first


def test_fewer_subjects_than_folds_are_refused():
    with pytest.raises(UsageError, match=r"4 folds need.*Received: 3 subjects"):
        assign_folds("aabbbc", 4, 0)


@pytest.fixture
def path(tmp_path):
    """Scans of five subjects; ann has two, ben no copy, eve is the cube's own test."""
    rows = [
        make_row("ann1", subject="ann"),
        make_row("ann1", subject="ann", copy=1),
        make_row("ann1", subject="ann", copy=2),
        make_row("ann2", subject="ann"),
        make_row("ann2", subject="ann", copy=1),
        make_row("ann2", subject="ann", copy=2),
        make_row("ben", split="validation"),
        make_row("cid"),
        make_row("cid", copy=1),
        make_row("cid", copy=2),
        make_row("dan"),
        make_row("dan", copy=1),
        make_row("dan", copy=2),
        make_row("eve", split="test"),
    ]
    return write_cube(tmp_path / "cube.h5", rows)


def cases(cube, split, **which):
    return {cube.case_ids[row] for row in cube.rows(split, **which)}


@pytest.mark.parametrize("folds", [3, 4])
def test_each_scan_is_tested_in_one_fold_and_validated_in_the_one_before(path, folds):
    tested, validated = [], []
    for fold in range(folds):
        with FoldedCube(path, fold, folds) as cube:
            tested.append(cases(cube, "test"))
            validated.append(cases(cube, "validation"))

    once = Counter(case_id for found in tested for case_id in found)
    assert once == Counter(["ann1", "ann2", "ben", "cid", "dan"])
    assert validated == [*tested[1:], tested[0]]
    assert {"ann1", "ann2"} <= next(found for found in tested if "ann1" in found)


@pytest.mark.parametrize("fold", range(3))
def test_no_split_has_a_copy_of_a_scan_that_is_held_out(path, fold):
    with FoldedCube(path, fold, 3) as cube:
        held_out = cases(cube, "validation") | cases(cube, "test") | {"eve"}
        rows = {
            row for split in ("train", "validation", "test") for row in cube.rows(split)
        }

        assert not cases(cube, "train") & held_out
        assert cases(cube, "train") | held_out == set(cube.case_ids)
        assert not [
            row for row in rows if cube.copies[row] and cube.case_ids[row] in held_out
        ]
        # The copies of what is trained on are all there.
        trained = cases(cube, "train") - {"ben"}
        assert len(cube.rows("train")) == 3 * len(trained) + (
            "ben" in cases(cube, "train")
        )


def test_the_cube_s_own_test_scans_are_in_no_fold(path):
    for fold in range(4):
        with FoldedCube(path, fold, 4) as cube:
            assert cube.splits[-1] == ""


def test_too_many_folds_for_the_subjects_are_refused(path):
    with (
        FoldedCube(path, 0, 5) as cube,
        pytest.raises(UsageError, match=r"5 folds need.*Received: 4 subjects"),
    ):
        cube.rows("train")


@pytest.mark.parametrize(("fold", "folds"), [(-1, 3), (3, 3), (0, 2)])
def test_invalid_fold_is_refused(path, fold, folds):
    with pytest.raises(ValueError, match=f"Received: fold={fold}, folds={folds}"):
        FoldedCube(path, fold, folds)


def test_each_case_is_drawn_as_often_as_the_others(path):
    copyless = 0
    for fold in range(4):
        with FoldedCube(path, fold, 4) as cube:
            drawn = Counter(cube.case_ids[row] for row in training_rows(cube))
            scans = Counter(cube.case_ids[row] for row in training_rows(cube, copy=0))
            trained = cases(cube, "train")

        # Three rows of each case, also of ben, who has but one.
        assert drawn == dict.fromkeys(trained, 3)
        assert scans == dict.fromkeys(trained, 1)
        copyless += "ben" in trained
    assert copyless == 2  # of 4 folds: the others test and validate him


def test_without_folds_the_cube_s_own_splits_are_used(path):
    with open_cube(path, None, None) as cube:
        assert type(cube) is Cube
        assert cube.splits[-1] == "test"
        assert training_rows(cube)[:6] == list(range(6))
        record = record_splits(cube)

    assert (record["fold"], record["folds"]) == (None, None)
    eve = {"case_id": "eve", "subject": "subject of eve", "split": "test", "fold": None}
    assert record["cases"][-1] == eve


def test_splits_are_recorded_and_described(path):
    with open_cube(path, 1, 3) as cube:
        record = record_splits(cube)
        tested = sorted(cases(cube, "test"))

    told = describe_splits(record).splitlines()
    assert (record["fold"], record["folds"], record["seed"]) == (1, 3, 0)
    assert len(record["cases"]) == 6
    folds = {case["case_id"]: case["fold"] for case in record["cases"]}
    assert folds["ann1"] == folds["ann2"]
    assert sorted(name for name, fold in folds.items() if fold == 1) == tested
    assert told[0] == "Fold 1 of 3, by subject"
    assert told[3] == f"  test        {', '.join(tested)}"
    assert told[4] == "  left out    eve: the cube's test cases"
