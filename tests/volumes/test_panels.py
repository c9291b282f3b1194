import numpy as np
from PIL import Image

from volumes.panels import GAP, draw_sheet, draw_text, stack_horizontally

RED = (255, 0, 0)


def test_sheet_stacks_its_rows_in_order():
    rows = [("one", Image.new("RGB", (500, 30), RED))]
    rows.append(("two, three", Image.new("RGB", (500, 40), (0, 0, 255))))

    pixels = np.asarray(draw_sheet(rows, title="case", legend=[("L1", (0, 255, 0))]))

    assert pixels.shape[1] == 500 + 2 * GAP
    column = [tuple(pixel) for pixel in pixels[:, GAP + 250].tolist()]
    assert column.count(RED) == 30
    assert column.count((0, 0, 255)) == 40
    assert column.index(RED) < column.index((0, 0, 255))


def test_pictures_side_by_side_are_aligned_as_asked_for():
    tall, low = Image.new("RGB", (4, 10), RED), Image.new("RGB", (3, 4), RED)

    row = np.asarray(stack_horizontally([tall, low], align=1.0))

    assert row.shape == (10, 4 + GAP + 3, 3)
    # The lower picture stands on the bottom: six rows of background above it.
    is_red = (row[:, 4 + GAP] == RED).all(axis=1)
    np.testing.assert_array_equal(is_red, [False] * 6 + [True] * 4)


def test_text_breaks_where_the_width_is_full():
    pieces = [("one", RED), ("two", RED)]

    one_line = draw_text(pieces, 1000, 20)
    two_lines = draw_text(pieces, 40, 20)

    # 1.4 times the size of the font per line.
    assert (one_line.height, two_lines.height) == (28, 56)
    assert two_lines.width < one_line.width
    assert draw_text([], 1000, 20) is None
