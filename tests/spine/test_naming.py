from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from support.vertebra_bodies import leaning

from spine.measures import Vertebra
from spine.naming import (
    AT_BORDER,
    describe_dropped,
    describe_warnings,
    find_disorder,
    find_gaps,
    find_odd_depths,
    find_skips,
    find_warnings,
    name_from_below,
    parse_lowest,
)
from spine.tables import Naming
from system.errors import UsageError


@pytest.mark.parametrize(
    ("lowest", "count", "names"),
    [
        (None, 3, "V1 V2 V3"),
        ("L5", 7, "L5 L4 L3 L2 L1 T12 T11"),
        ("S1", 3, "S1 L5 L4"),
        ("L6", 2, "L6 L5"),
        ("T1", 3, "T1 C7 C6"),
        ("C2", 4, "C2 C1 V3 V4"),  # nothing is above C1
    ],
)
def test_names_go_up_from_the_lowest(lowest, count, names):
    namings = name_from_below(count, lowest)

    assert " ".join(naming.name for naming in namings) == names
    assert namings[0].source == ("lowest" if lowest else "order")


def test_lowest_is_written_in_any_usual_way_and_must_be_a_vertebra():
    assert parse_lowest("vertebrae_L5") == "L5"
    assert parse_lowest(None) is None
    with pytest.raises(UsageError, match=r"--lowest must be .* Received: 'sacrum'"):
        parse_lowest("sacrum")


def test_a_gap_is_more_than_1_6_steps_of_those_nearby():
    heights = np.cumsum([0, 36, 35, 54, 34, 33])  # 54 is below 1.6 * 34.5

    assert find_gaps(heights[:, None] * [[0, 0, 1.0]]) == []
    heights = np.cumsum([0, 36, 35, 60, 34, 33])
    assert find_gaps(heights[:, None] * [[0, 0, 1.0]]) == [(2, 60.0, 34.5)]
    assert find_gaps(np.zeros((1, 3))) == []


@pytest.mark.parametrize(
    ("names", "skips"),
    [
        ("L5 L4 L3 L1 T12", [(2, ["L2"])]),
        ("L3 T11 T10", [(0, ["L2", "L1", "T12"])]),
        ("S1 L6 L5", []),
        ("S1 L5", []),  # nobody usual has an L6
        ("L1 T13 T12", []),
        ("L1 T12", []),
        ("C2 C1 V3", []),
    ],
)
def test_names_skip_usual_levels_alone(names, skips):
    assert find_skips(names.split()) == skips


@pytest.mark.parametrize(("step", "note"), [(36, "a name may"), (60, "one may be")])
def test_a_skipped_name_is_a_warning_of_its_own_without_a_gap(step, note):
    vertebrae = [Vertebra(v, np.zeros(3), None, False, False, None) for v in (1, 2, 3)]
    heights = np.array([0, step, step + 35])
    centers = heights[:, None] * [[0, 0, 1.0]]
    instances = SimpleNamespace(notes={}, centers=centers)

    found = find_warnings(instances, vertebrae, [1, 2, 3], ["L4", "L2", "L1"])

    (shown,) = found[1]
    assert note in shown
    assert found[2] == found[3] == []


@pytest.mark.parametrize(
    ("depths", "odd"),
    [
        ([44, 33, 32, 30, 31], [(0, 44, 32)]),  # 1.375 times
        ([43, 33, 32, 30, 31], []),  # 1.34 times
        ([33, None, 22, 30, 31], [(2, 22, 31)]),
        ([44, 30], []),  # which of them is odd?
    ],
)
def test_a_depth_is_odd_by_those_of_three_on_either_side(depths, odd):
    assert find_odd_depths(depths) == odd


