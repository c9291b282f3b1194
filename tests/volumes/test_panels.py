"""Whole sheets: of a prediction, of every case; their words and their files' names."""

import numpy as np
import pytest
from PIL import Image

from system.text import file_names
from volumes.drawing import BOTH, PREDICTION, REFERENCE, draw_prediction
from volumes.panels import GAP, draw_sheet

RED = (255, 0, 0)


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

    assert {REFERENCE, PREDICTION, BOTH} <= colors_of(picture)


def test_prediction_without_reference_is_drawn_in_red_alone(prediction_case):
    image, _, prediction = prediction_case

    picture = draw_prediction(image, None, prediction, (2.0, 1.0, 1.0), "case")

    assert PREDICTION in colors_of(picture)
    assert not {REFERENCE, BOTH} & colors_of(picture)


def test_equal_prediction_is_drawn_in_yellow_alone(prediction_case):
    image, reference, _ = prediction_case

    picture = draw_prediction(image, reference, reference, (2.0, 1.0, 1.0), "case")

    # Below title and legend.
    assert BOTH in colors_of(picture.crop((0, 75, *picture.size)))
    assert not {REFERENCE, PREDICTION} & colors_of(picture.crop((0, 75, *picture.size)))


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

    assert PREDICTION in colors_of(picture.crop((0, 75, *picture.size)))


def test_prediction_and_reference_may_be_empty(prediction_case):
    image, reference, _ = prediction_case
    nothing = np.zeros_like(reference)

    picture = draw_prediction(image, nothing, nothing, (2.0, 1.0, 1.0), "case")

    assert BOTH not in colors_of(picture.crop((0, 75, *picture.size)))


def test_sheet_stacks_its_rows_in_order():
    rows = [("one", Image.new("RGB", (500, 30), RED))]
    rows.append(("two, three", Image.new("RGB", (500, 40), (0, 0, 255))))

    pixels = np.asarray(draw_sheet(rows, title="case", legend=[("L1", (0, 255, 0))]))

    assert pixels.shape[1] == 500 + 2 * GAP
    column = [tuple(pixel) for pixel in pixels[:, GAP + 250].tolist()]
    assert column.count(RED) == 30
    assert column.count((0, 0, 255)) == 40
    assert column.index(RED) < column.index((0, 0, 255))


def test_file_names_are_safe_and_distinct():
    names = file_names(
        ["a/b", "a b", "A_B", "..", "Overview", "", "VB2_05", "VB2_05"],
        reserved=["overview"],
    )

    assert names == {
        "a/b": "a_b",
        "a b": "a_b_2",
        "A_B": "A_B_3",
        "..": "_",
        "Overview": "Overview_2",
        "": "__2",
        "VB2_05": "VB2_05",
    }
