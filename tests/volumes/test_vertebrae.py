import itertools

import numpy as np
import pytest

from volumes.formats.segments import default_segments
from volumes.vertebrae import (
    VERTEBRAE,
    label_color,
    vertebra_classes,
    vertebra_name,
    vertebra_value,
)


def test_vertebrae_have_the_numbers_of_verse():
    names = [vertebra_name(value) for value in (1, 7, 8, 19, 20, 24, 25, 28)]
    assert names == ["C1", "C7", "T1", "T12", "L1", "L5", "L6", "T13"]
    assert vertebra_name(0) is None
    assert vertebra_name(26) is None
    assert (vertebra_value("l3 "), vertebra_value("S1")) == (22, None)
    assert all(vertebra_value(name) == value for value, name in VERTEBRAE.items())


def test_colours_are_distinct_and_fixed():
    colors = np.array([label_color(value) for value in range(29)])

    gaps = [
        np.linalg.norm(first - second)
        for first, second in itertools.combinations(colors, 2)
    ]
    assert min(gaps) > 0.12
    neighbours = np.linalg.norm(np.diff(colors, axis=0), axis=1)
    assert neighbours.min() > 0.4
    assert colors.min() >= 0
    assert colors.max() <= 1
    assert [part.name for part in default_segments([3, 0, 99, 3])] == ["C3", "label 99"]


@pytest.mark.parametrize(
    ("names", "values", "classes"),
    [
        # In the order of the spine, T13 between T12 and L1.
        (["L1", "T13", "sacrum", "T12"], [20, 28, 26, 19], (4, 2, 1)),
        (["vertebrae_L2", "L1 vertebra", "l3"], [1, 2, 3], (2, 1, 3)),
        # Without names the values count; discs are beyond VerSe's numbers.
        (["label_5", "label_7", "label_6", "label_205"], [5, 7, 6, 205], (1, 3, 2)),
        (["L1", "disc L1-L2"], [20, 120], ()),
        (["spine", "ribs"], [1, 2], ()),
        (["L9", "L10"], [1, 2], ()),
    ],
)
def test_vertebrae_among_classes_are_found_in_order(names, values, classes):
    found = vertebra_classes(["background", *names], [(), *((v,) for v in values)])

    assert found == classes


def test_class_of_several_values_is_a_vertebra_by_its_name_only():
    values = [(), (20, 21), (22,), (23,)]

    assert vertebra_classes(["background", "label_20", "L3", "L4"], values) == (2, 3)
