import numpy as np
import pytest

from volumes.legend import LINE, draw_legend
from volumes.palette import outline_color
from volumes.view import IGNORED_COLOR


@pytest.mark.parametrize("count", [1, 5, 87])
def test_every_class_has_a_swatch_of_its_own(count):
    entries = [(f"structure {n}", outline_color(n)) for n in range(1, count + 1)]

    legend = draw_legend(entries, 1780)

    assert legend.width <= 1780
    codes, places = np.asarray(legend).astype(int) @ (65536, 256, 1), []
    for _, color in entries:
        rows, columns = np.nonzero(codes == np.array(color) @ (65536, 256, 1))
        assert len(rows) == 13 * 13
        places.append((rows[0], columns[0]))
    for number, (row, column) in enumerate(places):
        for other_row, other_column in places[:number]:
            assert abs(row - other_row) >= LINE or abs(column - other_column) > 80


def test_87_long_names_take_a_sixth_of_a_screen_at_most():
    names = [(f"autochthonous muscle, left, part {n}", (n, 9, 9)) for n in range(87)]

    assert draw_legend(names, 1780).height < 250


def test_name_never_reaches_the_next_swatch():
    entries = [("a name as long as can be, and longer than is drawn", (255, 0, 0))] * 9

    pixels = np.asarray(draw_legend(entries, 1000))

    # Left of each swatch but the first is a gap.
    columns = np.flatnonzero((pixels == (255, 0, 0)).all(axis=2).any(axis=0))
    starts = columns[1:][np.diff(columns) > 1]
    assert len(starts) > 0
    for start in starts:
        assert len(np.unique(pixels[:, start - 4 : start].reshape(-1, 3), axis=0)) == 1


def test_ignored_is_an_open_box_and_no_entries_are_no_legend():
    pixels = np.asarray(draw_legend([("ignored", IGNORED_COLOR)], 500))

    drawn = (pixels == IGNORED_COLOR).all(axis=2).sum()
    assert drawn == 4 * 12 + 11  # its edge and the diagonal
    assert draw_legend([], 500) is None
