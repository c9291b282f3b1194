import numpy as np
import pytest
from PIL import Image
from support.score_rows import score

from evaluation.case_plot import draw_cases
from system.errors import DataError


def test_points_of_a_case_are_joined(tmp_path, figures):
    networks = {
        "UNet-2D": [score("ann", 0.5), score("ben", 0.625)],
        "UNet-3D": [score("ben", 0.875), score("ann", 0.75)],
    }

    draw_cases(networks, tmp_path / "cases.png")

    dice = figures[0].axes[0]
    lines = [line for line in dice.lines if len(line.get_xdata()) == 2]
    assert {tuple(line.get_ydata()) for line in lines} == {(0.5, 0.75), (0.625, 0.875)}
    # No interval of two cases.
    points = [points.get_offsets().tolist() for points in dice.collections]
    assert points == [[[0, 0.5], [0, 0.625]], [[1, 0.875], [1, 0.75]]]
    (legend,) = figures[0].legends
    assert [text.get_text() for text in legend.get_texts()] == list(networks)
    with Image.open(tmp_path / "cases.png") as picture:
        assert picture.size == (1404, 546)  # 3 panels of 3.6 x 4.2 inches at 130 dots


def test_mean_and_its_interval_are_drawn_outside_the_lines(tmp_path, figures):
    # One of six: see test_statistics.py.
    networks = {
        name: [score(case_id, dice) for case_id in "abcde"] + [score("f", dice + 0.3)]
        for name, dice in (("UNet-2D", 0.25), ("UNet-3D", 0.5))
    }

    draw_cases(networks, tmp_path / "cases.png")

    dice = figures[0].axes[0]
    means = [line for line in dice.lines if line.get_marker() == "D"]
    positions = [(line.get_xdata()[0], line.get_ydata()[0]) for line in means]
    assert np.allclose(positions, [(-0.16, 0.3), (1.16, 0.55)])
    # Each network draws its points, then the interval of its mean: up to three ones.
    intervals = [lines.get_segments()[0].tolist() for lines in dice.collections[1::2]]
    assert np.allclose(
        intervals, [[[-0.16, 0.25], [-0.16, 0.4]], [[1.16, 0.5], [1.16, 0.65]]]
    )


def test_network_without_a_distance_leaves_its_panel_empty(tmp_path, figures):
    draw_cases({"UNet-2D": [score("ann", 1.0, empty="both")]}, tmp_path / "cases.png")

    dice, hausdorff, _ = figures[0].axes
    assert len(dice.collections[0].get_offsets()) == 1
    assert len(hausdorff.collections[0].get_offsets()) == 0
    assert not hausdorff.lines


def test_no_scored_case_is_refused(tmp_path):
    with pytest.raises(
        DataError, match=r"At least one case must be scored.*none for a"
    ):
        draw_cases({"a": []}, tmp_path / "cases.png")
