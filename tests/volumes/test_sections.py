import numpy as np
import pytest
from PIL import Image

from volumes.palette import outline_color
from volumes.planes import AXIAL, CORONAL, SAGITTAL, Plane
from volumes.sections import CAPTION_HEIGHT, Sections, add_caption

SPACING = (3.0, 2.0, 1.0)
SHAPE = (8, 20, 60)  # 24 x 40 x 60 mm


def sections(labels, sagittal=(3.0,), coronal=(12.0,), height=20.0):
    planes = (
        Plane(SAGITTAL, np.array(sagittal)),
        Plane(CORONAL, np.array(coronal)),
        Plane(AXIAL, np.array([height])),
    )
    return Sections(np.zeros(SHAPE), labels, planes, SPACING, (0.0, 1.0))


@pytest.mark.parametrize(
    ("axis", "size"), [(0, (80, 120)), (1, (48, 120)), (2, (48, 80))]
)
def test_pictures_are_of_one_scale(axis, size):
    drawn = sections(np.zeros(SHAPE, np.uint8))

    assert drawn.draw_plain(axis, 0.5).size == size
    assert drawn.draw_projection(axis, 0.5).size == size


def test_projection_shows_a_label_off_all_planes_in_its_colour():
    labels = np.zeros(SHAPE, np.uint8)
    labels[:, 2:6, 40:44] = 2  # 24 mm thick from the side
    labels[7, 10:12, 10:12] = 3  # 3 mm, so in a part of its colour

    pixels = np.asarray(sections(labels).draw_projection(SAGITTAL, 0.5))

    # Column 4 * (20 - 6) = 56 to 71, row 2 * (60 - 44) = 32 to 39.
    share = 0.5 + 0.5 * 24 / 30
    assert pixels[36, 62].tolist() == [round(share * c) for c in outline_color(2)]
    share = 0.5 + 0.5 * 3 / 30
    assert pixels[98, 36].tolist() == [round(share * c) for c in outline_color(3)]
    assert not pixels[:30, 45:].any()


def test_a_small_label_in_front_of_a_large_one_is_seen():
    labels = np.zeros(SHAPE, np.uint8)
    labels[:4, 2:10, 10:50], labels[4:, 4:6, 30:33] = 3, 1

    pixels = np.asarray(sections(labels).draw_projection(SAGITTAL, 0.5))

    below, share = (0.5 + 0.5 * 12 / 30), (0.5 + 0.5 * 12 / 30)
    mixed = np.round(below * np.array(outline_color(3)))
    mixed = np.round(mixed * (1 - share) + share * np.array(outline_color(1)))
    # Column 4 * (20 - 6) = 56 to 63, row 2 * (60 - 33) = 54 to 59.
    assert pixels[56, 60] == pytest.approx(mixed, abs=1)


def test_lines_show_where_the_other_planes_cut():
    drawn = sections(np.zeros(SHAPE, np.uint8), sagittal=np.linspace(0, 7, 60))

    coronal, level = drawn.find_cuts(SAGITTAL)
    bent, _ = drawn.find_cuts(CORONAL)
    upright, across = drawn.find_cuts(AXIAL)

    # Columns run to the left and to the posterior, rows downwards.
    assert set(coronal[:, 1]) == {20 - 1 - 12}
    assert level.tolist() == [[59 - 20, 0], [59 - 20, 19]]
    assert bent[0].tolist() == [59, 7]  # i = 0 at k = 0
    assert bent[-1].tolist() == [0, 0]
    assert upright[:, 1] == pytest.approx(7 - 20 * 7 / 59)
    assert across.tolist() == [[7, 0], [7, 7]]


def test_crop_keeps_the_planes_at_their_place():
    labels = np.zeros(SHAPE, np.uint8)
    labels[3, 12, 20] = 1

    part = sections(labels).crop((slice(2, 8), slice(10, 20), slice(15, 30)))

    assert part.image.shape == (6, 10, 15)
    assert [plane.take(part.labels).sum() for plane in part.planes] == [1, 1, 1]


def test_caption_is_below_the_picture_and_whole():
    captioned = add_caption(Image.new("RGB", (20, 30), (9, 9, 9)), "sagittal, i = 23")

    assert captioned.height == 30 + CAPTION_HEIGHT
    assert captioned.width > 70  # wider than the picture, for the text
    assert np.asarray(captioned)[32:, -15:].max() > 100
