"""Interrupted builds of a cube: the files they leave, and how they are resumed."""

import fcntl
import json
import os
import re

import h5py
import numpy as np
import pytest
from support.scans import FLAGS, NAMES, beside_the_scans, build, write_list, write_scan

import cube.build
import cube.case_build
from cube.reader import Cube


def interrupt_at(case_id, monkeypatch):
    """Interrupt the build, as Ctrl-C does, while it works on a case."""
    make_row = cube.case_build.make_row

    def interrupting(scan, **about):
        if about["case_id"] == case_id and about["copy"] == 0:
            raise KeyboardInterrupt
        return make_row(scan, **about)

    monkeypatch.setattr(cube.case_build, "make_row", interrupting)


@pytest.fixture
def interrupted(scans):
    """An interrupted build with ann and ben finished."""
    with pytest.MonkeyPatch.context() as patch:
        interrupt_at("cid", patch)
        assert build(scans, *FLAGS) == 130
    return scans


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def test_interrupted_build_keeps_its_finished_cases(scans, monkeypatch, capsys):
    interrupt_at("cid", monkeypatch)

    assert build(scans, *FLAGS) == 130

    parts = scans / "cube.h5.parts"
    assert beside_the_scans(scans) == ["cube.h5.parts"]
    assert names_in(parts) == ["1.h5", "2.h5", "plan.json"]
    assert capsys.readouterr().err.splitlines() == [
        f"Finished cases kept in {parts}: 2. Use --resume to continue.",
        "Interrupted.",
    ]


def test_resumed_build_builds_the_rest_and_gives_the_same_bytes(
    interrupted, built, capsys
):
    assert build(interrupted, *FLAGS, "--resume") == 0
    assert built == ["cid", "dan"]
    assert beside_the_scans(interrupted) == ["cube.h5"]
    printed = capsys.readouterr().out
    assert [line.split()[-1] for line in printed.splitlines()[-5:-3]] == ["before"] * 2
    resumed = (interrupted / "cube.h5").read_bytes()

    assert build(interrupted, *FLAGS, "--force") == 0
    assert resumed == (interrupted / "cube.h5").read_bytes()


def test_interrupted_build_is_neither_resumed_nor_replaced_without_a_flag(
    interrupted, capsys
):
    (interrupted / "pairs.txt").unlink()  # not even read
    capsys.readouterr()

    assert build(interrupted, *FLAGS) == 2

    assert (
        "2 finished cases of an interrupted build. --resume continues"
        in capsys.readouterr().err
    )
    assert names_in(interrupted / "cube.h5.parts") == ["1.h5", "2.h5", "plan.json"]


def test_force_starts_over(interrupted, built):
    assert build(interrupted, *FLAGS, "--force") == 0

    assert built == list(NAMES)
    assert beside_the_scans(interrupted) == ["cube.h5"]


def longer_list(scans):
    write_scan(scans, "eve")
    write_list(scans, [f"{n}.nrrd,{n}_label.nrrd" for n in (*NAMES, "eve")])


def other_list(scans):
    write_scan(scans, "eve")
    names = ("ann", "ben", "eve", "dan")
    write_list(scans, [f"{n}.nrrd,{n}_label.nrrd" for n in names])


def change_scan(scans):
    image = np.random.default_rng(7).integers(0, 900, (14, 11, 6)).astype(np.int16)
    write_scan(scans, "ben", image=image)


def change_label_map(scans):
    label = np.zeros((14, 11, 6), np.uint8)
    label[2:6, 3:8, 2:4] = 20
    write_scan(scans, "cid", label=label)


def change_subject(scans):
    lines = [f"{name}.nrrd,{name}_label.nrrd" for name in NAMES]
    write_list(scans, [lines[0] + ",anna", *lines[1:]])


@pytest.mark.parametrize(
    ("flags", "change", "message"),
    [
        (
            ("--seed", 1),
            None,
            "same --seed. Received: 1, but the build was started with 0",
        ),
        (
            ("--copies", 2),
            None,
            "same --copies. Received: 2, but the build was started with 1",
        ),
        (("--blur", "none"), None, "same --blur. Received: None, but .* with 1.0"),
        ((), longer_list, "same number of cases. Received: 5, but .* with 4"),
        ((), other_list, "same case 3 of the list. Received: eve, but .* with cid"),
        ((), change_scan, "same image of case 'ben'. Received: .*ben.nrrd, SHA-256"),
        ((), change_label_map, "same label of case 'cid'. Received: .*cid_label.nrrd"),
        ((), change_subject, "same subject of case 'ann'. Received: anna, .* ann"),
    ],
)
def test_other_inputs_are_refused_with_both_values(
    interrupted, capsys, flags, change, message
):
    if change is not None:
        change(interrupted)
    capsys.readouterr()

    assert build(interrupted, *FLAGS, *flags, "--resume") == 2

    error = capsys.readouterr().err
    assert re.search(message, error)
    assert "--force without --resume starts over" in error
    assert names_in(interrupted / "cube.h5.parts") == ["1.h5", "2.h5", "plan.json"]


