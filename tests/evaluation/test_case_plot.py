import numpy as np
import pytest
from PIL import Image
from support.score_rows import score

from evaluation.case_plot import MOST_CASES, draw_cases

TWO = {
    "UNet-2D": [score("ann", 0.5), score("ben", 0.625), score("$cy$", 0.25)],
    "UNet-3D": [score("ben", 0.875), score("ann", 0.75), score("$cy$", 0.5)],
}


def rows_of(figure):
    """Return the name of each row, from top to bottom."""
    return [label.get_text() for label in figure.axes[0].get_yticklabels()]


def test_cases_are_named_worst_first_below_the_means(tmp_path, figures):
    assert draw_cases(TWO, tmp_path / "cases.png")

    means = ["mean, UNet-2D", "mean, UNet-3D"]
    assert rows_of(figures[0]) == [*means, "$cy$", "ann", "ben"]
    bottom, top = figures[0].axes[0].get_ylim()
    assert bottom > top
    with Image.open(tmp_path / "cases.png") as picture:
        assert picture.size == (1560, 344)  # 12 x (1.6 + 5 x .21) inches


def test_points_of_a_case_are_joined(tmp_path, figures):
    draw_cases(TWO, tmp_path / "cases.png")

    dice = figures[0].axes[0]
    *lines, first, second = dice.collections
    joined = [line.get_segments()[0].tolist() for line in lines]
    assert joined == [
        [[0.25, 2], [0.5, 2]],
        [[0.5, 3], [0.75, 3]],
        [[0.625, 4], [0.875, 4]],
    ]
    assert first.get_offsets().tolist() == [[0.25, 2], [0.5, 3], [0.625, 4]]
    assert second.get_offsets().tolist() == [[0.5, 2], [0.75, 3], [0.875, 4]]
    (legend,) = figures[0].legends
    # No interval of three subjects.
    labels = [text.get_text() for text in legend.get_texts()]
    assert labels == ["UNet-2D", "UNet-3D", "mean"]


def test_mean_and_its_interval_have_rows_of_their_own(tmp_path, figures):
    # One of six: see test_statistics.py.
    networks = {
        name: [score(case_id, dice) for case_id in "abcde"] + [score("f", dice + 0.3)]
        for name, dice in (("UNet-2D", 0.25), ("UNet-3D", 0.5))
    }

    draw_cases(networks, tmp_path / "cases.png")

    lines = figures[0].axes[0].lines
    ticks = [line.get_xydata()[0] for line in lines if line.get_marker() == "|"]
    assert np.allclose(ticks, [(0.3, 0), (0.55, 1)])
    bars = [line.get_xydata() for line in lines if line.get_linewidth() == 6]
    assert np.allclose(bars, [[(0.25, 0), (0.4, 0)], [(0.5, 1), (0.65, 1)]])


@pytest.mark.parametrize(
    ("lowest", "begin"), [(0.04, 0.0), (0.3, 0.2), (0.0, 0.0), (0.91, 0.9), (1.0, 0.94)]
)
def test_axis_of_dice_begins_at_a_tick(tmp_path, figures, lowest, begin):
    scores = [
        score(case_id, dice)
        for case_id, dice in zip("abc", (lowest, 1, 1), strict=True)
    ]

    draw_cases({"a": scores}, tmp_path / "cases.png")

    panel = figures[0].axes[0]
    assert panel.get_xlim() == pytest.approx((begin, 1))
    assert panel.get_xticks()[[0, -1]] == pytest.approx((begin, 1))


def test_network_without_a_distance_leaves_its_panel_empty(tmp_path, figures):
    empty = [score(case_id, 1.0, empty="both") for case_id in "abc"]

    draw_cases({"UNet-2D": empty}, tmp_path / "cases.png")

    dice, hausdorff, _ = figures[0].axes
    assert len(dice.collections[-1].get_offsets()) == 3
    assert len(hausdorff.collections[-1].get_offsets()) == 0


def test_only_the_worst_of_many_are_shown(tmp_path, figures):
    scores = [score(f"case{number:03}", number / 100) for number in range(100)]

    draw_cases({"UNet-2D": scores}, tmp_path / "cases.png")

    assert rows_of(figures[0])[1:] == [f"case{n:03}" for n in range(MOST_CASES)]
    assert figures[0].get_supxlabel().startswith("The 60 worst of 100 cases")
    assert np.allclose(figures[0].axes[0].lines[-2].get_xdata(), 0.495)


@pytest.mark.parametrize("num_cases", [0, 2])
def test_fewer_than_three_cases_are_not_drawn(tmp_path, num_cases):
    scores = [score(case_id, 0.5) for case_id in "ab"[:num_cases]]

    assert not draw_cases({"a": scores}, tmp_path / "cases.png")

    assert list(tmp_path.iterdir()) == []


def test_long_name_is_cut_in_the_middle(tmp_path, figures):
    name = "x" * 40 + "last"
    scores = [score(case_id, 0.5) for case_id in (name, "b", "c")]

    draw_cases({"a": scores}, tmp_path / "cases.png")

    assert "xxx" in rows_of(figures[0])[-1]
    assert rows_of(figures[0])[-1].endswith("last")
    assert len(rows_of(figures[0])[-1]) <= 32
