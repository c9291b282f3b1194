import pytest
from PIL import Image

from cube.contact_sheets import describe_drawn, draw_overview, shorten_to_width
from volumes.panels import GAP, font


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


def test_overview_of_no_case_says_so():
    colors = draw_overview([]).getcolors(maxcolors=2**24)

    assert len(colors) > 1  # words on the background


def test_long_case_id_keeps_its_ends():
    text = shorten_to_width("sub-verse0123456789_dir-sag_L1", 120, 14)

    assert text.startswith("sub")
    assert text.endswith("L1")
    assert font(14).getlength(text) <= 120


@pytest.mark.parametrize(
    ("drawn", "sentence"),
    [
        ({}, ""),
        (
            {"rotation": [4.1, -2.0, 7.9], "rescaling": [1.06, 1.06, 1.06]},
            "rotation 4.1 -2 7.9 deg, rescaling 1.06",
        ),
        ({"noise": {"seed": 123, "std": 0.0312}, "flip": True}, "noise 0.0312, flip"),
        (
            {"elastic": {"control_spacing": 32.0, "displacement": 2.5, "seed": 5}},
            "elastic (control spacing 32 mm, displacement 2.5 mm)",
        ),
        ({"shift": [[1, -9], [2, 3], [4, 5]], "flip": False}, "shift up to 9 mm"),
        (
            {"kind": "bias", "order": ["a", "b"], "off": None, "empty": []},
            "kind bias, order a b",
        ),
    ],
)
def test_drawn_parameters_become_a_sentence(drawn, sentence):
    assert describe_drawn(drawn) == sentence
