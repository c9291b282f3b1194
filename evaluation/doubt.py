"""How well the disagreement of an ensemble's members foretells its Dice coefficient."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from scipy.stats import rankdata

from evaluation.scores import Score
from system.text import format_number

MIN_PAIRS = 4


def summarise_doubt(scores: Iterable[Score]) -> dict | None:
    """Correlate the disagreement of each case and class with its Dice coefficient.

    Returns:
        None if no score has a disagreement, else for JSON: `num_values`, the number
        of cases and classes, and `rank_correlation`, Spearman's; None below four
        values, or if all are equal. -1 is the best: the more the members disagree,
        the lower is the Dice coefficient.
    """
    pairs = [
        (score.disagreement, score.dice)
        for score in scores
        if score.disagreement is not None
    ]
    if not pairs:
        return None
    ranks = rankdata(pairs, axis=0)
    correlation = None
    if len(pairs) >= MIN_PAIRS and np.ptp(ranks, axis=0).all():
        correlation = float(np.corrcoef(ranks, rowvar=False)[0, 1])
    return {"num_values": len(pairs), "rank_correlation": correlation}


def format_doubt(entry: dict | None) -> str:
    """Format the result of `summarise_doubt` as a sentence; "" for None."""
    if entry is None:
        return ""
    return (
        "Rank correlation (Spearman) of the members' disagreement with the Dice "
        f"coefficient: {format_number(entry['rank_correlation'], 2)},\nover "
        f"{entry['num_values']} cases and classes."
    )
