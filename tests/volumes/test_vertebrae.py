import itertools

import numpy as np

from volumes.formats.segments import default_segments
from volumes.vertebrae import label_color, vertebra_name


def test_vertebrae_have_the_numbers_of_verse():
    names = [vertebra_name(value) for value in (1, 7, 8, 19, 20, 24, 25, 28)]
    assert names == ["C1", "C7", "T1", "T12", "L1", "L5", "L6", "T13"]
    assert vertebra_name(0) is None
    assert vertebra_name(26) is None


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
    assert [part.name for part in default_segments([3, 0, 99, 3])] == [
        "label 3",
        "label 99",
    ]
