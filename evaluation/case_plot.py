"""Plotting every case as a point, to show how networks differ and on which scans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from evaluation.curves import COLORS
from evaluation.figures import new_figure
from evaluation.metrics import METRICS, Metric, subjects_of, values_by_case
from evaluation.scores import Score
from evaluation.statistics import bootstrap_interval
from system.atomic import atomic_write
from system.errors import DataError

PLOTTED_METRICS = ("dice", "hd95_mm", "nsd_1mm")
MEAN_OFFSET = 0.16  # of the mean from the points, along the horizontal axis


def draw_cases(networks: Mapping[str, Sequence[Score]], path: str | Path) -> None:
    """Draw a point per case and network, and a line between the points of a case.

    The mean is drawn beside the points of each network, with its 95 % interval if
    there are enough subjects for one.

    Args:
        networks: The scores of each network, from left to right.
        path: PNG to write.

    Raises:
        DataError: If no case was scored.
    """
    if not any(networks.values()):
        raise DataError(
            "At least one case must be scored to draw its metrics. "
            f"Received: none for {', '.join(networks) or 'no network'}"
        )
    metrics = [metric for metric in METRICS if metric.key in PLOTTED_METRICS]
    figure = new_figure(3.6 * len(metrics), 4.2)
    panels = figure.subplots(1, len(metrics))
    for panel, metric in zip(panels, metrics, strict=True):
        _draw_metric(panel, networks, metric)
    handles, names = panels[0].get_legend_handles_labels()
    figure.legend(
        handles,
        names,
        loc="outside lower center",
        ncols=len(networks),
        frameon=False,
    )
    with atomic_write(Path(path)) as partial:
        figure.savefig(partial, dpi=130, format="png")


def _draw_metric(
    panel: Axes, networks: Mapping[str, Sequence[Score]], metric: Metric
) -> None:
    by_case = [values_by_case(scores, metric) for scores in networks.values()]
    for position, (left, right) in enumerate(pairwise(by_case)):
        for case_id in left.keys() & right.keys():
            panel.plot(
                (position, position + 1),
                (left[case_id], right[case_id]),
                color="0.75",
                linewidth=0.8,
                zorder=1,
            )
    for position, (name, scores) in enumerate(networks.items()):
        _draw_network(panel, position, name, by_case[position], subjects_of(scores))
    panel.set_xticks([])
    panel.set_xlim(-0.5, len(networks) - 0.5)
    if metric.better == "higher":
        panel.set_ylim(-0.02, 1.02)
        panel.set_title(f"{metric.title}: 1 is perfect")
    else:
        panel.set_ylim(bottom=0)
        panel.set_title(f"{metric.title}: 0 is perfect")
    panel.grid(visible=True, axis="y", color="0.9")
    panel.spines[["top", "right"]].set_visible(False)


def _draw_network(
    panel: Axes,
    position: int,
    name: str,
    by_case: Mapping[str, float],
    subjects: Mapping[str, str],
) -> None:
    color = COLORS[position % len(COLORS)]
    values = list(by_case.values())
    panel.scatter(
        [position] * len(values), values, s=18, color=color, zorder=2, label=name
    )
    if not values:
        return
    # Outwards, so that the mean does not lie on the lines between the networks.
    x = position - MEAN_OFFSET if position == 0 else position + MEAN_OFFSET
    interval = bootstrap_interval(values, subjects=[subjects[case] for case in by_case])
    if interval is not None:
        panel.vlines(x, *interval, color=color, linewidth=2)
    panel.plot(x, np.mean(values), marker="D", color=color, markersize=6)