def test_damaged_finished_case_is_built_again(interrupted, built):
    part = interrupted / "cube.h5.parts" / "1.h5"
    part.write_bytes(part.read_bytes()[:-100])

    assert build(interrupted, *FLAGS, "--resume") == 0

    assert built == ["ann", "cid", "dan"]


def test_unfinished_files_of_a_killed_build_are_removed(interrupted):
    (interrupted / "cube.h5.parts" / ".0123abcd-3.h5").write_bytes(b"half")

    assert build(interrupted, *FLAGS, "--resume") == 0

    assert beside_the_scans(interrupted) == ["cube.h5"]


def test_unknown_file_beside_the_finished_cases_stays(interrupted):
    (interrupted / "cube.h5.parts" / "notes.doc").write_text("mine")

    assert build(interrupted, *FLAGS, "--resume") == 0

    assert names_in(interrupted / "cube.h5.parts") == ["notes.doc"]


def test_second_build_of_the_same_cube_is_refused(interrupted, capsys):
    handle = os.open(interrupted / "cube.h5.parts", os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)  # as another process would

    code = build(interrupted, *FLAGS, "--resume")
    os.close(handle)

    assert code == 2
    assert "another makeCube.py is building this cube" in capsys.readouterr().err
    assert names_in(interrupted / "cube.h5.parts") == ["1.h5", "2.h5", "plan.json"]


def test_resuming_without_an_interrupted_build_is_a_build(scans):
    assert build(scans, *FLAGS, "--resume") == 0

    assert beside_the_scans(scans) == ["cube.h5"]


def test_resuming_a_complete_cube_builds_nothing(scans, built, capsys):
    build(scans, *FLAGS)
    written = (scans / "cube.h5").stat().st_mtime_ns
    built.clear()
    capsys.readouterr()

    for flags in (("--resume",), ("--resume", "--force")):
        assert build(scans, *FLAGS, *flags) == 0

    assert built == []
    assert (scans / "cube.h5").stat().st_mtime_ns == written
    assert capsys.readouterr().out.count("before") == 8


def test_finished_cases_are_removed_if_the_cube_is_in_place(interrupted, built):
    parts = interrupted / "cube.h5.parts"
    left = (parts / "1.h5").read_bytes()
    assert build(interrupted, *FLAGS, "--resume") == 0
    parts.mkdir()
    (parts / "1.h5").write_bytes(left)
    built.clear()

    assert build(interrupted, *FLAGS, "--resume") == 0

    assert built == []
    assert beside_the_scans(interrupted) == ["cube.h5"]


def test_resuming_over_another_cube_is_refused(scans, built, capsys):
    build(scans, *FLAGS, "--seed", 1)
    other = (scans / "cube.h5").read_bytes()

    assert build(scans, *FLAGS, "--resume") == 2
    assert capsys.readouterr().err.endswith(
        "cube.h5 can only be resumed with the same --seed. Received: 0, but the cube "
        "was built with 1. --force replaces it.\n"
    )
    assert (scans / "cube.h5").read_bytes() == other
    assert build(scans, *FLAGS, "--resume", "--force") == 0

    with Cube(scans / "cube.h5") as cube:
        assert cube.seed == 0


def test_resuming_over_a_cube_of_the_same_flags_and_other_scans_is_refused(
    scans, built, capsys
):
    build(scans, *FLAGS)
    with h5py.File(scans / "cube.h5", "r+") as file:
        file.attrs["request"] = '"of other scans"'

    assert build(scans, *FLAGS, "--resume") == 2

    assert "another cube; --force replaces it" in capsys.readouterr().err


def test_resumed_build_replaces_the_cube_that_it_was_started_to_replace(scans):
    with h5py.File(scans / "cube.h5", "w") as older:
        older["older"] = 1
    with pytest.MonkeyPatch.context() as patch:
        interrupt_at("cid", patch)
        assert build(scans, *FLAGS, "--force") == 130
    with h5py.File(scans / "cube.h5") as older:
        assert "older" in older

    assert build(scans, *FLAGS, "--resume") == 0

    with Cube(scans / "cube.h5") as cube:
        assert len(cube.rows(copy=0)) == 4


def replace_part(path):
    """Replace a case by one of another build, as a late worker of a cluster may."""
    with h5py.File(path, "r+") as file:
        file.attrs["request"] = json.dumps("of another build")


def test_case_of_another_build_is_built_again(interrupted, built):
    replace_part(interrupted / "cube.h5.parts" / "1.h5")

    assert build(interrupted, *FLAGS, "--resume") == 0
    assert built == ["ann", "cid", "dan"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (replace_part, "2.h5 must be of this build. Received: a case of another;"),
        (os.unlink, "must hold every case that was built. Received: no 2.h5; all"),
    ],
)
def test_case_that_another_computer_changed_is_not_gathered(
    scans, monkeypatch, capsys, change, message
):
    check = cube.build._check_errors

    def check_and_change(*args, **options):
        change(scans / "cube.h5.parts" / "2.h5")
        return check(*args, **options)

    monkeypatch.setattr(cube.build, "_check_errors", check_and_change)

    assert build(scans, *FLAGS) == 1
    assert message in capsys.readouterr().err
