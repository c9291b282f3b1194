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


def test_panels_show_dice_over_epochs_and_over_minutes(tmp_path, figures):
    draw_curves({"UNet-2D": history(3), "UNet-3D": history(5)}, tmp_path / "c.png")

    epochs, minutes = figures[0].axes
    training = lines_of(epochs)["UNet-2D, training"]
    assert list(training.get_xdata()) == [1, 2, 3]
    assert list(training.get_ydata()) == [0.5, 0.75, 0.875]
    assert list(lines_of(minutes)["UNet-2D, training"].get_xdata()) == [2, 4, 6]
    # Epochs without a validation leave no point.
    validation = lines_of(minutes)["UNet-3D, validation"]
    assert list(validation.get_xdata()) == [2, 6, 10]
    assert "minutes" in minutes.get_xlabel()
    with Image.open(tmp_path / "c.png") as picture:
        assert picture.size == (1430, 585)  # 11 x 4.5 inches at 130 dots each


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


def test_network_without_epochs_leaves_the_other_alone(tmp_path, figures):
    draw_curves({"UNet-2D": [], "UNet-3D": history(2)}, tmp_path / "c.png")

    assert all("UNet-3D" in label for label in lines_of(figures[0].axes[0]))


def test_curves_without_any_epoch_are_refused(tmp_path):
    with pytest.raises(
        DataError, match=r"one epoch must be finished.*Received: none for a"
    ):
        draw_curves({"a": []}, tmp_path / "c.png")

    assert not (tmp_path / "c.png").exists()