def test_an_odd_depth_is_a_warning():
    bodies = [replace(leaning(0), depth=depth) for depth in (58, 39, 39)]
    vertebrae = [
        Vertebra(value, np.zeros(3), 1.0, False, False, body)
        for value, body in enumerate(bodies, start=4)
    ]
    centers = np.array([0, 30, 60])[:, None] * [[0, 0, 1.0]]
    instances = SimpleNamespace(notes={}, centers=centers)

    found = find_warnings(instances, vertebrae, [4, 5, 6], ["V1", "V2", "V3"])

    assert found[4] == ["is 58 mm deep, where 39 mm are usual: it may be no vertebra"]
    assert found[5] == found[6] == []


def test_an_odd_angle_is_a_warning():
    vertebrae = [
        Vertebra(value, np.zeros(3), 1.0, False, False, leaning(0, right))
        for value, right in ((3, 50), (4, 0))
    ]
    instances = SimpleNamespace(notes={}, centers=np.array([[0, 0, 0], [0, 0, 30.0]]))

    found = find_warnings(instances, vertebrae, [3, 4], ["V1", "V2"])

    assert found[3] == [
        "has a coronal angle of 50 degrees to V2, which is rare: an end plate may be "
        "wrong"
    ]
    assert found[4] == []


def test_warnings_name_wedge_border_and_partial_ones():
    vertebra = Vertebra(7, np.zeros(3), None, True, False, None)
    wedged = replace(vertebra, body=leaning(0, wedge=-23.4))
    partial = Vertebra(9, np.zeros(3), None, False, True, None)
    instances = SimpleNamespace(
        notes={2: ["is long"]}, centers=np.array([[0, 0, 0], [0, 0, 30.0]])
    )

    found = find_warnings(instances, [wedged, partial], [7, 9], ["V1", "V2"])

    assert found == {
        7: [
            "touches the border of the scan",
            "looks like S1, with a wedge of -23 degrees",
        ],
        9: ["is long", "is seen in part"],
    }


def test_a_vertebra_lower_than_the_one_numbered_below_it_is_found():
    def at(value, height, partial=False):
        centroid = np.array([0, 0, height])
        return Vertebra(value, centroid, None, False, partial, None)

    assert find_disorder([at(24, 0), at(23, 30), at(22, 60)]) == []
    # A part at the end, as of a spinous process, does not count.
    disordered = [at(24, 0), at(23, 30), at(22, 18), at(21, 60), at(20, 50, True)]
    assert find_disorder(disordered) == [(22, 23, 12)]
    vertebrae = disordered[:2]
    vertebrae[1] = at(23, -7)
    instances = SimpleNamespace(notes={}, centers=np.zeros((2, 3)))
    assert find_warnings(instances, vertebrae, [24, 23], ["L5", "L4"])[23] == [
        "lies 7 mm lower than L5, which is numbered below it: their order is unreliable"
    ]


def test_at_most_five_warnings_are_printed_and_the_border_last():
    names = ["L5", "L4", "L3", "L2", "L1", "T12"]
    at_border = [Naming(name, "lowest", (AT_BORDER,)) for name in names]

    lines = describe_warnings(at_border)
    assert lines[0] == "warning: L5 touches the border of the scan"
    assert lines[5:] == ["and 1 more: see the notes in vertebrae.csv"]
    half = [Naming(each.name, "lowest", (AT_BORDER, "x")) for each in at_border[3:]]
    lines = describe_warnings([*at_border[:3], *half])
    assert [line[-2:] for line in lines[:3]] == [" x"] * 3
    assert lines[3] == "warning: L5 touches the border of the scan"
    lines = describe_warnings([*at_border[:2], Naming("L3", "lowest", ("y",)), *half])
    assert lines[0] == (
        "warning: the numbering is unreliable, as 4 of 6 vertebrae have warnings"
    )
    assert len(lines) == 7
    assert describe_warnings([Naming("L5", "lowest")]) == []


def test_half_a_vertebra_without_a_name_is_a_warning():
    assert describe_dropped([20.0, 30.0, 90.0], 14.9) == []
    assert describe_dropped([20.0, 30.0, 90.0], 15.1) == [
        "warning: 15 ml belong to no vertebra, where one has 30 ml: a vertebra may be "
        "missing, or other tissue is labelled"
    ]
