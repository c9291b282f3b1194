import numpy as np
import pytest

from volumes.overlay import (
    FILL,
    PREDICTION_COLOR,
    REFERENCE_COLOR,
    draw_prediction,
    name_regions,
)
from volumes.palette import (
    FALSE_NEGATIVE_COLOR,
    FALSE_POSITIVE_COLOR,
    WRONG_CLASS_COLOR,
    outline_color,
)
from volumes.planes import choose_straight_planes
from volumes.sections import Sections
from volumes.view import IGNORED_COLOR

SPACING = (2.0, 1.0, 1.0)
LEVELS = ("background", "L2L3", "L3L4")
HEAD = 95  # pixels of title and legends


@pytest.fixture
def image():
    image = np.full((40, 80, 100), 0.0)
    image[0, 0, 0] = 1
    return image


def box_of(classes, value, first, last):
    classes[tuple(map(slice, first, last))] = value
    return classes


@pytest.fixture
def reference(image):
    return box_of(np.zeros(image.shape, np.uint8), 1, (15, 30, 40), (25, 60, 70))


def draw(image, reference, prediction, names=("background", "spine"), **more):
    shown = prediction if reference is None else reference
    planes = choose_straight_planes(shown)
    scan = Sections(image, prediction, planes, SPACING, (0.0, 1.0), **more)
    return draw_prediction(scan, reference, names, title=["case", "UNet-2D"])


def colors_of(picture):
    below = picture.crop((0, HEAD, *picture.size))
    return {color for _, color in below.getcolors(maxcolors=2**24)}


def filled(color):
    """Return the colour of a filled black image."""
    return tuple(round(FILL * side) for side in color)


def test_prediction_is_filled_and_the_reference_a_line(image, reference):
    prediction = box_of(np.zeros_like(reference), 1, (15, 30, 40), (25, 50, 70))

    colors = colors_of(draw(image, reference, prediction))

    assert {filled(PREDICTION_COLOR), REFERENCE_COLOR} <= colors


def test_prediction_without_reference_is_drawn_alone(image, reference):
    colors = colors_of(draw(image, None, reference))

    assert {filled(PREDICTION_COLOR), PREDICTION_COLOR} <= colors
    assert not {REFERENCE_COLOR, FALSE_POSITIVE_COLOR} & colors


def test_correct_prediction_has_no_errors(image, reference):
    colors = colors_of(draw(image, reference, reference))

    assert REFERENCE_COLOR in colors  # the line
    assert not {FALSE_POSITIVE_COLOR, FALSE_NEGATIVE_COLOR, WRONG_CLASS_COLOR} & colors


def test_islands_off_the_planes_are_seen_in_the_projections(image, reference):
    # 16 * 2 mm to the right, and in front of, all that the planes show: more than
    # 30 mm thick from the side, so in full colour.
    prediction = box_of(reference.copy(), 1, (0, 72, 80), (14, 79, 88))
    prediction = box_of(prediction, 1, (26, 72, 80), (40, 79, 88))
    alone = draw(image, reference, reference)

    extra = draw(image, reference, prediction)

    assert FALSE_POSITIVE_COLOR in colors_of(extra)
    assert FALSE_POSITIVE_COLOR not in colors_of(alone)


def test_what_is_missed_is_seen_in_the_view_from_the_front(image, reference):
    # 30 voxels of 1 mm, from the front: in full colour.
    missed = box_of(reference.copy(), 0, (15, 30, 60), (25, 60, 70))

    colors = colors_of(draw(image, reference, missed))

    assert FALSE_NEGATIVE_COLOR in colors
    assert FALSE_NEGATIVE_COLOR not in {PREDICTION_COLOR, REFERENCE_COLOR}
    assert FALSE_POSITIVE_COLOR not in colors


def test_errors_have_a_legend_of_their_own_and_no_colour_of_a_class(image, reference):
    picture = draw(image, reference, 2 * reference, LEVELS)
    alone = draw(image, None, 2 * reference, LEVELS)

    legend = picture.crop((0, 60, picture.width, HEAD)).getcolors(maxcolors=2**24)
    swatches = {color for count, color in legend if count >= 12**2}
    assert {FALSE_POSITIVE_COLOR, FALSE_NEGATIVE_COLOR, WRONG_CLASS_COLOR} <= swatches
    assert not swatches & {outline_color(label) for label in range(1, 256)}
    assert picture.height > alone.height


def test_a_level_predicted_as_another_is_visible(image, reference):
    prediction = 2 * reference

    colors = colors_of(draw(image, reference, prediction, LEVELS))

    assert {filled(outline_color(2)), outline_color(1), WRONG_CLASS_COLOR} <= colors
    assert filled(outline_color(1)) not in colors
    assert WRONG_CLASS_COLOR not in colors_of(draw(image, reference, reference, LEVELS))


def test_regions_are_called_by_what_they_are_and_should_be():
    reference, prediction = np.zeros((2, 60, 20), np.uint8)
    reference[2:10, 2:18], reference[20:30, 2:18], reference[40:50, 2:18] = 1, 2, 3
    prediction[2:10, 2:18], prediction[21:29, 2:18] = 1, 1
    prediction[52:58, 2:18] = 3
    names = dict(enumerate(("background", "L1", "L2", "L3")))

    regions, texts, classes = name_regions(prediction, reference, names)

    found = {texts[number]: classes[number] for number in texts}
    assert found == {"L1": 1, "L1 for L2": 1, "L3": 3, "L3 missed": 3}
    assert texts[regions[25, 10]] == "L1 for L2"
    assert texts[regions[45, 10]] == "L3 missed"
    assert list(name_regions(prediction, None, names)[1].values()) == ["L1", "L1", "L3"]


def test_ignored_voxels_are_hatched_and_no_errors(image, reference):
    ignored = box_of(np.zeros(image.shape, bool), True, (0, 0, 0), (40, 80, 20))
    prediction = box_of(reference.copy(), 1, (0, 40, 2), (40, 60, 18))

    colors = colors_of(draw(image, reference, prediction, ignored=ignored))

    assert IGNORED_COLOR in colors
    assert FALSE_POSITIVE_COLOR not in colors


def test_prediction_of_another_shape_is_refused(image, reference):
    with pytest.raises(ValueError, match=r"one shape. Received: .*\(40, 80, 99\)"):
        draw(image, reference, reference[:, :, 1:])


def test_prediction_is_shown_where_the_reference_is_empty(image, reference):
    colors = colors_of(draw(image, np.zeros_like(reference), reference))

    assert FALSE_POSITIVE_COLOR in colors


def test_prediction_and_reference_may_be_empty(image, reference):
    nothing = np.zeros_like(reference)

    picture = draw(image, nothing, nothing)

    assert not {REFERENCE_COLOR, PREDICTION_COLOR} & colors_of(picture)
    assert picture.width <= 1460
    assert picture.height <= 760
