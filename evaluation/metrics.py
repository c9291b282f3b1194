"""The metrics of tables and figures, and their values case by case."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from evaluation.instances import InstanceScore
from evaluation.scores import Score


@dataclass(frozen=True)
class Metric:
    """A column of the summary.

    Args:
        key: Its name in summary.json.
        title: Its name in tables, with the unit.
        decimals: Digits after the decimal point.
        better: Which values are better: "higher", "lower" or closer to "zero".
        value_of: Returns its value for a score; None where it does not apply.
    """

    key: str
    title: str
    decimals: int
    better: str
    value_of: Callable[[Any], float | None]


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
# Over the vertebrae that are present in the reference.
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
    """List the classes in order of their first appearance."""
    return list(dict.fromkeys(score.class_name for score in scores))


def subjects_of(scores: Iterable[Score | InstanceScore]) -> dict[str, str]:
    """Return the subject of each case."""
    return {score.case_id: score.subject for score in scores}


def metrics_for(scores: Iterable[Score]) -> tuple[Metric, ...]:
    """Return the metrics that apply: those of vertebrae only if there are any."""
    has_vertebrae = any(score.found for score in scores)
    return METRICS + VERTEBRA_METRICS if has_vertebrae else METRICS


def values_by_case(
    scores: Iterable[Score | InstanceScore], metric: Metric
) -> dict[str, float]:
    """Average a metric over the classes of each case.

    Classes to which the metric does not apply are left out of a case's mean;
    cases without any other class are left out altogether.
    """
    values: dict[str, list[float]] = {}
    for score in scores:
        value = metric.value_of(score)
        if value is not None:
            values.setdefault(score.case_id, []).append(value)
    return {case_id: float(np.mean(of_case)) for case_id, of_case in values.items()}
