import numpy as np
import pytest

from volumes.drawing import BOTH_COLOR
from volumes.overlay import PREDICTION_COLOR, REFERENCE_COLOR, draw_prediction


@pytest.fixture
def prediction_case():
    image = np.full((4, 40, 60), 0.5)
    image[0, 0, 0] = 0  # so that the window is not empty
    reference, prediction = np.zeros((2, 4, 40, 60), dtype=np.uint8)
    reference[1:3, 10:20, 30:50] = 1
    prediction[1:3, 10:25, 30:50] = 2
    return image, reference, prediction


def colors_of(picture):
    return {color for _, color in picture.getcolors(maxcolors=2**24)}


def test_prediction_is_drawn_in_red_on_green_reference(prediction_case):
    image, reference, prediction = prediction_case

    picture = draw_prediction(image, reference, prediction, (2.0, 1.0, 1.0), "case")

    assert {REFERENCE_COLOR, PREDICTION_COLOR, BOTH_COLOR} <= colors_of(picture)


def test_prediction_without_reference_is_drawn_in_red_alone(prediction_case):
    image, _, prediction = prediction_case

    picture = draw_prediction(image, None, prediction, (2.0, 1.0, 1.0), "case")

    assert PREDICTION_COLOR in colors_of(picture)
    assert not {REFERENCE_COLOR, BOTH_COLOR} & colors_of(picture)


def test_equal_prediction_is_drawn_in_yellow_alone(prediction_case):
    image, reference, _ = prediction_case

    picture = draw_prediction(image, reference, reference, (2.0, 1.0, 1.0), "case")

    colors = colors_of(picture.crop((0, 75, *picture.size)))  # below title and legend
    assert BOTH_COLOR in colors
    assert not {REFERENCE_COLOR, PREDICTION_COLOR} & colors


def test_prediction_of_another_shape_is_refused(prediction_case):
    image, reference, prediction = prediction_case

    with pytest.raises(ValueError, match=r"one shape. Received: .*\(4, 40, 59\)"):
        draw_prediction(image, reference, prediction[:, :, 1:], (1, 1, 1), "case")


def test_prediction_is_shown_where_the_reference_is_empty(prediction_case):
    image, reference, _ = prediction_case
    prediction = np.zeros_like(reference)
    prediction[3, 2:6, 3:9] = 1  # far from the middle

    picture = draw_prediction(
        image, np.zeros_like(reference), prediction, (2.0, 1.0, 1.0), "case"
    )

    assert PREDICTION_COLOR in colors_of(picture.crop((0, 75, *picture.size)))


def test_prediction_and_reference_may_be_empty(prediction_case):
    image, reference, _ = prediction_case
    nothing = np.zeros_like(reference)

    picture = draw_prediction(image, nothing, nothing, (2.0, 1.0, 1.0), "case")

    assert BOTH_COLOR not in colors_of(picture.crop((0, 75, *picture.size)))
