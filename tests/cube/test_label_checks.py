from pathlib import Path

import numpy as np
import pytest

from cube.label_checks import check_label_map, looks_like_labels
from cube.pairs import Pair
from system.errors import DataError
from volumes.classes import count_labels
from volumes.geometry import Grid, affine_from
from volumes.volume import Segment, Volume

PAIR = Pair(Path("a.nrrd"), Path("b.nrrd"), "ann", "anna", None, 7)
SHAPE = (10, 20, 30)


def volume(array, segments=()):
    grid = Grid(array.shape, affine_from((1, 1, 1)))
    path = Path("volume.nrrd")
    return Volume(array, grid, path, segments=segments)


def make_image(low=0, high=600):
    return np.random.default_rng(0).integers(low, high, SHAPE).astype(np.int16)


def make_labels(*, share=0.1, count=5):
    """Return slabs along the second axis that cover a share of the scan."""
    label = np.zeros(SHAPE, np.uint16)
    end = round(share * SHAPE[2])
    label[:, :, :end] = 1 + np.arange(SHAPE[0])[:, None, None] * count // SHAPE[0]
    return label


def check(image, label, segments=()):
    return check_label_map(
        PAIR, volume(image), volume(label, segments), count_labels(label)
    )


def test_image_and_its_label_map_pass_without_a_note():
    assert check(make_image(), make_labels()) == ()


def test_swapped_pair_is_refused_with_both_counts_the_line_and_the_way_out():
    image = make_image()

    with pytest.raises(DataError, match="cannot be one") as caught:
        check(make_labels(), image.astype(np.uint16))

    assert str(caught.value) == (
        "The label map of case 'ann' cannot be one: it has 600 different values, and "
        "the image only 6; image and label map may be swapped. Check line 7 of the "
        "pair list, or use --allow-unlikely. Received: image a.nrrd, label map b.nrrd"
    )


@pytest.mark.parametrize(
    ("image", "label", "fault"),
    [
        (make_image(), make_image(0, 200), "it has 200 different values; image and la"),
        (make_image(), make_image(1, 90), "100 % of the scan are labelled, with value"),
        (make_image(), make_labels(share=1, count=1), "100 % .* it may be inverted"),
        (make_labels().astype(float), make_labels(), "it has the values of the image"),
    ],
    ids=["many values", "uneven", "inverted", "copy"],
)
def test_label_map_that_cannot_be_one_is_refused_with_the_cause(image, label, fault):
    with pytest.raises(DataError, match=f"cannot be one: {fault}"):
        check(image, label.astype(np.uint16))


def test_many_values_pass_if_they_have_names():
    label = make_labels(share=0.5)
    label[:, :, :8] = 1 + np.arange(160).reshape(1, 20, 8)
    segments = [Segment(value, f"s{value}", (1, 0, 0)) for value in range(1, 161)]

    assert check(make_image(), label, tuple(segments)) == ()
    with pytest.raises(DataError, match="it has 161 different values"):
        check(make_image(), label)


@pytest.mark.parametrize(("share", "notes"), [(0.6, 0), (0.7, 1), (0.9, 1)])
def test_much_foreground_of_even_labels_is_a_note(share, notes):
    assert len(check(make_image(), make_labels(share=share))) == notes


def test_image_of_few_values_is_a_note_if_the_label_map_has_fewer():
    label = np.zeros(SHAPE, np.uint16)
    label[2:5] = 1

    assert check(make_labels(), label) == (
        "the image has only 6 different values, as a label map has",
    )


def test_image_of_as_few_values_as_the_label_map_is_a_note():
    image = np.roll(make_labels(), 9, axis=2)

    assert len(check(image, make_labels())) == 1


@pytest.mark.parametrize("label", [make_labels(), np.zeros(SHAPE, np.uint16)])
def test_constant_image_and_empty_label_map_are_left_to_other_checks(label):
    assert check(np.zeros(SHAPE, np.int16), label) == ()
    assert check(make_image(), np.zeros(SHAPE, np.uint16)) == ()


def test_label_map_is_told_from_an_image():
    assert looks_like_labels(volume(make_labels()))
    assert not looks_like_labels(volume(make_image()))
    assert not looks_like_labels(volume(np.zeros(SHAPE)))
