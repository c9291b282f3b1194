import numpy as np
import pytest

from volumes.drawing import (
    IGNORED_COLOR,
    NOT_FINITE_COLOR,
    center_of_mass,
    draw_panel_row,
    draw_slice,
    find_outline,
    find_slices,
    find_window,
    fit_scale,
    outline_color,
)
from volumes.panels import GAP, font

SHAPE = (4, 6, 10)
SPACING = (3.0, 2.0, 1.0)
RED = (255, 0, 0)


def draw(image, outlines=(), axis=0, index=0, mm_per_pixel=0.02, window=(0.0, 1.0)):
    picture = draw_slice(
        image,
        outlines,
        axis,
        index,
        SPACING,
        window=window,
        mm_per_pixel=mm_per_pixel,
    )
    return np.asarray(picture)


def quarter(pixels):
    """Name the quarter of a picture that holds most of its light."""
    grey = pixels.max(axis=2).astype(float)
    rows, columns = np.array(grey.shape) // 2
    halves = {
        ("top", "left"): grey[:rows, :columns],
        ("top", "right"): grey[:rows, columns:],
        ("bottom", "left"): grey[rows:, :columns],
        ("bottom", "right"): grey[rows:, columns:],
    }
    return max(halves, key=lambda name: halves[name].sum())


@pytest.mark.parametrize(
    ("axis", "voxel", "expected"),
    [
        # Index 3 of 4 is right, 5 of 6 anterior, 9 of 10 superior.
        (0, (1, 5, 9), ("top", "left")),  # anterior left, superior up
        (0, (1, 0, 9), ("top", "right")),
        (0, (1, 5, 0), ("bottom", "left")),
        (1, (3, 2, 9), ("top", "left")),  # right on the left, superior up
        (1, (0, 2, 9), ("top", "right")),
        (1, (3, 2, 0), ("bottom", "left")),
        (2, (3, 5, 4), ("top", "left")),  # right on the left, anterior up
        (2, (0, 5, 4), ("top", "right")),
        (2, (3, 0, 4), ("bottom", "left")),
    ],
)
def test_bright_voxel_lands_in_the_conventional_corner(axis, voxel, expected):
    image = np.zeros(SHAPE, dtype=np.float16)
    image[voxel] = 1

    assert quarter(draw(image, axis=axis, index=voxel[axis])) == expected


@pytest.mark.parametrize(
    ("axis", "size"),
    # Sides in mm: 4 * 3 = 12, 6 * 2 = 12, 10 * 1 = 10; 0.05 mm a pixel.
    [(0, (240, 200)), (1, (240, 200)), (2, (240, 240))],
)
def test_pixels_are_square_millimetres(axis, size):
    pixels = draw(np.zeros(SHAPE), axis=axis, mm_per_pixel=0.05)

    assert pixels.shape[1::-1] == size


def ink_of(pixels):
    """Cut a letter's ink out of its surroundings."""
    ink = pixels > 128
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def letter_in(pixels):
    """Name the letter whose shape in the font is most like the ink."""
    found, unlike = ink_of(pixels), {}
    for letter in "APSIRL":
        mask = font(12).getmask(letter)
        shape = ink_of(np.asarray(mask).reshape(mask.size[::-1]))
        both = np.zeros((2, 20, 20), dtype=bool)
        both[0, : found.shape[0], : found.shape[1]] = found
        both[1, : shape.shape[0], : shape.shape[1]] = shape
        unlike[letter] = np.count_nonzero(both[0] ^ both[1])
    return min(unlike, key=unlike.get)


