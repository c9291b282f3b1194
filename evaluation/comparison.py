"""Two networks over the same cases: what differs, and whether it can be claimed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from evaluation.scores import EMPTY_MASK_RULES, Score
from evaluation.statistics import (
    CONFIDENCE,
    NUM_RESAMPLES,
    bootstrap_interval,
    check_paired,
    paired_difference,
    smallest_wilcoxon_p,
)
from evaluation.tables import (
    METRICS,
    Metric,
    class_names_of,
    count_empty,
    values_by_case,
)
from volumes.errors import DataError, UsageError
from volumes.text import (
    format_figure,
    format_interval,
    format_p,
    format_table,
)

# What each network cost: key in `costs`, title, figures after the point.
COSTS = (
    ("parameters", "Parameters", 0),
    ("training_minutes", "Training (minutes)", 1),
    ("seconds_per_scan", "Prediction (seconds per scan)", 2),
    ("peak_memory_mib", "Peak memory (MiB)", 0),
)
SIGNIFICANCE = 0.05


def compare(
    scores_a: Sequence[Score],
    scores_b: Sequence[Score],
    names: tuple[str, str],
    costs: Mapping[str, Mapping[str, float | None] | None] | None = None,
    seed: int = 0,
) -> dict:
    """Compare two networks that labelled the same cases.

    With several classes a case counts with its mean over classes; cases are
    averaged after that. Distances are compared over the cases to which they
    apply on both sides.

    Args:
        scores_a: The first network's scores.
        scores_b: The second network's, over the same cases and classes.
        names: What the two are called, "UNet-2D", "UNet-3D".
        costs: For each name a dictionary with any of `parameters`,
            `training_minutes`, `seconds_per_scan`, `peak_memory_mib`.
        seed: Seed of the bootstrap.

    Returns:
        A dictionary that JSON can hold: `names`, `num_cases`, `metrics` (an entry
        per metric), `classes` (Dice of each class), `costs`, `empty` (counts per
        network) and `verdict`. Differences are the second network minus the first.

    Raises:
        DataError: If a case or a class was scored on one side only, or none was.
        UsageError: If both have one name.
        ValueError: If `costs` names something unknown.
    """
    _check_sides(scores_a, scores_b, names)
    dice = METRICS[0]
    metrics = [_compare(scores_a, scores_b, metric, names, seed) for metric in METRICS]
    classes = []
    for class_name in class_names_of(scores_a):
        sides = [
            [score for score in scores if score.class_name == class_name]
            for scores in (scores_a, scores_b)
        ]
        entry = _compare(*sides, dice, names, seed)
        classes.append(entry | {"class_name": class_name})
    return {
        "names": list(names),
        "num_cases": len({score.case_id for score in scores_a}),
        "confidence": CONFIDENCE,
        "num_resamples": NUM_RESAMPLES,
        "seed": seed,
        "metrics": metrics,
        "classes": classes,
        "costs": _collect_costs(names, costs or {}),
        "empty": {names[0]: count_empty(scores_a), names[1]: count_empty(scores_b)},
        "verdict": verdict(metrics[0]["difference"], names),
    }


def _check_sides(scores_a, scores_b, names) -> None:
    if names[0] == names[1]:
        raise UsageError(
            f"The two sides of a comparison need two names. Received: {names}"
        )
    first, second = (
        {score.case_id: None for score in scores} for scores in (scores_a, scores_b)
    )
    check_paired(first, second, names)
    if not first:
        raise DataError("A comparison needs at least one case. Received: none")
    first, second = (
        {f"{score.case_id} {score.class_name}": None for score in scores}
        for scores in (scores_a, scores_b)
    )
    check_paired(first, second, names)


def _compare(scores_a, scores_b, metric: Metric, names, seed) -> dict:
    first = values_by_case(scores_a, metric)
    second = values_by_case(scores_b, metric)
    shared = [case_id for case_id in sorted(first) if case_id in second]
    first = {case_id: first[case_id] for case_id in shared}
    second = {case_id: second[case_id] for case_id in shared}
    difference = paired_difference(first, second, seed)
    return {
        "key": metric.key,
        "networks": {
            names[0]: _mean_and_interval(list(first.values()), seed),
            names[1]: _mean_and_interval(list(second.values()), seed),
        },
        "difference": {
            "mean": difference.mean,
            "interval": list(difference.interval) if difference.interval else None,
            "p_value": difference.p_value,
            "num_cases": difference.num_cases,
        },
    }


def _mean_and_interval(values: list[float], seed: int) -> dict:
    interval = bootstrap_interval(values, seed)
    return {
        "mean": float(np.mean(values)) if values else None,
        "interval": list(interval) if interval else None,
    }


def _collect_costs(names, costs) -> list[dict]:
    known = [key for key, _, _ in COSTS]
    for name, entries in costs.items():
        unknown = sorted(set(entries or {}) - set(known))
        if unknown or name not in names:
            raise ValueError(
                f"Costs must be any of {', '.join(known)} of {' and '.join(names)}. "
                f"Received: {name!r}, {', '.join(unknown)}"
            )
    recorded = {name: costs.get(name) or {} for name in names}
    return [
        {"key": key, "networks": {name: recorded[name].get(key) for name in names}}
        for key in known
    ]


def verdict(difference: Mapping, names: Sequence[str]) -> str:
    """Say in a sentence what the difference in Dice allows one to claim.

    A difference is claimed if its interval leaves out 0 and there are at least
    six cases: with fewer the sentence only says which scored higher, and that no
    p-value can fall below 0.05. With more it adds the p-value where that does not
    follow the interval.
    """
    mean, interval = difference["mean"], difference["interval"]
    num_cases, p_value = difference["num_cases"], difference["p_value"]
    if interval is None:
        return (
            f"No difference can be claimed: one case gives no interval "
            f"({names[1]} minus {names[0]}: {mean:+.3f} Dice)."
        )
    claimed = not interval[0] <= 0 <= interval[1]
    least = smallest_wilcoxon_p(num_cases)
    enough = least < SIGNIFICANCE
    if claimed:
        sentence = (
            f"{names[mean > 0]} {'is better' if enough else 'scored higher'} by "
            f"{abs(mean):.3f} Dice (95 % interval "
            f"{format_interval(sorted(map(abs, interval)), 3)}, {num_cases} cases)."
        )
    else:
        sentence = (
            f"No difference can be claimed: the 95 % interval of {names[1]} minus "
            f"{names[0]}, {format_interval(interval, 3, sign=True)} Dice, includes 0 "
            f"({num_cases} cases)."
        )
    if not enough:
        return (
            f"{sentence} So few cases prove nothing: with {num_cases} no p-value "
            f"can be below {least:.4g}."
        )
    if claimed and p_value >= SIGNIFICANCE:
        return f"{sentence} The Wilcoxon test does not confirm it: p = {p_value:.3f}."
    return sentence


def format_comparison(comparison: dict, *, markdown: bool = False) -> str:
    """Lay a comparison out as a table, with the verdict above and the rules beneath."""
    first, second = comparison["names"]
    heads = ["Metric", "Better", first, second, f"{second} minus {first}", "p", "Cases"]
    rows = [
        _format_row(metric.title, metric, entry, comparison["names"])
        for metric, entry in zip(METRICS, comparison["metrics"], strict=True)
    ]
    if len(comparison["classes"]) > 1:
        rows += [
            _format_row(
                f"Dice, {entry['class_name']}", METRICS[0], entry, comparison["names"]
            )
            for entry in comparison["classes"]
        ]
    for (_, title, decimals), entry in zip(COSTS, comparison["costs"], strict=True):
        figures = [
            "not recorded" if value is None else f"{value:,.{decimals}f}"
            for value in entry["networks"].values()
        ]
        rows.append([title, "lower", *figures, "", "", ""])
    table = format_table(heads, rows, markdown=markdown)
    return "\n\n".join([comparison["verdict"], table, _format_notes(comparison)])


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
        "In brackets the 95 % bootstrap interval over cases; p from the paired "
        "Wilcoxon signed-rank test,\nnot corrected for the number of rows. A case "
        "counts with its mean over classes.\n"
        f"{EMPTY_MASK_RULES}\nCounted here: {counts}."
    )
