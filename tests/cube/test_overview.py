import pytest
from PIL import Image

from cube.overview import draw_overview
from volumes.panels import GAP


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_overview_shows_every_case_once(count):
    colors = [(200, 10 * number, 30) for number in range(count)]
    cells = [
        (f"case {number}", "train", Image.new("RGB", (90, 50 + number), color))
        for number, color in enumerate(colors)
    ]

    sheet = draw_overview(cells, width=3 * (110 + GAP) + GAP)

    assert sheet.width <= 3 * (110 + GAP) + GAP
    counts = {color: number for number, color in sheet.getcolors(maxcolors=2**24)}
    assert [counts[color] for color in colors] == [
        90 * (50 + number) for number in range(count)
    ]


def test_overview_without_cases_shows_a_text():
    colors = draw_overview([]).getcolors(maxcolors=2**24)

    assert len(colors) > 1  # words on the background
