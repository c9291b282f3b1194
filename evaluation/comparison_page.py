"""A comparison laid out for the shell, and as a page."""

from __future__ import annotations

from evaluation.comparison import COSTS, count_cases
from evaluation.metrics import METRICS, VERTEBRA_METRICS
from evaluation.scores import EMPTY_MASK_RULES
from evaluation.vertebrae import format_vertebrae
from system.text import format_figure, format_interval, format_p, format_table


def format_comparison(comparison: dict, *, markdown: bool = False) -> str:
    """Lay a comparison out as a table, with the verdict above and the rules beneath.

    Args:
        comparison: What `compare` found.
        markdown: Whether to write the page, with its pictures and a row per case.
    """
    names = comparison["names"]
    parts = [comparison["verdict"], _format_table(comparison, markdown=markdown)]
    parts.append(_format_notes(comparison))
    if all(comparison["vertebrae"].values()):
        parts.append(format_vertebrae(comparison["vertebrae"], markdown=markdown))
    if markdown:
        heads = ["Case", "Subject", *names, f"{names[1]} minus {names[0]}"]
        rows = [_format_case(case, names) for case in comparison["cases"]]
        parts.append("Dice of every case, the hardest first:")
        parts.append(format_table(heads, rows, markdown=True))
    return "\n\n".join(parts)


def _format_table(comparison: dict, *, markdown: bool) -> str:
    first, second = names = comparison["names"]
    heads = ["Metric", "Better", first, second, f"{second} minus {first}", "p", "Cases"]
    known = {metric.key: metric for metric in (*METRICS, *VERTEBRA_METRICS)}
    rows = [
        _format_row(known[entry["key"]].title, known[entry["key"]], entry, names)
        for entry in comparison["metrics"]
    ]
    if len(comparison["classes"]) > 1 or all(comparison["vertebrae"].values()):
        rows += [
            _format_row(f"Dice, {entry['class_name']}", METRICS[0], entry, names)
            for entry in comparison["classes"]
        ]
    for (_, title, decimals), entry in zip(COSTS, comparison["costs"], strict=True):
        figures = [
            "not recorded" if value is None else f"{value:,.{decimals}f}"
            for value in entry["networks"].values()
        ]
        rows.append([title, "lower", *figures, "", "", ""])
    return format_table(heads, rows, markdown=markdown)


def _format_case(case: dict, names: list[str]) -> list[str]:
    first, second = (case["dice"][name] for name in names)
    figures = [format_figure(value, 3) for value in (first, second)]
    change = format_figure(second - first, 3, sign=True)
    return [case["case_id"], case["subject"], *figures, change]


def _format_row(title, metric, entry, names) -> list[str]:
    sides = [entry["networks"][name] for name in names]
    difference = entry["difference"]
    return [
        title,
        metric.better,
        *(_format_mean(side, metric.decimals) for side in sides),
        _format_mean(difference, metric.decimals, sign=True),
        format_p(difference["p_value"]),
        str(difference["num_cases"]),
    ]


def _format_mean(entry, decimals, *, sign=False) -> str:
    mean = format_figure(entry["mean"], decimals, sign=sign)
    if entry["interval"] is None:
        return mean
    return f"{mean} ({format_interval(entry['interval'], decimals, sign=sign)})"


def _format_notes(comparison: dict) -> str:
    counts = "; ".join(
        f"{name}: {entry['prediction_empty']} missed, {entry['reference_empty']} "
        f"invented, {entry['both_empty']} in neither mask"
        for name, entry in comparison["empty"].items()
    )
    return (
        f"Over {count_cases(comparison)}, the same for both. Scores are pooled over "
        "the voxels of a whole scan, on the scanner's grid;\na case counts with its "
        "mean over classes. In brackets the 95 % bootstrap interval over subjects; p "
        "from the paired\nWilcoxon signed-rank test over subjects, not corrected for "
        "the number of rows.\n"
        f"{EMPTY_MASK_RULES}\nCounted here: {counts}."
    )
