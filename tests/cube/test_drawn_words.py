import pytest

from cube.drawn_words import describe_drawn


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
def test_drawn_parameters_are_described_in_one_line(drawn, sentence):
    assert describe_drawn(drawn) == sentence


def test_short_words_have_the_displacement_of_an_elastic_deformation_alone():
    elastic = {"control_spacing": 32.0, "displacement": 2.5, "smallest_jacobian": 0.8}

    words = describe_drawn({"flip": True, "elastic": elastic}, is_short=True)

    assert words == "flip, elastic 2.5 mm"
