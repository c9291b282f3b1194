from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.scans import make_case

import makeCube
from augment.compose import Compose
from cube.plan import describe_plan, list_inputs, plan_cube
from system.errors import DataError


@pytest.fixture
def plan_of(tmp_path):
    """Plan cases with makeCube.py's default flags, but for some."""

    def plan(cases, **changes):
        flags = ["pairs.txt", "--output", str(tmp_path / "cube.h5"), "--side", "8"]
        args = {**vars(makeCube.parse_args(flags)), **changes}
        return plan_cube(cases, args, Compose([]), tmp_path / "cube.h5")

    return plan


def test_only_training_cases_get_copies(plan_of):
    cases = [make_case(name) for name in "abcde"]

    plan = plan_of(cases, copies=3, validation=0.2, test=0.4)

    # 5 * 0.2 = 1 and 5 * 0.4 = 2 of five subjects.
    assert sorted(zip(plan.splits, plan.copies, strict=True)) == [
        ("test", 0),
        ("test", 0),
        ("train", 3),
        ("train", 3),
        ("validation", 0),
    ]
    assert plan.num_rows == 5 + 2 * 3


def test_duplicate_is_planned_only_if_allowed(plan_of):
    cases = [make_case(name, content_checksum="x") for name in ("ann", "ben")]

    with pytest.raises(DataError, match="the same: ann and ben"):
        plan_of(cases, validation=0, test=0)
    assert len(plan_of(cases, validation=0, test=0, allow_duplicates=True).cases) == 2


def test_inputs_list_the_flags_and_what_each_case_is_built_from(plan_of):
    plan = plan_of([make_case("ann", subject="anna")], validation=0, test=0)

    inputs = list_inputs(plan, {"bias_field": 0.3}, Path.cwd().parent)

    assert inputs["--bias-field"] == 0.3
    assert inputs["number of cases"] == 1
    assert inputs["case 1 of the list"] == "ann"
    # 6 slices of 3 mm are the longest side: 18 / 8.
    assert inputs["spacing in mm"] == (2.25, 2.25, 2.25)
    assert inputs["subject of case 'ann'"] == "anna"
    assert inputs["split of case 'ann'"] == "train"
    image = f"{Path.cwd().name}/ann.nrrd"  # from the cube's folder
    assert inputs["image of case 'ann'"] == f"{image}, SHA-256 "
    assert inputs["version of numpy"] == np.__version__


def test_description_lists_each_note_once_with_its_cases(plan_of, tmp_path):
    cases = [replace(make_case(name), notes=("no unit",)) for name in ("ann", "ben")]

    lines = describe_plan(
        plan_of(cases, validation=0, test=0, copies=2), tmp_path / "cube.h5"
    ).splitlines()

    assert lines[0].startswith("grid      16 x 16 x 16 voxels of 2.25 x 2.25 x 2.25 mm")
    assert lines[2] == "rows      2 scans and 4 copies"
    assert lines.count("note      no unit (2 cases, first ann)") == 1
    assert lines[-1].split() == ["spine", "0", "0", "0", "0", "0", "0"]
    one = plan_of(cases[:1], validation=0, test=0, copies=1)
    lines = describe_plan(one, tmp_path / "cube.h5").splitlines()
    assert lines[2] == "rows      1 scan and 1 copy"
    assert "note      no unit (case ann)" in lines
