import numpy as np

from volumes.name_places import find_largest_part, find_room
from volumes.panels import font

SIZE = (240, 160)  # of the picture
ROWS, COLUMNS = np.array([70, 71, 72]), np.array([100, 101, 102])


def test_names_of_one_place_are_left_and_right_of_it_then_left_out():
    taken = []
    for _ in range(2):
        taken.append(find_room("L3L4", ROWS, COLUMNS, SIZE, taken))

    width = font(12).getlength("L3L4") + 4
    # 16 pixels high, around row 71, and 3 pixels away; above, it would touch both.
    assert [box[:2] for box in taken] == [(100 - width - 3, 63), (105, 63)]
    assert find_room("L3L4", ROWS, COLUMNS, SIZE, taken) is None


def test_name_is_above_or_below_what_has_others_beside_it():
    beside = [(0.0, 71.0, 240.0, 72.0)]
    below = (0.0, 73.0, 240.0, 90.0)

    assert find_room("L1", ROWS, COLUMNS, SIZE, beside)[1] == 70 - 16
    above = find_room("L1", ROWS, COLUMNS, SIZE, beside)
    assert find_room("L1", ROWS, COLUMNS, SIZE, [*beside, above])[1] == 73
    assert find_room("L1", ROWS, COLUMNS, SIZE, [*beside, above, below]) is None


def test_name_off_the_picture_goes_to_the_other_side():
    assert find_room("L3L4", ROWS, COLUMNS - 95, SIZE, [])[0] == 10


def test_name_is_on_a_structure_that_is_large_enough():
    rows, columns = (part.ravel() for part in np.mgrid[40:80, 60:140])

    left, top, right, bottom = find_room("L1", rows, columns, SIZE, [])

    assert ((left + right) / 2, (top + bottom) / 2) == (99.5, 59.5)


def test_largest_part_is_that_of_most_pixels():
    mask = np.zeros((5, 9), bool)
    mask[0, :2] = mask[2:4, 4:7] = True

    rows, columns = find_largest_part(mask)

    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (2, 3, 4, 6)
