"""Every case as a point: how networks differ, and on which scans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from evaluation.curves import COLORS
from evaluation.metrics import METRICS, Metric, subjects_of, values_by_case
from evaluation.scores import Score
from evaluation.statistics import bootstrap_interval
from system.atomic import atomic_write
from system.errors import DataError

SHOWN = ("dice", "hd95_mm", "nsd_1mm")
ASIDE = 0.16  # how far the mean stands from its points


def draw_cases(networks: Mapping[str, Sequence[Score]], path: str | Path) -> None:
    """Draw a point per case and network, those of one case joined by a line.

    Beside the points of each network stands their mean with its 95 % interval.

    Args:
        networks: The scores of each network, in their order from left to right.
        path: Where the PNG goes.

    Raises:
        DataError: If no case was scored.
    """
    if not any(networks.values()):
        raise DataError(
            "A picture of cases needs at least one that was scored. "
            f"Received: none for {', '.join(networks) or 'no network'}"
        )
    shown = [metric for metric in METRICS if metric.key in SHOWN]
    figure = Figure(figsize=(3.6 * len(shown), 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(shown))
    for panel, metric in zip(panels, shown, strict=True):
        _draw_metric(panel, networks, metric)
    figure.legend(
        *panels[0].get_legend_handles_labels(),
        loc="outside lower center",
        ncols=len(networks),
        frameon=False,
    )
    with atomic_write(Path(path)) as temporary:
        figure.savefig(temporary, dpi=130, format="png")


def _draw_metric(
    panel: Axes, networks: Mapping[str, Sequence[Score]], metric: Metric
) -> None:
    by_case = [values_by_case(scores, metric) for scores in networks.values()]
    for place, (first, second) in enumerate(pairwise(by_case)):
        for case_id in first.keys() & second.keys():
            ends = (first[case_id], second[case_id])
            panel.plot((place, place + 1), ends, color="0.75", linewidth=0.8, zorder=1)
    for place, ((name, scores), values) in enumerate(
        zip(networks.items(), by_case, strict=True)
    ):
        color = COLORS[place % len(COLORS)]
        figures = list(values.values())
        places = [place] * len(figures)
        panel.scatter(places, figures, s=18, color=color, zorder=2, label=name)
        if not figures:
            continue
        # Outwards, so that it does not lie on the lines between the networks.
        aside = place + (-ASIDE if place == 0 else ASIDE)
        subjects = subjects_of(scores)
        interval = bootstrap_interval(
            figures, subjects=[subjects[case_id] for case_id in values]
        )
        if interval is not None:
            panel.vlines(aside, *interval, color=color, linewidth=2)
        panel.plot(aside, np.mean(figures), marker="D", color=color, markersize=6)
    panel.set_xticks([])
    panel.set_xlim(-0.5, len(networks) - 0.5)
    if metric.better == "higher":
        panel.set_ylim(-0.02, 1.02)
    else:
        panel.set_ylim(bottom=0)
    better = {"higher": "1 is perfect", "lower": "0 is perfect"}[metric.better]
    panel.set_title(f"{metric.title}: {better}")
    panel.grid(visible=True, axis="y", color="0.9")
    panel.spines[["top", "right"]].set_visible(False)
