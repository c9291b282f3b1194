"""Scores as a summary, and as a table for the shell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

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
from evaluation.statistics import CONFIDENCE, NUM_RESAMPLES, bootstrap_interval
from evaluation.vertebrae import format_vertebrae, summarise_vertebrae
from system.text import format_figure, format_interval, format_table


def summarise(scores: Sequence[Score], seed: int = 0) -> dict:
    """Condense scores into what summary.json holds.

    Args:
        scores: A score per case and class.
        seed: Seed of the bootstrap.

    Returns:
        A dictionary that JSON can hold: `classes` with an entry per class,
        `over_classes`, where each case counts with its mean over classes, and
        what `summarise_vertebrae` says under `vertebrae`. Each of the other
        entries has `num_cases`, the counts `both_empty`, `prediction_empty`,
        `reference_empty` and `one_empty` over cases and classes, and under
        `metrics` the `mean`, `median`, `interval` and `num_values` of each.
    """
    return {
        "num_cases": len(subjects_of(scores)),
        "num_subjects": len(set(subjects_of(scores).values())),
        "confidence": CONFIDENCE,
        "num_resamples": NUM_RESAMPLES,
        "seed": seed,
        "classes": {
            name: _summarise_group(
                [score for score in scores if score.class_name == name], seed
            )
            for name in class_names_of(scores)
        },
        "over_classes": _summarise_group(scores, seed),
        "vertebrae": summarise_vertebrae(scores),
    }


def count_empty(scores: Iterable[Score]) -> dict[str, int]:
    """Count the pairs of masks of which one or both hold no voxel."""
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
        "metrics": {
            metric.key: _summarise_values(
                values_by_case(scores, metric), subjects_of(scores), seed
            )
            for metric in metrics_for(scores)
        },
    }


def _summarise_values(
    by_case: dict[str, float], subjects: dict[str, str], seed: int
) -> dict:
    values = list(by_case.values())
    interval = bootstrap_interval(values, seed, [subjects[case] for case in by_case])
    return {
        "num_values": len(values),
        "mean": float(np.mean(values)) if values else None,
        "median": float(np.median(values)) if values else None,
        "interval": list(interval) if interval else None,
    }


def format_summary(summary: dict, *, markdown: bool = False) -> str:
    """Lay a summary out for the shell: a row per class, then the means over cases."""
    empty = ("prediction_empty", "reference_empty", "both_empty")
    signed = METRICS[:-1]  # the size of the volume error is left to the lower table
    rows = [
        [name, str(entry["num_cases"])]
        + [
            format_figure(entry["metrics"][metric.key]["mean"], metric.decimals)
            for metric in signed
        ]
        + [str(entry[key]) for key in empty]
        for name, entry in summary["classes"].items()
    ]
    heads = ["Mean per class", "Cases", *(metric.title for metric in signed)]
    heads += ["Missed", "Invented", "In neither"]
    overall_heads = ["Over cases", "Mean", "95 % interval", "Median", "Cases"]
    overall = summary["over_classes"]["metrics"]
    overall_rows = [
        _format_overall(metric, overall[metric.key])
        for metric in (*METRICS, *VERTEBRA_METRICS)
        if metric.key in overall
    ]
    parts = [
        format_table(heads, rows, markdown=markdown),
        format_table(overall_heads, overall_rows, markdown=markdown),
        "A case counts with its mean over classes. The interval is a bootstrap "
        "over subjects.\n" + EMPTY_MASK_RULES,
    ]
    if vertebrae := summary["vertebrae"]:
        parts.append(format_vertebrae({"": vertebrae}, markdown=markdown))
    return "\n\n".join(parts)


def _format_overall(metric: Metric, entry: dict) -> list[str]:
    return [
        metric.title,
        format_figure(entry["mean"], metric.decimals),
        format_interval(entry["interval"], metric.decimals),
        format_figure(entry["median"], metric.decimals),
        str(entry["num_values"]),
    ]
