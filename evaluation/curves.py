"""Plotting training curves: Dice over epochs and over minutes."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes

from evaluation.figures import new_figure
from system.atomic import atomic_write
from system.errors import DataError

# Distinguishable for colour-blind readers (Okabe and Ito, 2008).
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
REQUIRED_COLUMNS = ("epoch", "minutes", "dice")


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
    """Draw the Dice coefficient of one or several networks during training.

    Training is dashed, validation solid, and the best validation marked. The left
    panel is over epochs, the right one over minutes.

    Args:
        histories: For each network the rows of its history with `epoch`,
            `minutes`, `dice` and, after a validation, `val_dice`; values may be
            None.
        path: PNG to write.

    Raises:
        DataError: If no network has finished an epoch.
    """
    if not any(histories.values()):
        raise DataError(
            "At least one epoch must be finished to draw curves. "
            f"Received: none for {', '.join(histories) or 'no network'}"
        )
    figure = new_figure(11, 4.5)
    panels = figure.subplots(1, 2, sharey=True)
    for panel, column, title in zip(
        panels,
        ("epoch", "minutes"),
        ("Training epoch", "Training time (minutes)"),
        strict=True,
    ):
        for index, (name, rows) in enumerate(histories.items()):
            _draw_network(panel, name, rows, column, COLORS[index % len(COLORS)])
        panel.set_xlabel(title)
        panel.set_xlim(left=0)
        panel.set_ylim(0, 1.02)
        panel.grid(visible=True, color="0.9")
        panel.spines[["top", "right"]].set_visible(False)
    panels[0].xaxis.get_major_locator().set_params(integer=True)
    panels[0].set_ylabel("Dice coefficient (1 is perfect)")
    handles, names = panels[0].get_legend_handles_labels()
    figure.legend(
        handles,
        names,
        loc="outside lower center",
        ncols=len(histories) if len(histories) > 1 else 3,  # a column per network
        frameon=False,
    )
    with atomic_write(Path(path)) as partial:
        figure.savefig(partial, dpi=130, format="png")


def _draw_network(
    panel: Axes, name: str, rows: Sequence[Mapping], column: str, color: str
) -> None:
    for key, split, style in (
        ("dice", "training", "--"),
        ("val_dice", "validation", "-"),
    ):
        points = [
            (row[column], row[key])
            for row in rows
            if row.get(column) is not None and row.get(key) is not None
        ]
        if not points:
            continue
        panel.plot(
            [position for position, _ in points],
            [dice for _, dice in points],
            linestyle=style,
            color=color,
            # A line of one point is invisible without a marker.
            marker="o" if len(points) == 1 else None,
            label=f"{name}, {split}",
        )
        if key == "val_dice":
            position, best = max(points, key=lambda point: point[1])
            panel.plot(
                position,
                best,
                linestyle="none",
                color=color,
                marker="o",
                label=f"{name}, best validation {best:.3f}",
            )
