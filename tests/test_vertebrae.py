import itertools

import numpy as np

from volumes.segments import default_segments
from volumes.vertebrae import VERTEBRAE, label_color, vertebra_name, vertebra_value


def test_vertebrae_have_the_numbers_of_verse():
    assert [vertebra_name(value) for value in (1, 7, 8, 19, 20, 24, 25, 28)] == [
        *("C1", "C7", "T1", "T12", "L1", "L5", "L6", "T13"),
    ]
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
