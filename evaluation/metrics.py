"""What is read off the scores, case by case, for every table and picture."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from evaluation.scores import Score


@dataclass(frozen=True)
class Metric:
    """A column of the summary.

    Args:
        key: Its name in summary.json.
        title: Its name in tables, with the unit.
        decimals: Figures after the point.
        better: Which way is better: "higher", "lower" or "zero".
        of: Takes it from a score; None where it does not apply.
    """

    key: str
    title: str
    decimals: int
    better: str
    of: Callable[[Score], float | None]


METRICS = (
    Metric("dice", "Dice", 3, "higher", lambda score: score.dice),
    Metric("iou", "IoU", 3, "higher", lambda score: score.iou),
    Metric("hd95_mm", "HD95 (mm)", 2, "lower", lambda score: score.hd95_mm),
    Metric("assd_mm", "ASSD (mm)", 2, "lower", lambda score: score.assd_mm),
    Metric("nsd_1mm", "NSD 1 mm", 3, "higher", lambda score: score.nsd_1mm),
    Metric("nsd_2mm", "NSD 2 mm", 3, "higher", lambda score: score.nsd_2mm),
    Metric(
        "volume_error_ml",
        "Volume error (ml)",
        2,
        "zero",
        lambda score: score.volume_error_ml,
    ),
    Metric(
        "absolute_volume_error_ml",
        "|Volume error| (ml)",
        2,
        "lower",
        lambda score: abs(score.volume_error_ml),
    ),
)
# Over the vertebrae that the reference holds.
VERTEBRA_METRICS = (
    Metric(
        "vertebra_dice",
        "Dice per vertebra",
        3,
        "higher",
        lambda score: score.dice if score.found in ("yes", "no") else None,
    ),
    Metric(
        "found",
        "Vertebrae found (share)",
        3,
        "higher",
        lambda score: {"yes": 1.0, "no": 0.0}.get(score.found),
    ),
)


def class_names_of(scores: Iterable[Score]) -> list[str]:
    """List the classes in the order in which they first come."""
    return list(dict.fromkeys(score.class_name for score in scores))


def subjects_of(scores: Iterable[Score]) -> dict[str, str]:
    """Give the subject of each case."""
    return {score.case_id: score.subject for score in scores}


def metrics_for(scores: Iterable[Score]) -> tuple[Metric, ...]:
    """List the metrics that apply: those of vertebrae only where there are any."""
    has_vertebrae = any(score.found for score in scores)
    return (*METRICS, *VERTEBRA_METRICS) if has_vertebrae else METRICS


def values_by_case(scores: Iterable[Score], metric: Metric) -> dict[str, float]:
    """Average a metric over the classes of each case.

    Classes to which it does not apply are left out of a case's mean; a case with
    no other class is left out of the answer.
    """
    collected: dict[str, list[float]] = {}
    for score in scores:
        value = metric.of(score)
        if value is not None:
            collected.setdefault(score.case_id, []).append(value)
    return {case_id: float(np.mean(values)) for case_id, values in collected.items()}
