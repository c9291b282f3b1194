"""Plotting training curves: Dice, loss and learning rate."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes

from evaluation.figures import new_figure
from system.atomic import atomic_write
from system.errors import DataError

# Distinguishable for colour-blind readers (Okabe and Ito, 2008).
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
REQUIRED_COLUMNS = ("epoch", "minutes", "dice")
CAPTION = (
    "Training: augmented patches, while the weights change, so it lies lower. "
    "Validation: whole cases on the cube's grid, with averaged weights;\n"
    "the best one chooses the model. The test, not shown, scores other persons on each "
    "scan's own grid, and usually lies below validation."
)


def read_history(path: str | Path) -> list[dict[str, float | None]]:
    """Read the rows of history.csv, one per epoch; an empty cell becomes None.

    Raises:
        DataError: If the file cannot be read, lacks a column that the curves
            need, or has a cell that is no number; names the file and the line.
    """
    try:
        with open(path, newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            received = reader.fieldnames or ()
            missing = [name for name in REQUIRED_COLUMNS if name not in received]
            if missing:
                raise DataError(
                    f"{path} must have the columns of a training history. "
                    f"Received: no {', '.join(missing)}"
                )
            return [
                {name: float(row[name]) if row[name] else None for name in received}
                for row in reader
            ]
    except OSError as error:
        raise DataError(f"{path} could not be read: {error.strerror}") from error
    except (csv.Error, ValueError) as error:
        raise DataError(
            f"{path}, line {reader.line_num}: every cell must hold a number or "
            f"be empty. Received: {error}"
        ) from error


def draw_curves(
    histories: Mapping[str, Sequence[Mapping[str, float | None]]], path: str | Path
) -> None:
    """Draw Dice coefficient, loss and learning rate of networks during training.

    They are drawn over the epochs of one network, or over the minutes of several,
    whose epochs differ in length. Training is dashed, validation solid, and the best
    validation marked. A caption says what each is measured on.

    Args:
        histories: For each network the rows of its history with `epoch`,
            `minutes`, `dice` and, after a validation, `val_dice`; values may be
            None or NaN. A panel whose column is absent stays empty.
        path: PNG to write.

    Raises:
        DataError: If no network has finished an epoch.
    """
    if not any(histories.values()):
        raise DataError(
            "At least one epoch must be finished to draw curves. "
            f"Received: none for {', '.join(histories) or 'no network'}"
        )
    figure = new_figure(12, 5)
    panels = figure.subplots(1, 3, width_ratios=(2, 1.2, 1.2))
    over = "epoch" if len(histories) == 1 else "minutes"
    for index, (name, rows) in enumerate(histories.items()):
        color = COLORS[index % len(COLORS)]
        _draw_dice(panels[0], name, rows, over, color)
        for panel, column in zip(panels[1:], ("loss", "learning_rate"), strict=True):
            _draw_column(panel, rows, over, column, color=color)
    for panel, title in zip(panels, ("Dice", "Loss", "Learning rate"), strict=True):
        panel.set_title(title)
        panel.set_xlabel("epoch" if over == "epoch" else "training time in minutes")
        panel.grid(visible=True, color="0.9")
        panel.spines[["top", "right"]].set_visible(False)
        if over == "epoch":
            panel.xaxis.get_major_locator().set_params(integer=True)
    panels[0].set_ylim(_lowest_dice(histories), 1)
    panels[2].ticklabel_format(axis="y", scilimits=(0, 0))
    handles, names = panels[0].get_legend_handles_labels()
    columns = len(histories) if len(histories) > 1 else 3  # a column per network
    figure.legend(handles, names, loc="outside upper center", ncols=columns)
    figure.supxlabel(CAPTION, fontsize=9, color="0.3")
    with atomic_write(Path(path)) as partial:
        figure.savefig(partial, dpi=130, format="png")


def _lowest_dice(histories: Mapping[str, Sequence[Mapping]]) -> float:
    """Return where the axis of the Dice coefficient begins, a multiple of 0.1.

    It shows every validation and the best of each training, whose first epochs may
    lie below.
    """
    shown = []
    for rows in histories.values():
        validation, training = (
            [row[key] for row in rows if _is_number(row.get(key))]
            for key in ("val_dice", "dice")
        )
        best = [max(training)] if training and validation else training
        shown += validation + best
    lowest = min(shown, default=0.0)
    return max(0.0, math.floor(10 * lowest - 0.5) / 10)


def _is_number(value: float | None) -> bool:
    return value is not None and not math.isnan(value)


def _draw_dice(
    panel: Axes, name: str, rows: Sequence[Mapping], over: str, color: str
) -> None:
    """Draw training and validation of a network, and mark the best validation."""
    _draw_column(
        panel,
        rows,
        over,
        "dice",
        color=color,
        linestyle="--",
        label=f"{name}, training",
    )
    points = _draw_column(
        panel, rows, over, "val_dice", color=color, label=f"{name}, validation"
    )
    if points:
        position, best = max(points, key=lambda point: point[1])
        label = f"{name}, best validation {best:.3f}"
        panel.plot(position, best, "o", color=color, label=label)


def _draw_column(
    panel: Axes, rows: Sequence[Mapping], over: str, column: str, **style
) -> list[tuple[float, float]]:
    """Draw the values of a column, but for None and NaN; return the points."""
    points = [
        (row[over], row[column])
        for row in rows
        if _is_number(row.get(over)) and _is_number(row.get(column))
    ]
    if points:
        # A line of one point is invisible without a marker.
        marker = "o" if len(points) == 1 else None
        panel.plot(*zip(*points, strict=True), marker=marker, **style)
    return points
