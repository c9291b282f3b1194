"""Plotting every case as a point, to show how networks differ and on which scans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from evaluation.curves import COLORS
from evaluation.figures import new_figure
from evaluation.metrics import METRICS, Metric, subjects_of, values_by_case
from evaluation.scores import Score
from evaluation.statistics import bootstrap_interval
from system.atomic import atomic_write

PLOTTED_METRICS = ("dice", "hd95_mm", "nsd_1mm")
FEWEST_CASES = 3  # fewer are read in the table
MOST_CASES = 60  # the worst ones, so that their names are legible
INCHES_PER_ROW = 0.21
LONGEST_NAME = 32
MOST_TICKS = 6  # intervals between ticks
CLOSEST = 0.99  # at which an axis that ends at 1 begins at most
SPACED = {"wspace": 0.08}


def draw_cases(networks: Mapping[str, Sequence[Score]], path: str | Path) -> bool:
    """Draw a row per case, worst first, with a point per network and metric.

    The first rows are the means, with their 95 % intervals if there are enough
    subjects for one. At most `MOST_CASES` cases are drawn.

    Args:
        networks: The scores of each network.
        path: PNG to write.

    Returns:
        Whether it was drawn; not with fewer than `FEWEST_CASES` cases.
    """
    metrics = [metric for metric in METRICS if metric.key in PLOTTED_METRICS]
    cases = _order_cases(networks, metrics[0])
    if len(cases) < FEWEST_CASES:
        return False
    shown = cases[:MOST_CASES]
    num_rows = len(networks) + len(shown)
    figure = new_figure(12, 1.6 + INCHES_PER_ROW * num_rows)
    # With space between the panels, or the labels of their ticks touch.
    panels = figure.subplots(1, len(metrics), sharey=True, gridspec_kw=SPACED)
    for panel, metric in zip(panels, metrics, strict=True):
        _draw_metric(panel, networks, metric, shown)
    names = [f"mean, {name}" for name in networks]
    names += [_shorten(case_id) for case_id in shown]
    panels[0].set_yticks(range(num_rows), names, fontsize=8, parse_math=False)
    panels[0].set_ylim(num_rows - 0.4, -0.6)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(labels))
    if len(cases) > len(shown):
        figure.supxlabel(
            f"The {len(shown)} worst of {len(cases)} cases; the means are of all.",
            fontsize=9,
        )
    with atomic_write(Path(path)) as partial:
        figure.savefig(partial, dpi=130, format="png")
    return True


def _order_cases(networks: Mapping[str, Sequence[Score]], metric: Metric) -> list[str]:
    """Return the cases by their mean over the networks, the lowest first."""
    values = [values_by_case(scores, metric) for scores in networks.values()]
    means = {
        case_id: np.mean([found[case_id] for found in values if case_id in found])
        for case_id in {case_id for found in values for case_id in found}
    }
    return sorted(means, key=lambda case_id: (means[case_id], case_id))


def _shorten(case_id: str) -> str:
    """Return a name of at most `LONGEST_NAME` characters, cut in the middle."""
    if len(case_id) <= LONGEST_NAME:
        return case_id
    half = LONGEST_NAME // 2 - 1
    return f"{case_id[:half]}…{case_id[-half:]}"


def _draw_metric(
    panel: Axes,
    networks: Mapping[str, Sequence[Score]],
    metric: Metric,
    shown: Sequence[str],
) -> None:
    """Draw the means, the cases, and a line between the points of each case."""
    by_network = [values_by_case(scores, metric) for scores in networks.values()]
    for row, case_id in enumerate(shown, start=len(networks)):
        points = [found[case_id] for found in by_network if case_id in found]
        if points:
            panel.hlines(row, min(points), max(points), color="0.75", zorder=1)
    for index, name in enumerate(networks):
        color, found = COLORS[index % len(COLORS)], by_network[index]
        rows = {c: r for r, c in enumerate(shown, start=len(networks)) if c in found}
        panel.scatter(
            [found[case_id] for case_id in rows],
            list(rows.values()),
            s=24,
            color=color,
            marker="os"[index % 2],  # told apart without colour
            label=name,
            zorder=2,
            clip_on=False,  # a point at the end of the axis is drawn whole
        )
    for index, scores in enumerate(networks.values()):
        color = COLORS[index % len(COLORS)]
        _draw_mean(panel, index, by_network[index], subjects_of(scores), color)
    panel.axhline(len(networks) - 0.5, color="0.6", linewidth=0.8)
    better = "higher" if metric.better == "higher" else "lower"
    panel.set_title(f"{metric.title}, {better} is better", fontsize=10)
    if metric.better == "higher":
        _end_at_ticks(panel)
    else:
        panel.set_xlim(left=0)
    panel.grid(visible=True, axis="x", color="0.9")
    panel.tick_params(axis="y", length=0)
    panel.spines[["top", "right", "left"]].set_visible(False)


def _end_at_ticks(panel: Axes) -> None:
    """Let the axis begin at the tick below all points, and end at 1.

    An axis that begins at .03 would be read as one that begins at 0.
    """
    low = np.clip(panel.get_xlim()[0], 0, CLOSEST)
    locator = MaxNLocator(MOST_TICKS, steps=(1, 2, 5, 10))  # of which 1 is a multiple
    ticks = np.asarray(locator.tick_values(low, 1))
    panel.set_xticks(ticks[ticks < 1 + 1e-9])
    panel.set_xlim(ticks[0], 1)


def _draw_mean(
    panel: Axes,
    row: int,
    by_case: Mapping[str, float],
    subjects: Mapping[str, str],
    color: str,
) -> None:
    """Draw a network's mean as a tick, and its interval as a bar."""
    values = list(by_case.values())
    if not values:
        return
    interval = bootstrap_interval(values, subjects=[subjects[case] for case in by_case])
    first = row == 0
    if interval is not None:
        low, high = interval
        label = "95 % interval of the mean" if first else None
        panel.plot(
            (low, high), (row, row), color=color, linewidth=6, alpha=0.4, label=label
        )
    label = "mean" if first else None
    panel.plot(
        np.mean(values), row, "|", color=color, markersize=12, mew=2, label=label
    )
