"""Formatting a comparison as text for the shell, and as a Markdown page."""

from __future__ import annotations

from evaluation.comparison import COSTS, format_counts
from evaluation.instance_tables import INSTANCE_METRICS, format_instances
from evaluation.kept import format_kept
from evaluation.metrics import METRICS, VERTEBRA_METRICS
from evaluation.scores import EMPTY_MASK_RULES
from evaluation.statistics import MIN_SUBJECTS
from evaluation.vertebrae import format_vertebrae
from system.text import format_interval, format_number, format_p, format_table


def format_comparison(comparison: dict, *, markdown: bool = False) -> str:
    """Format a comparison: the verdict, the table of metrics, and notes on them.

    Args:
        comparison: Result of `compare`.
        markdown: Whether to write Markdown, with a row per case at the end.
    """
    names = comparison["names"]
    parts = [comparison["verdict"], _format_table(comparison, markdown=markdown)]
    parts.append(_format_notes(comparison))
    of_instances = format_instances(comparison["instances"], markdown=markdown)
    of_kept = format_kept(comparison["kept"], markdown=markdown)
    parts += filter(None, [of_instances, of_kept])
    if all(comparison["vertebrae"].values()):
        parts.append(format_vertebrae(comparison["vertebrae"], markdown=markdown))
    if markdown:
        heads = ["Case", "Subject", *names, f"{names[1]} minus {names[0]}"]
        rows = [_format_case(case, names) for case in comparison["cases"]]
        parts.append("Dice of every case, lowest first:")
        parts.append(format_table(heads, rows, markdown=True))
    return "\n\n".join(parts)


def _format_table(comparison: dict, *, markdown: bool) -> str:
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
    for (_, title, decimals), entry in zip(COSTS, comparison["costs"], strict=True):
        costs = [
            "not recorded" if value is None else f"{value:,.{decimals}f}"
            for value in entry["networks"].values()
        ]
        rows.append([title, "lower", *costs, "", "", ""])
    return format_table(heads, rows, markdown=markdown)


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


def _format_notes(comparison: dict) -> str:
    counts = "; ".join(
        f"{name}: false negatives {entry['prediction_empty']}, false positives "
        f"{entry['reference_empty']}, absent in both {entry['both_empty']}"
        for name, entry in comparison["empty"].items()
    )
    return (
        f"Over {format_counts(comparison)}, the same for both networks. Scores are "
        "computed from all voxels of a scan, on its own grid;\nthe value of a case is "
        "its mean over classes. In brackets: 95 % bootstrap interval over subjects. "
        "p: paired Wilcoxon\nsigned-rank test over subjects, not corrected for the "
        f"number of rows. Neither with fewer than {MIN_SUBJECTS} subjects.\n"
        f"{EMPTY_MASK_RULES}\nCounts over cases and classes: {counts}."
    )
