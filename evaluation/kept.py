"""What keeping a part of the predictions changes in the scores."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from evaluation.scores import Score, score_case
from evaluation.statistics import mean_or_none
from system.text import Table, format_number


def score_kept(
    kept: npt.NDArray[np.integer],
    prediction: npt.NDArray[np.integer] | None,
    reference: npt.NDArray[np.integer],
    **case: Any,
) -> list[Score]:
    """Score what was kept of a prediction, and beside it all of the prediction.

    Args:
        kept: Class numbers, shape (I, J, K).
        prediction: The same of all that was predicted; None if all is kept.
        reference: Class numbers, shape (I, J, K).
        case: Grid, classes and names, as of `score_case`.
    """
    scores = score_case(kept, reference, **case)
    if prediction is None:
        return scores
    is_same = np.array_equal(kept, prediction)
    whole = scores if is_same else score_case(prediction, reference, **case)
    return [
        replace(
            score,
            dice_all=of_all.dice,
            hd95_all_mm=of_all.hd95_mm,
            dropped_ml=of_all.prediction_ml - score.prediction_ml,
        )
        for score, of_all in zip(scores, whole, strict=True)
    ]


def summarise_kept(scores: Iterable[Score]) -> dict | None:
    """Summarise what keeping a part of the predictions changes.

    Args:
        scores: Of every case and class.

    Returns:
        None if no score has both sides, else a dictionary for JSON: means over cases
        of their means over classes, `dice_all`, `dice_kept`, `hd95_all_mm` and
        `hd95_kept_mm`, and `dropped_ml`, the mean over cases of their sum.
    """
    cases: dict[str, list[Score]] = {}
    for score in scores:
        if score.dice_all is not None:
            cases.setdefault(score.case_id, []).append(score)
    if not cases:
        return None
    return {
        "dice_all": _mean(cases, "dice_all"),
        "dice_kept": _mean(cases, "dice"),
        "hd95_all_mm": _mean(cases, "hd95_all_mm"),
        "hd95_kept_mm": _mean(cases, "hd95_mm"),
        "dropped_ml": float(
            np.mean([sum(s.dropped_ml or 0 for s in case) for case in cases.values()])
        ),
    }


def _mean(cases: Mapping[str, Sequence[Score]], name: str) -> float | None:
    """Return the mean over cases of the mean over classes that have a value."""
    means = []
    for case in cases.values():
        values = [getattr(score, name) for score in case]
        values = [value for value in values if value is not None]
        if values:
            means.append(np.mean(values))
    return mean_or_none(means)


def describe_kept(networks: Mapping[str, dict | None]) -> list[Table]:
    """Return summaries as a table with a row per network.

    Args:
        networks: Result of `summarise_kept` for each network by name; a single
            network may have the name "".

    Returns:
        The table; nothing if all of every prediction was kept.
    """
    heads = ["All of the prediction -> what was kept", "Dice", "HD95 (mm)"]
    heads.append("Dropped (ml)")
    rows = []
    for name, entry in networks.items():
        if entry is not None:
            dice = [format_number(entry[key], 3) for key in ("dice_all", "dice_kept")]
            distances = [entry["hd95_all_mm"], entry["hd95_kept_mm"]]
            hd95 = [format_number(value, 2) for value in distances]
            dropped = format_number(entry["dropped_ml"], 1)
            rows.append(
                [
                    name or "Mean over cases",
                    " -> ".join(dice),
                    " -> ".join(hd95),
                    dropped,
                ]
            )
    return [Table(heads, rows)] if rows else []
