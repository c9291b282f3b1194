"""Two networks' run folders side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from evaluation.comparison import compare, format_comparison
from evaluation.curves import draw_curves, read_history
from evaluation.tables import read_scores
from runs.folder import TITLES, read_json, write_json
from volumes.atomic import replacing


def compare_runs(run: Path, models: Sequence[str]) -> str:
    """Compare two networks that were tested on the same cases.

    Writes `comparison.json`, `comparison.md` and `curves.png`.

    Args:
        run: Holds a run folder of each model's name.
        models: Two names, such as "unet2d" and "unet3d".

    Returns:
        The comparison as a text table.
    """
    titles = [TITLES[model] for model in models]
    histories = {
        title: read_history(run / model / "history.csv")
        for title, model in zip(titles, models, strict=True)
        if (run / model / "history.csv").exists()
    }
    if histories:
        draw_curves(histories, run / "curves.png")
    scores = [read_scores(run / model / "scores.csv") for model in models]
    if not any(scores):
        return "The cube has no test case, so the networks cannot be compared."
    comparison = compare(
        *scores,
        titles,
        {
            title: read_json(run / model / "summary.json")["costs"]
            for title, model in zip(titles, models, strict=True)
        },
    )
    write_json(run / "comparison.json", comparison)
    with replacing(run / "comparison.md") as partial:
        partial.write_text(format_comparison(comparison, markdown=True) + "\n")
    return format_comparison(comparison)
