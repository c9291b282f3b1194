"""The summary of one network's scores, and its tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from evaluation.doubt import format_doubt, summarise_doubt
from evaluation.instance_tables import (
    INSTANCE_METRICS,
    count_instances,
    describe_instances,
)
from evaluation.instances import InstanceScore
from evaluation.kept import describe_kept, summarise_kept
from evaluation.metrics import (
    METRICS,
    VERTEBRA_METRICS,
    Metric,
    class_names_of,
    metrics_for,
    subjects_of,
    values_by_case,
)
from evaluation.scores import EMPTY_MASK_RULES, Score
from evaluation.statistics import (
    CONFIDENCE,
    MIN_SUBJECTS,
    NUM_RESAMPLES,
    bootstrap_interval,
    mean_or_none,
)
from evaluation.vertebrae import describe_vertebrae, summarise_vertebrae
from system.text import Part, Table, format_interval, format_number, format_parts

SAMPLING_RULES = (
    "The value of a case is its mean over classes. The interval is a bootstrap "
    f"interval over subjects,\nof which it needs {MIN_SUBJECTS}."
)


def summarise(
    scores: Sequence[Score],
    seed: int = 0,
    instances: Sequence[InstanceScore] = (),
) -> dict:
    """Summarise scores as the content of summary.json.

    Args:
        scores: A score per case and class.
        seed: Seed of the bootstrap.
        instances: Scores of the instances, in cases that have any.

    Returns:
        A dictionary for JSON: `classes` with an entry per class, `over_classes`
        with the mean over classes of each case, and the metrics of instances;
        `vertebrae` from `summarise_vertebrae`, `instances` from `count_instances`.
        An entry has `num_cases`, the counts `both_empty`, `prediction_empty`,
        `reference_empty` and `one_empty` over cases and classes, and under
        `metrics` the `mean`, `median`, `interval` and `num_values` of each metric.
    """
    over_classes = _summarise_group(scores, seed)
    if instances:
        of_instances = _summarise_metrics(instances, INSTANCE_METRICS, seed)
        over_classes["metrics"] |= of_instances
    return {
        **describe_sample(scores, seed),
        "classes": {
            name: _summarise_group(
                [score for score in scores if score.class_name == name], seed
            )
            for name in class_names_of(scores)
        },
        "over_classes": over_classes,
        "vertebrae": summarise_vertebrae(scores),
        "instances": count_instances(instances),
        "kept": summarise_kept(scores),
        "doubt": summarise_doubt(scores),
    }


def describe_sample(scores: Sequence[Score], seed: int) -> dict[str, float]:
    """Return how many cases and subjects there are, and how intervals are computed."""
    subjects = subjects_of(scores)
    return {
        "num_cases": len(subjects),
        "num_subjects": len(set(subjects.values())),
        "confidence": CONFIDENCE,
        "num_resamples": NUM_RESAMPLES,
        "seed": seed,
    }


def count_empty(scores: Iterable[Score]) -> dict[str, int]:
    """Count the cases and classes for which one or both masks are empty."""
    counts = Counter(score.empty for score in scores)
    return {
        "both_empty": counts["both"],
        "prediction_empty": counts["prediction"],
        "reference_empty": counts["reference"],
        "one_empty": counts["prediction"] + counts["reference"],
    }


def _summarise_group(scores, seed) -> dict:
    return {
        "num_cases": len({score.case_id for score in scores}),
        **count_empty(scores),
        "metrics": _summarise_metrics(scores, metrics_for(scores), seed),
    }


def _summarise_metrics(scores, metrics: Iterable[Metric], seed: int) -> dict:
    return {
        metric.key: _summarise_values(
            values_by_case(scores, metric), subjects_of(scores), seed
        )
        for metric in metrics
    }


def _summarise_values(
    by_case: dict[str, float], subjects: dict[str, str], seed: int
) -> dict:
    values = list(by_case.values())
    interval = bootstrap_interval(values, seed, [subjects[case] for case in by_case])
    return {
        "num_values": len(values),
        "mean": mean_or_none(values),
        "median": float(np.median(values)) if values else None,
        "interval": list(interval) if interval else None,
    }


def format_summary(summary: dict, *, markdown: bool = False) -> str:
    """Format a summary as tables: a row per class, then a row per metric."""
    notes = f"{SAMPLING_RULES}\n{EMPTY_MASK_RULES}"
    parts = [list_classes(summary), list_means(summary), notes]
    return format_parts([*parts, *describe_details(summary)], markdown=markdown)


def list_means(summary: dict) -> Table:
    """Return a row per metric with its mean over cases, interval and median."""
    overall = summary["over_classes"]["metrics"]
    heads = ["Over cases", "Mean", "95 % interval", "Median", "Cases"]
    rows = [
        _format_overall(metric, overall[metric.key])
        for metric in METRICS + VERTEBRA_METRICS + INSTANCE_METRICS
        if metric.key in overall
    ]
    return Table(heads, rows)


def describe_details(summary: dict) -> list[Part]:
    """Return what is known of instances, what was kept, doubt and vertebrae."""
    parts = describe_instances({"": summary["instances"]})
    parts += describe_kept({"": summary["kept"]})
    parts += filter(None, [format_doubt(summary["doubt"])])
    if summary["vertebrae"]:
        parts += describe_vertebrae({"": summary["vertebrae"]})
    return parts


def list_classes(summary: dict) -> Table:
    """Return a row per class with the means of its metrics and its empty masks."""
    metrics = METRICS[:-1]  # the absolute volume error is in the lower table only
    heads = ["Mean per class", "Cases"]
    heads += [metric.title for metric in metrics]
    heads += ["False negatives", "False positives", "Absent in both"]
    rows = []
    for name, entry in summary["classes"].items():
        row = [name, str(entry["num_cases"])]
        for metric in metrics:
            mean = entry["metrics"][metric.key]["mean"]
            row.append(format_number(mean, metric.decimals))
        for key in ("prediction_empty", "reference_empty", "both_empty"):
            row.append(str(entry[key]))
        rows.append(row)
    return Table(heads, rows)


def _format_overall(metric: Metric, entry: dict) -> list[str]:
    return [
        metric.title,
        format_number(entry["mean"], metric.decimals),
        format_interval(entry["interval"], metric.decimals),
        format_number(entry["median"], metric.decimals),
        str(entry["num_values"]),
    ]
