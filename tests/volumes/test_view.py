import numpy as np
import pytest

from volumes.name_places import TEXT_SIZE
from volumes.palette import NOT_FINITE_COLOR
from volumes.panels import font
from volumes.view import IGNORED_COLOR, LINE_COLOR, View, find_outline

SPACING = (1.0, 2.0)  # mm between rows and between columns


def view_of(plane, mm_per_pixel=0.02, window=(0.0, 1.0)):
    return View(plane, SPACING, window=window, mm_per_pixel=mm_per_pixel)


def has_color(pixels, color):
    return (np.asarray(pixels) == color).all(axis=2)


def test_pixels_are_square_millimetres():
    # 10 * 1 = 10 mm high and 6 * 2 = 12 mm wide, 0.05 mm a pixel.
    assert view_of(np.zeros((10, 6)), 0.05).finish(0).size == (240, 200)


def ink_of(pixels):
    """Cut a letter's ink out of its surroundings."""
    ink = pixels > 128
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def letter_in(pixels):
    """Name the letter whose shape in the font is most like the ink."""
    found, unlike = ink_of(pixels), {}
    for letter in "APSIRL":
        mask = font(TEXT_SIZE).getmask(letter)
        shape = ink_of(np.asarray(mask).reshape(mask.size[::-1]))
        both = np.zeros((2, 20, 20), dtype=bool)
        both[0, : found.shape[0], : found.shape[1]] = found
        both[1, : shape.shape[0], : shape.shape[1]] = shape
        unlike[letter] = np.count_nonzero(both[0] ^ both[1])
    return min(unlike, key=unlike.get)


