import numpy as np
import pytest

from volumes.palette import (
    FALSE_NEGATIVE_COLOR,
    FALSE_POSITIVE_COLOR,
    RESERVED,
    WRONG_CLASS_COLOR,
    outline_color,
    to_oklab,
)

# Of protanopia, deuteranopia and tritanopia, for linear sRGB: Machado, Oliveira and
# Fernandes, 2009, "A physiologically-based model for simulation of color vision
# deficiency", doi:10.1109/TVCG.2009.113, table 1, severity 1.
SIMULATIONS = {
    "protan": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deutan": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritan": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
# The colours as published.
OKABE_ITO = (
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (240, 228, 66),
    (0, 114, 178),
    (213, 94, 0),
    (204, 121, 167),
)
FIRST = [outline_color(label) for label in range(1, 8)]
ERRORS = (FALSE_POSITIVE_COLOR, FALSE_NEGATIVE_COLOR, WRONG_CLASS_COLOR)
PLACES = to_oklab(np.array([outline_color(label) for label in range(1, 256)]))


def test_oklab_of_white_and_red_are_those_of_its_author():
    found = to_oklab(np.array([[255, 255, 255], [255, 0, 0]]))

    # From the table of https://bottosson.github.io/posts/oklab/ and its calculator.
    assert found[0] == pytest.approx([1, 0, 0], abs=1e-3)
    assert found[1] == pytest.approx([0.628, 0.2249, 0.1258], abs=1e-3)


def simulate(colors, kind):
    """Return how colours look to the colour-blind, in Oklab."""
    shares = np.array(colors) / 255
    linear = np.where(
        shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4
    )
    seen = np.clip(linear @ np.array(SIMULATIONS[kind]).T, 0, 1)
    shares = np.where(
        seen <= 0.0031308, 12.92 * seen, 1.055 * seen ** (1 / 2.4) - 0.055
    )
    return to_oklab(255 * shares)


def least_distance(places, others=None):
    if others is None:
        distances = np.linalg.norm(places[:, None] - places, axis=2)
        return distances[~np.eye(len(places), dtype=bool)].min()
    return np.linalg.norm(places[:, None] - others, axis=2).min()


@pytest.mark.parametrize("kind", SIMULATIONS)
def test_the_colour_blind_tell_the_first_colours_apart_as_those_of_okabe_and_ito(kind):
    of_theirs = least_distance(simulate(OKABE_ITO, kind))

    assert least_distance(simulate(FIRST, kind)) > of_theirs - 0.001
    assert of_theirs > 0.07  # 0.02 is about what is just noticed


@pytest.mark.parametrize("kind", SIMULATIONS)
def test_the_colour_blind_tell_errors_from_each_other_and_from_the_first_classes(kind):
    errors = simulate(ERRORS, kind)

    assert least_distance(errors) > 0.15
    assert least_distance(errors, simulate(FIRST, kind)) > 0.07


def test_no_class_has_a_reserved_colour():
    assert least_distance(to_oklab(np.array(RESERVED)), PLACES) > 0.03


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
