"""Figures of matplotlib that no settings file of the user or of the folder changes."""

from __future__ import annotations

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure


def new_figure(width: float, height: float) -> Figure:
    """Create a figure in matplotlib's own style.

    Args:
        width: In inches.
        height: In inches.

    Returns:
        A figure with a canvas that writes PNG, whatever `matplotlibrc` says.
    """
    mpl.rcdefaults()
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure
