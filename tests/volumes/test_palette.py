import numpy as np
import pytest

from volumes.palette import OKABE_ITO, outline_color, to_oklab

PLACES = to_oklab(np.array([outline_color(label) for label in range(1, 256)]))


def test_oklab_of_white_and_red_are_those_of_its_author():
    found = to_oklab(np.array([[255, 255, 255], [255, 0, 0]]))

    # From the table of https://bottosson.github.io/posts/oklab/ and its calculator.
    assert found[0] == pytest.approx([1, 0, 0], abs=1e-3)
    assert found[1] == pytest.approx([0.628, 0.2249, 0.1258], abs=1e-3)


def test_first_colours_are_those_that_the_colour_blind_tell_apart():
    assert [outline_color(label) for label in range(1, 8)] == list(OKABE_ITO)


@pytest.mark.parametrize("apart", [1, 2, 3])
def test_neighbouring_classes_of_87_have_clearly_different_colours(apart):
    of_87 = PLACES[:87]

    distances = np.linalg.norm(of_87[apart:] - of_87[:-apart], axis=1)

    assert distances.min() > 0.12  # 0.02 is about what is just noticed


def test_all_colours_are_unlike_and_light_enough_for_grey():
    assert len({outline_color(label) for label in range(1, 256)}) == 255
    assert PLACES[:, 0].min() > 0.55
    distances = np.linalg.norm(PLACES[:26, None] - PLACES[None, :26], axis=2)
    assert (distances + np.eye(26)).min() > 0.06
    assert outline_color(256) == outline_color(1)
