"""A comparison as tables and paragraphs, for the shell and for pages."""

from __future__ import annotations

from evaluation.comparison import COSTS, format_counts
from evaluation.instance_tables import INSTANCE_METRICS, describe_instances
from evaluation.kept import describe_kept
from evaluation.metrics import METRICS, VERTEBRA_METRICS
from evaluation.scores import EMPTY_MASK_RULES
from evaluation.statistics import MIN_SUBJECTS
from evaluation.vertebrae import describe_vertebrae
from system.text import (
    Part,
    Table,
    format_interval,
    format_number,
    format_p,
    format_parts,
)


def format_comparison(comparison: dict, *, markdown: bool = False) -> str:
    """Format a comparison: the verdict, the table of metrics, and notes on them.

    Args:
        comparison: Result of `compare`.
        markdown: Whether to write Markdown, with a row per case at the end.
    """
    names = comparison["names"]
    notes = f"{describe_counts(comparison)}\n{describe_empty(comparison)}"
    metrics = list_metrics(comparison)
    with_costs = Table(metrics.heads, [*metrics.rows, *_list_costs(comparison)])
    parts: list[Part] = [comparison["verdict"], with_costs, notes]
    parts += describe_instances(comparison["instances"])
    parts += describe_kept(comparison["kept"])
    if all(comparison["vertebrae"].values()):
        parts += describe_vertebrae(comparison["vertebrae"])
    if markdown:
        heads = ["Case", "Subject", *names, f"{names[1]} minus {names[0]}"]
        rows = [_format_case(case, names) for case in comparison["cases"]]
        parts += ["Dice of every case, lowest first:", Table(heads, rows)]
    return format_parts(parts, markdown=markdown)


def list_metrics(comparison: dict) -> Table:
    """Return a row per metric and class, with a column per network."""
    first, second = names = comparison["names"]
    heads = ["Metric", "Better", first, second, f"{second} minus {first}", "p", "Cases"]
    known = METRICS + VERTEBRA_METRICS + INSTANCE_METRICS
    metrics = {metric.key: metric for metric in known}
    rows = []
    for entry in comparison["metrics"]:
        metric = metrics[entry["key"]]
        rows.append(_format_row(metric.title, metric, entry, names))
    if len(comparison["classes"]) > 1 or all(comparison["vertebrae"].values()):
        rows += [
            _format_row(f"Dice, {entry['class_name']}", METRICS[0], entry, names)
            for entry in comparison["classes"]
        ]
    return Table(heads, rows)


def _list_costs(comparison: dict) -> list[list[str]]:
    rows = []
    for (_, title, decimals), entry in zip(COSTS, comparison["costs"], strict=True):
        costs = [format_cost(value, decimals) for value in entry["networks"].values()]
        rows.append([title, "lower", *costs, "", "", ""])
    return rows


def format_cost(value: float | None, decimals: int) -> str:
    """Return a cost as text; "not recorded" for None."""
    return "not recorded" if value is None else f"{value:,.{decimals}f}"


def _format_row(title, metric, entry, names) -> list[str]:
    difference = entry["difference"]
    return [
        title,
        metric.better,
        *(_format_mean(entry["networks"][name], metric.decimals) for name in names),
        _format_mean(difference, metric.decimals, sign=True),
        format_p(difference["p_value"]),
        str(difference["num_cases"]),
    ]


def _format_mean(entry, decimals, *, sign=False) -> str:
    mean = format_number(entry["mean"], decimals, sign=sign)
    if entry["interval"] is None:
        return mean
    return f"{mean} ({format_interval(entry['interval'], decimals, sign=sign)})"


def _format_case(case: dict, names: list[str]) -> list[str]:
    first, second = (case["dice"][name] for name in names)
    return [
        case["case_id"],
        case["subject"],
        format_number(first, 3),
        format_number(second, 3),
        format_number(second - first, 3, sign=True),
    ]


def describe_counts(comparison: dict) -> str:
    """Return over what the means, intervals and p-values are."""
    return (
        f"Over {format_counts(comparison)}, the same for both networks. Scores are "
        "computed from all voxels of a scan, on its own grid;\nthe value of a case is "
        "its mean over classes. In brackets: 95 % bootstrap interval over subjects. "
        "p: paired Wilcoxon\nsigned-rank test over subjects, not corrected for the "
        f"number of rows. Neither with fewer than {MIN_SUBJECTS} subjects."
    )


def describe_empty(comparison: dict) -> str:
    """Return how empty masks are scored, and how many each network has."""
    counts = "; ".join(
        f"{name}: false negatives {entry['prediction_empty']}, false positives "
        f"{entry['reference_empty']}, absent in both {entry['both_empty']}"
        for name, entry in comparison["empty"].items()
    )
    return f"{EMPTY_MASK_RULES}\nCounts over cases and classes: {counts}."
