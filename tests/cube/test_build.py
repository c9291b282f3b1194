"""Builds of a cube in which some cases fail: errors, and what is left out."""

import numpy as np
import pytest
from support.scans import FLAGS, NAMES, beside_the_scans, build, write_list, write_scan

import cube.case_build
import cube.plan
from cube.reader import Cube
from system.errors import DataError


def fail_at(case_id, monkeypatch, error):
    """Make a scan fail that was valid in the survey."""
    read = cube.case_build.read_finite_volume

    def failing(path, max_voxels):
        if path.stem == case_id:
            raise error
        return read(path, max_voxels)

    monkeypatch.setattr(cube.case_build, "read_finite_volume", failing)


@pytest.mark.parametrize(
    "error", [DataError("cid.nrrd is gone"), MemoryError("Unable to allocate")]
)
def test_case_that_cannot_be_built_does_not_stop_the_others(
    scans, monkeypatch, capsys, built, error
):
    with pytest.MonkeyPatch.context() as patch:
        fail_at("cid", patch, error)

        assert build(scans, *FLAGS) == 1

    assert built == list(NAMES)
    kept, reason = capsys.readouterr().err.splitlines()
    assert kept.endswith("cube.h5.parts: 3. Use --resume to continue.")
    assert str(error) in reason
    assert "cid" in reason
    built.clear()
    assert build(scans, *FLAGS, "--resume") == 0
    assert built == ["cid"]


def test_unusable_scans_are_left_out_with_on_error_skip(scans, monkeypatch, capsys):
    write_scan(scans, "ann", label=np.full((14, 11, 6), 0.5, np.float32))
    (scans / "ben.nrrd").unlink()
    write_scan(scans, "eve")
    write_list(scans, [f"{n}.nrrd,{n}_label.nrrd" for n in (*NAMES, "eve")])
    fail_at("cid", monkeypatch, DataError("cid.nrrd changed"))

    code = build(scans, "--validation", 0, *FLAGS, "--on-error", "skip")

    assert code == 0
    told = capsys.readouterr()
    assert "left out  " in told.err
    assert "ann_label.nrrd: the values of a label map must be" in told.err
    assert "ben.nrrd" in told.err
    assert told.out.count("left out  ") == 3
    assert beside_the_scans(scans) == ["cube.h5"]
    with Cube(scans / "cube.h5") as cube:
        assert sorted(set(cube.case_ids)) == ["dan", "eve"]
        assert set(cube.left_out) == {"ann", "ben", "cid"}
        assert "must be integers" in cube.left_out["ann"]
        assert cube.left_out["cid"] == "cid.nrrd changed"


def test_list_without_a_usable_scan_gives_no_cube(scans, capsys):
    for name in NAMES:
        (scans / f"{name}.nrrd").unlink()

    assert build(scans, *FLAGS, "--on-error", "skip") == 1

    assert capsys.readouterr().err.count("\n") == 4
    assert beside_the_scans(scans) == []


def test_complete_list_leaves_no_case_out(scans):
    build(scans, *FLAGS)

    with Cube(scans / "cube.h5") as cube:
        assert cube.left_out == {}


def test_cube_without_some_cases_is_resumed_only_with_on_error_skip(
    scans, monkeypatch, capsys
):
    fail_at("cid", monkeypatch, DataError("cid.nrrd cannot be built"))
    assert build(scans, *FLAGS, "--on-error", "skip") == 0
    capsys.readouterr()

    assert build(scans, *FLAGS, "--resume") == 1
    assert capsys.readouterr().err.endswith("cid.nrrd cannot be built\n")
    assert build(scans, *FLAGS, "--resume", "--on-error", "skip") == 0


@pytest.mark.parametrize("name", ["cid.nrrd", "cid_label.nrrd"])
def test_scan_that_changes_after_the_survey_is_not_built(
    scans, monkeypatch, capsys, name
):
    plan_cube = cube.plan.plan_cube

    def change_then_plan(*args, **options):
        plan = plan_cube(*args, **options)
        magic, others = (scans / name).read_bytes().split(b"\n", 1)
        (scans / name).write_bytes(magic + b"\n# another file\n" + others)
        return plan

    monkeypatch.setattr(cube.plan, "plan_cube", change_then_plan)

    assert build(scans, *FLAGS) == 1

    error = capsys.readouterr().err
    assert f"{name} of case 'cid' must not change while the cube is built" in error
    assert not (scans / "cube.h5").exists()
