import json

import pytest
from support.scans import build, make_case, named, unnamed

from augment.compose import compose_of
from cube.mirroring import (
    find_one_sided,
    settle_mirroring,
)
from cube.reader import Cube
from volumes.classes import Classes

PSOAS = {1: "psoas left", 2: "psoas right", 3: "L1"}


def classes_of(**members):
    return Classes(("background", *members), ((), *members.values()))


@pytest.mark.parametrize(
    ("classes", "one_sided"),
    [
        (classes_of(psoas=("psoas left",)), ("psoas",)),
        (classes_of(psoas=("psoas left", "psoas right")), ()),
        (classes_of(psoas=(1, 2)), ()),  # which the label map names
        (classes_of(first=(1,), second=(2,)), ("first", "second")),
        (classes_of(mixed=("psoas left", "L1")), ("mixed",)),
        (classes_of(left_muscle=("muscle",)), ("left_muscle",)),
        (classes_of(left_muscle=(9,)), ("left_muscle",)),
        (classes_of(L1=("L1",), sacrum=(3,)), ()),
        (classes_of(left_spine=None), ()),
    ],
)
def test_class_is_one_sided_by_its_structures_or_else_its_name(classes, one_sided):
    cases = [named("ann", PSOAS), unnamed("ben", 9)]

    names = [case.found_names for case in cases]
    assert find_one_sided(classes, names) == one_sided


def test_mirroring_by_default_is_switched_off_and_by_the_flag_kept_with_a_note():
    classes, cases = classes_of(psoas=("psoas left",)), [make_case()]

    flip, (note,) = settle_mirroring(classes, cases, {"flip": 0.5})
    assert (flip, note[:16]) == (None, "mirroring is off")
    flip, (note,) = settle_mirroring(classes, cases, {"flip": 0.2, "flip_given": True})
    assert flip == 0.2
    assert note.startswith("copies are mirrored, as --flip 0.2 says, though")
    assert note.endswith(" one side, and a mirrored copy shows the other: psoas")


@pytest.mark.parametrize(
    ("args", "flip"), [({"flip": None, "flip_given": True}, None), ({"flip": 0.5}, 0.5)]
)
def test_mirroring_that_is_off_or_that_no_class_forbids_needs_no_note(args, flip):
    member = "psoas left" if flip is None else "psoas"
    classes = classes_of(muscle=(member,))

    assert settle_mirroring(classes, [make_case()], args) == (flip, ())


@pytest.mark.parametrize(("word", "flip"), [("psoas_left=20", None), ("L1=20", 0.5)])
def test_cube_stores_whether_its_copies_may_be_mirrored(scans, capsys, word, flip):
    assert build(scans, "--spacing", 3, "--copies", 3, "--labels", word) == 0

    line = "note      mirroring is off (--flip none), since these classes name one side"
    assert (f"{line}: psoas_left\n" in capsys.readouterr().out) == (flip is None)
    with Cube(scans / "cube.h5") as cube:
        assert cube.arguments["flip"] == flip
        online = [each.name for each in compose_of(cube.arguments).transforms]
        assert ("flip" in online) == (flip is not None)
        copies = [json.dumps(cube.drawn[row]) for row in cube.rows("train", copy=1)]
        assert all(('"flip"' in drawn) == (flip is not None) for drawn in copies)