@pytest.mark.parametrize(("axis", "letters"), [(0, "APSI"), (1, "RLSI"), (2, "RLAP")])
def test_letters_name_the_sides_of_each_picture(axis, letters):
    picture = view_of(np.zeros((10, 6))).finish(axis, bar=False)

    pixels = np.asarray(picture).max(axis=2)
    height, width = pixels.shape
    middle = slice(height // 2 - 10, height // 2 + 10)
    center = slice(width // 2 - 10, width // 2 + 10)
    left, right = pixels[middle, :16], pixels[middle, -16:]
    top, bottom = pixels[:16, center], pixels[-16:, center]
    assert "".join(map(letter_in, (left, right, top, bottom))) == letters
    assert pixels[20:-20, 20:-20].max() == 0


def test_scale_bar_is_left_out_where_a_pixel_is_longer():
    # 200 mm, the longest bar, are 0.4 pixels; the picture has 100 of 500 mm.
    view = View(np.zeros((2, 100)), (500.0, 500.0), window=(0, 1), mm_per_pixel=500.0)

    assert np.array_equal(view.finish(0), view.finish(0, bar=False))


@pytest.mark.parametrize(
    ("mm_per_pixel", "length"),
    # At most 0.4 of 120 mm: 50 mm are too long, so 20 mm; of 24 mm, 5 mm.
    [(0.5, 20), (0.1, 5)],
)
def test_scale_bar_is_as_long_as_it_says(mm_per_pixel, length):
    columns = 60 if mm_per_pixel == 0.5 else 12  # 2 mm each
    picture = view_of(np.zeros((100, columns)), mm_per_pixel).finish(0)

    # The bar, above the lower edge: a run of white, as long as its mm.
    row = np.asarray(picture)[-6].min(axis=1)
    assert np.count_nonzero(row[:100] == 255) == length / mm_per_pixel


def test_letter_is_beside_the_scale_bar_and_a_bar_without_room_left_out():
    def lowest(columns):  # of 2 mm, 4 pixels each
        picture = view_of(np.zeros((100, columns)), 0.5).finish(0)
        return np.asarray(picture)[-15:].max(axis=(0, 2)) > 128

    # 60 pixels are too few for the text "10 mm" and the letter I beside it.
    narrow, wide = lowest(15), lowest(20)

    assert np.flatnonzero(narrow).min() > 25
    # 80 pixels: 10 mm below a text of about 40 pixels, then the letter.
    bar, letter = np.split(
        np.flatnonzero(wide), [np.argmax(np.diff(np.flatnonzero(wide))) + 1]
    )
    assert bar.min() == 6
    assert letter.min() > 8 + font(TEXT_SIZE).getlength("10 mm")


def test_outline_is_the_rim_of_every_label_and_not_its_inside():
    labels = np.array(
        [
            [0, 0, 0, 0, 0, 0],
            [0, 1, 1, 1, 2, 2],
            [0, 1, 1, 1, 2, 2],
            [0, 1, 1, 1, 2, 2],
            [0, 0, 0, 0, 2, 2],
        ]
    )

    outline = find_outline(labels)

    np.testing.assert_array_equal(
        outline,
        np.array(
            [
                [0, 0, 0, 0, 0, 0],
                [0, 1, 1, 1, 1, 1],
                [0, 1, 0, 1, 1, 1],  # 2 touches 1 on the left, the border right
                [0, 1, 1, 1, 1, 1],
                [0, 0, 0, 0, 1, 1],
            ],
            dtype=bool,
        ),
    )


def test_outline_colours_the_edge_of_its_label_alone():
    labels = np.zeros((10, 6), np.uint8)
    labels[4:8, 1:4] = 7

    view = view_of(np.full((10, 6), 0.5), 0.04)
    view.outline(labels, lambda label: (0, label, 255))

    # 25 pixels a row and 50 a column: rows 100 to 199 and columns 50 to 199. The lines
    # are one pixel wide in a picture 250 high.
    drawn = has_color(view.pixels, (0, 7, 255))
    assert drawn[100, 80:170].all()
    assert drawn[199, 80:170].all()
    assert drawn[120:180, 50].all()
    assert drawn[120:180, 199].all()
    drawn[100:200, 50:200] = False
    assert not drawn.any()
    assert (view.pixels[115:185, 65:185] == 128).all()


def test_outline_is_wider_in_a_large_picture():
    labels = np.zeros((10, 6), np.uint8)
    labels[4:8, 1:4] = 7

    view = view_of(np.zeros((10, 6)), 0.01)  # 1000 pixels high
    view.outline(labels, lambda _: (255, 0, 0))

    assert has_color(view.pixels, (255, 0, 0))[600, :300].sum() == 2


def test_a_single_voxel_is_drawn_however_small_the_picture():
    labels = np.zeros((100, 60), np.uint8)
    labels[50, 30] = 1

    view = view_of(np.zeros((100, 60)), 4.0)  # a pixel is 4 rows and 2 columns
    labels[48:52, 30:32] = 1
    view.outline(labels, lambda _: (255, 0, 0))
    assert has_color(view.pixels, (255, 0, 0)).sum() == 1


def test_fill_mixes_the_colour_into_the_label():
    labels = np.zeros((10, 6), np.uint8)
    labels[:, 3:] = 1

    view = view_of(np.zeros((10, 6)), 0.1)
    view.fill(labels, lambda _: (200, 100, 0), 0.25)

    assert view.pixels[50, 90].tolist() == [50, 25, 0]
    assert view.pixels[50, 30].tolist() == [0, 0, 0]


def test_value_that_is_not_finite_is_magenta():
    plane = np.full((10, 6), 0.5, np.float16)
    plane[2, 3], plane[2, 4] = np.nan, np.inf

    # Two values of 50 x 100 pixels.
    assert has_color(view_of(plane).pixels, NOT_FINITE_COLOR).sum() == 2 * 50 * 100


def test_constant_image_is_mid_grey():
    assert (view_of(np.full((10, 6), 3.0), window=(3.0, 3.0)).pixels == 128).all()


def test_ignored_voxels_are_hatched_in_one_colour():
    ignored = np.zeros((10, 6), bool)
    ignored[:, 3:] = True

    view = view_of(np.zeros((10, 6)), 0.1)
    view.hatch(ignored)

    hatched = has_color(view.pixels, IGNORED_COLOR)
    assert not hatched[:, :60].any()
    assert hatched[:, 60:].mean() == pytest.approx(1 / 7, abs=0.01)


def test_line_is_dashed_through_the_middles_of_voxels():
    view = view_of(np.zeros((10, 6)), 0.1)
    view.draw_lines([np.array([[0.0, 2.0], [9.0, 2.0]])])

    # Column 2 of 20 pixels each: its middle is at 49.5, so pixel 50.
    drawn = has_color(view.pixels, LINE_COLOR)
    assert np.flatnonzero(drawn.any(axis=0)).tolist() == [50]
    assert drawn[:, 50].sum() == pytest.approx(45, abs=4)


def test_names_are_on_large_labels_and_beside_small_ones():
    labels = np.zeros((10, 6), np.uint8)
    labels[1:9, 2:5] = 1
    names = {1: "L1"}

    large, small = view_of(np.zeros((10, 6)), 0.05), view_of(np.zeros((10, 6)), 0.05)
    large.write_names(labels, names, lambda _: (255, 0, 0))
    labels[1:9], labels[4, 4] = 0, 1
    small.write_names(labels, names, lambda _: (255, 0, 0))

    red = [np.argwhere(view.pixels[..., 0] > 200) for view in (large, small)]
    # The label's middle is row 100 and column 140; the voxel begins at column 160.
    assert red[0].mean(axis=0) == pytest.approx([100, 140], abs=4)
    assert red[1].max(axis=0)[1] < 160
    assert red[1].mean(axis=0)[0] == pytest.approx(90, abs=4)


@pytest.fixture
def written(monkeypatch):
    """Collect the texts that are written on pictures."""
    texts = []
    monkeypatch.setattr(
        "volumes.view._write", lambda _pen, _place, text, _color: texts.append(text)
    )
    return texts


def test_only_the_26_largest_labels_have_names(written):
    labels = np.zeros((40, 60), np.uint8)
    for number in range(1, 31):
        side = 1 if number < 5 else 3
        row, column = 6 * ((number - 1) // 5), 12 * ((number - 1) % 5)
        labels[row : row + side, column : column + side] = number
    names = {number: str(number) for number in range(1, 31)}

    view_of(np.zeros((40, 60)), 0.05).write_names(labels, names, lambda _: (9, 9, 9))

    assert sorted(map(int, written)) == list(range(5, 31))


def test_a_name_without_room_is_left_out_for_that_of_a_larger_label(written):
    labels = np.zeros((10, 3), np.uint8)
    labels[1:9], labels[5, 1] = 2, 1
    view = view_of(np.zeros((10, 3)), 0.2)  # 50 x 30 pixels: room for one text

    view.write_names(labels, {1: "A", 2: "B"}, lambda _: (9, 9, 9))

    assert written == ["B"]
