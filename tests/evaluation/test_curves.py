import pytest
from PIL import Image

from evaluation.curves import draw_curves, read_history
from system.errors import DataError


def history(num_epochs, *, validation=True):
    return [
        {
            "epoch": epoch,
            "minutes": 2.0 * epoch,
            "dice": 1 - 0.5**epoch,
            "loss": 0.5 ** (epoch - 1),
            "learning_rate": 2e-3 * 0.5 ** (epoch - 1),
            "val_dice": (1 - 0.6**epoch) if validation and epoch % 2 else None,
        }
        for epoch in range(1, num_epochs + 1)
    ]


def lines_of(panel):
    return {line.get_label(): line for line in panel.lines}


def test_history_is_read_as_numbers_and_gaps(tmp_path):
    path = tmp_path / "history.csv"
    path.write_text("epoch,minutes,dice,val_dice\n1,0.5,0.25,\n2,1.0,0.5,0.125\n")

    assert read_history(path) == [
        {"epoch": 1, "minutes": 0.5, "dice": 0.25, "val_dice": None},
        {"epoch": 2, "minutes": 1.0, "dice": 0.5, "val_dice": 0.125},
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epoch,minutes\n1,2\n", r"columns of a training history. Received: no dice"),
        ("epoch,minutes,dice\n1,2,0.5\n2,soon,0.5\n", r"line 3: .*'soon'"),
    ],
)
def test_malformed_history_is_refused(tmp_path, text, message):
    path = tmp_path / "history.csv"
    path.write_text(text)

    with pytest.raises(DataError, match=message):
        read_history(path)


def test_missing_history_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"history\.csv could not be read: No such"):
        read_history(tmp_path / "history.csv")


def test_several_networks_are_drawn_over_minutes(tmp_path, figures):
    draw_curves({"UNet-2D": history(3), "UNet-3D": history(5)}, tmp_path / "c.png")

    dice, loss, rate = figures[0].axes
    training = lines_of(dice)["UNet-2D, training"]
    assert list(training.get_xdata()) == [2, 4, 6]
    assert list(training.get_ydata()) == [0.5, 0.75, 0.875]
    # Epochs without a validation leave no point.
    validation = lines_of(dice)["UNet-3D, validation"]
    assert list(validation.get_xdata()) == [2, 6, 10]
    assert {panel.get_xlabel() for panel in (dice, loss, rate)} == {
        "training time in minutes"
    }
    with Image.open(tmp_path / "c.png") as picture:
        assert picture.size == (1560, 650)  # 12 x 5 inches at 130 dots each


def test_one_network_is_drawn_over_epochs_with_loss_and_learning_rate(
    tmp_path, figures
):
    draw_curves({"UNet-2D": history(3)}, tmp_path / "c.png")

    dice, loss, rate = figures[0].axes
    assert list(dice.lines[0].get_xdata()) == [1, 2, 3]
    assert [list(line.get_ydata()) for line in loss.lines] == [[1, 0.5, 0.25]]
    assert [list(line.get_ydata()) for line in rate.lines] == [[2e-3, 1e-3, 0.5e-3]]
    assert "averaged weights" in figures[0].get_supxlabel()


def test_dice_axis_begins_below_the_lowest_validation(tmp_path, figures):
    late = [row | {"val_dice": 0.83 + row["epoch"] / 100} for row in history(4)]

    draw_curves({"UNet-2D": late}, tmp_path / "c.png")

    # The first training epochs, .5 and .75, lie below.
    assert figures[0].axes[0].get_ylim() == (0.7, 1)


def test_dice_axis_shows_the_best_of_each_training(tmp_path, figures):
    late = [row | {"val_dice": 0.9} for row in history(4)]
    low = [{**row, "dice": 0.1 * row["epoch"], "val_dice": 0.9} for row in history(4)]

    draw_curves({"UNet-2D": late, "UNet-3D": low}, tmp_path / "c.png")

    # That of UNet-3D is .4, and its epochs before it lie below.
    assert figures[0].axes[0].get_ylim() == (0.3, 1)


def test_each_network_has_one_color_and_each_part_one_style(tmp_path, figures):
    draw_curves({"UNet-2D": history(3), "UNet-3D": history(5)}, tmp_path / "c.png")

    lines = lines_of(figures[0].axes[0])
    colors = {
        name: {line.get_color() for label, line in lines.items() if name in label}
        for name in ("UNet-2D", "UNet-3D")
    }
    assert [len(found) for found in colors.values()] == [1, 1]
    assert colors["UNet-2D"] != colors["UNet-3D"]
    assert lines["UNet-3D, training"].get_linestyle() == "--"
    assert lines["UNet-3D, validation"].get_linestyle() == "-"


def test_single_epoch_without_validation_is_drawn_as_a_point(tmp_path, figures):
    draw_curves({"UNet-2D": history(1, validation=False)}, tmp_path / "c.png")

    (line,) = figures[0].axes[0].lines
    assert line.get_marker() == "o"


def test_training_without_any_validation_is_drawn(tmp_path, figures):
    rows = [row | {"val_dice": float("nan")} for row in history(3)]

    draw_curves({"UNet-2D": rows}, tmp_path / "c.png")

    assert [line.get_label() for line in figures[0].axes[0].lines] == [
        "UNet-2D, training"
    ]
    assert figures[0].axes[0].get_ylim() == (0.4, 1)  # the lowest is .5


def test_network_without_epochs_leaves_the_other_alone(tmp_path, figures):
    draw_curves({"UNet-2D": [], "UNet-3D": history(2)}, tmp_path / "c.png")

    assert all("UNet-3D" in label for label in lines_of(figures[0].axes[0]))


def test_curves_without_any_epoch_are_refused(tmp_path):
    with pytest.raises(
        DataError, match=r"one epoch must be finished.*Received: none for a"
    ):
        draw_curves({"a": []}, tmp_path / "c.png")

    assert not (tmp_path / "c.png").exists()