@pytest.mark.parametrize(("axis", "letters"), [(0, "APSI"), (1, "RLSI"), (2, "RLAP")])
def test_letters_name_the_sides_of_each_picture(axis, letters):
    pixels = draw(np.zeros(SHAPE), axis=axis).max(axis=2)
    height, width = pixels.shape
    middle = slice(height // 2 - 10, height // 2 + 10)
    center = slice(width // 2 - 10, width // 2 + 10)
    left, right = pixels[middle, :16], pixels[middle, -16:]
    top, bottom = pixels[:16, center], pixels[-16:, center]

    assert "".join(map(letter_in, (left, right, top, bottom))) == letters
    assert pixels[20:-20, 20:-20].max() == 0


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


def test_slice_colours_only_the_outline_of_its_label():
    image, label = np.full(SHAPE, 0.5), np.zeros(SHAPE, dtype=np.uint8)
    label[2, 1:3, 2:6] = 7

    pixels = draw(image, [(label, lambda value: (0, value, 255))], axis=0, index=2)

    # 0.02 mm a pixel: a voxel is 100 pixels anterior, 50 superior. Anterior
    # voxels 1 and 2 of 6 are columns 300 to 499, superior 2 to 5 rows 200 to 399.
    expected = np.zeros((500, 600), dtype=bool)
    expected[200:400, 300:500] = True
    expected[201:399, 301:499] = False
    np.testing.assert_array_equal((pixels == (0, 7, 255)).all(axis=2), expected)
    assert (pixels[250:350, 320:480] == 128).all()


def test_slice_of_an_unlabelled_case_is_grey():
    pixels = draw(np.full(SHAPE, 0.25), [(np.zeros(SHAPE, np.uint8), lambda _: RED)])

    assert (pixels[50:200, 50:200] == 64).all()


def test_voxel_that_is_not_finite_is_magenta():
    image = np.full(SHAPE, 0.5, dtype=np.float16)
    image[0, 2, 3] = np.nan
    image[0, 2, 4] = np.inf

    pixels = draw(image)

    # Two voxels of 100 x 50 pixels.
    assert (pixels == NOT_FINITE_COLOR).all(axis=2).sum() == 2 * 100 * 50


def test_constant_image_is_mid_grey():
    assert (draw(np.full(SHAPE, 3.0), window=(3.0, 3.0))[50:200, 50:200] == 128).all()


def test_window_holds_the_percentiles_of_the_finite_voxels():
    image = np.arange(1001.0).reshape(7, 11, 13)
    image[0, 0, 0] = np.nan  # leaves 1..1000: 1 + 0.01 * 999 and 1 + 0.985 * 999

    assert find_window(image) == pytest.approx((10.99, 985.015))


def test_window_without_a_finite_voxel_is_empty():
    assert find_window(np.full((2, 3, 4), np.nan)) == (0.0, 0.0)


def test_center_of_mass_of_an_unequal_label():
    label = np.zeros(SHAPE, dtype=np.uint8)
    label[1, 2, 3] = 1
    label[2, 2, 6] = 2
    label[2, 5, 6] = 2

    # Mean of (1, 2, 3), (2, 2, 6), (2, 5, 6).
    np.testing.assert_allclose(center_of_mass(label), (5 / 3, 3, 5), rtol=1e-12)


def test_center_of_an_empty_label_map_is_the_middle():
    label = np.zeros((4, 6, 9), dtype=np.uint8)

    np.testing.assert_array_equal(center_of_mass(label), (1.5, 2.5, 4))
    assert find_slices(label) == (1, 2, 4)


def test_slices_avoid_the_gap_at_the_centre_of_mass():
    label = np.zeros((5, 6, 11), dtype=np.uint8)
    label[1:4, 2:4, 1:4] = 1
    label[1:4, 2:4, 7:11] = 1  # centre of mass 5.57 lies between the two
    label[2, 2, 5] = 1  # a single voxel is less than half a vertebra

    assert find_slices(label) == (2, 2, 7)


def test_slices_follow_the_position_asked_for():
    label = np.zeros((5, 6, 11), dtype=np.uint8)
    label[1:4, 2:4, 1:4] = 1
    label[1:4, 2:4, 7:11] = 1

    assert find_slices(label, (0, 9, 4.9)) == (1, 3, 3)


def test_scale_lets_the_tallest_picture_fill_the_height():
    # Anterior 6 * 2 = 12 mm, superior 10 * 1 = 10 mm.
    assert fit_scale(SHAPE, SPACING, 240) == pytest.approx(12 / 240)


def test_panel_row_holds_three_pictures_to_one_scale():
    row = draw_panel_row(
        np.zeros(SHAPE), [], (0, 0, 0), SPACING, window=(0, 1), mm_per_pixel=0.1
    )

    # Sagittal 120 x 100, coronal 120 x 100, axial 120 x 120 pixels.
    assert row.size == (3 * 120 + 2 * GAP, 120)


def test_neighbouring_labels_have_bright_and_unlike_colours():
    colors = np.array([outline_color(label) for label in range(1, 29)], dtype=float)

    assert colors.min() >= 0
    assert colors.max() <= 255
    assert (colors @ (0.2126, 0.7152, 0.0722) > 0.49 * 255).all()
    assert np.linalg.norm(np.diff(colors, axis=0), axis=1).min() > 90
    assert len({tuple(color) for color in colors}) == 28


def test_ignored_voxels_are_hatched_in_one_colour():
    ignored = np.zeros(SHAPE, bool)
    ignored[0, :3] = True  # the posterior half, on the right

    picture = draw_slice(
        np.zeros(SHAPE),
        [],
        0,
        0,
        SPACING,
        window=(0.0, 1.0),
        mm_per_pixel=0.1,
        ignored=ignored,
    )

    pixels = np.asarray(picture)
    hatched = (pixels == IGNORED_COLOR).all(axis=2)
    half = hatched.shape[1] // 2
    assert not hatched[:, :half].any()
    # One pixel of seven, apart from the letters.
    assert hatched[20:80, half : 2 * half - 20].mean() == pytest.approx(1 / 7, abs=0.01)
