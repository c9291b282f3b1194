import pytest

from volumes.structures import (
    canonical_name,
    is_unnamed,
    side_of,
    sort_structures,
    vertebra_classes,
)


@pytest.mark.parametrize(
    "name",
    [
        "L1",
        " l1 ",
        "L_1",
        "L-1",
        "L01",
        "vertebrae_L1",
        "Vertebra-L1",
        "L1 vertebra",
        "L1\nvertebrae",
        "L\u200b1",
    ],
)
def test_every_spelling_of_a_vertebra_is_one_name(name):
    assert canonical_name(name) == "L1"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Th12", "T12"),
        ("vertebrae_S1", "S1"),
        ("Thoracic  vertebral_column", "thoracic vertebral column"),
        ("SACRUM", "sacrum"),
        # No level of any spine, or not a vertebra.
        ("L9", "l9"),
        ("C0", "c0"),
        ("disc L1-L2", "disc l1 l2"),
        ("L1 vertebral body", "l1 vertebral body"),
        ("Wirbelsa\u0308ule", "wirbels\u00e4ule"),
        ("\n \t", ""),
    ],
)
def test_case_and_blanks_do_not_count(name, expected):
    assert canonical_name(name) == expected


def test_long_names_are_cut_but_stay_different():
    first, second = (canonical_name(300 * "x" + end) for end in "ab")

    assert len(first) == len(second) == 100
    assert first != second


@pytest.mark.parametrize("name", ["segment 1", "label 7", "segment 1 1", "20", ""])
def test_default_names_of_programs_name_nothing(name):
    assert is_unnamed(name)


@pytest.mark.parametrize("name", ["L1", "S1", "sacrum", "segment 1 of liver"])
def test_names_of_structures_are_names(name):
    assert not is_unnamed(name)


@pytest.mark.parametrize(
    ("name", "side"),
    [
        ("psoas_left", "left"),
        ("Right-Lung", "right"),
        ("kidney L", "left"),
        ("psoas_l", "left"),
        ("pedicle_L4_r", "right"),
        ("muscles of the spine, left", "left"),
        ("rib_left_1", "left"),
        ("left and right psoas", ""),
        ("vertebrae_L1", ""),
        ("nerve L 5", ""),
        ("L", ""),
        ("bright spot", ""),
        # L is lumbar.
        ("L-spine", ""),
        ("l_spine", ""),
        ("L vertebrae", ""),
        ("vertebrae L", ""),
        ("intervertebral discs L", ""),
        ("L_discs", ""),
        ("disc_L_S1", ""),
        ("disc L5 L", ""),
        ("T-L junction", ""),
        ("junction T-L", ""),
    ],
)
def test_side_is_a_word_of_the_name(name, side):
    assert side_of(name) == side


def test_vertebrae_are_sorted_from_the_neck_down_before_all_others():
    names = ["sacrum", "L1", "T13", "aorta", "T12", "C7"]

    assert sort_structures(names) == ["C7", "T12", "T13", "L1", "aorta", "sacrum"]


@pytest.mark.parametrize(
    ("names", "classes"),
    [
        # In the order of the spine, T13 between T12 and L1.
        (["L1", "T13", "sacrum", "T12"], (4, 2, 1)),
        (["vertebrae_L2", "L1 vertebra", "l3"], (2, 1, 3)),
        # A number is no name: 1 to 3 may be vertebrae, discs and canal.
        (["label_1", "label_2", "label_3"], ()),
        (["L1", "disc L1-L2"], ()),
        (["spine", "ribs"], ()),
        (["L9", "L10"], ()),
    ],
)
def test_vertebrae_among_classes_are_found_by_name_in_order(names, classes):
    assert vertebra_classes(["background", *names]) == classes
