"""Two networks over the same cases: what differs, and whether it can be claimed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from evaluation.metrics import (
    METRICS,
    Metric,
    class_names_of,
    metrics_for,
    subjects_of,
    values_by_case,
)
from evaluation.scores import Score
from evaluation.statistics import (
    CONFIDENCE,
    NUM_RESAMPLES,
    bootstrap_interval,
    check_paired,
    paired_difference,
    smallest_wilcoxon_p,
)
from evaluation.tables import count_empty
from evaluation.vertebrae import summarise_vertebrae
from system.errors import DataError, UsageError
from system.text import format_interval

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
    averaged after that, and subjects resampled. Distances are compared over the
    cases to which they apply on both sides.

    Args:
        scores_a: The first network's scores.
        scores_b: The second network's, over the same cases and classes.
        names: What the two are called, "UNet-2D", "UNet-3D".
        costs: For each name a dictionary with any of `parameters`,
            `training_minutes`, `seconds_per_scan`, `peak_memory_mib`.
        seed: Seed of the bootstrap.

    Returns:
        A dictionary that JSON can hold: `names`, `num_cases`, `num_subjects`,
        `metrics` (an entry per metric), `classes` (Dice of each class that is no
        vertebra), `vertebrae` (per network; see `summarise_vertebrae`), `costs`,
        `empty` (counts per network), `cases` (Dice by case) and `verdict`.
        Differences are the second network minus the first.

    Raises:
        DataError: If a case or a class was scored on one side only, or none was.
        UsageError: If both have one name.
        ValueError: If `costs` names something unknown.
    """
    _check_sides(scores_a, scores_b, names)
    dice = METRICS[0]
    metrics = [
        _compare(scores_a, scores_b, metric, names, seed)
        for metric in metrics_for(scores_a)
    ]
    classes = []
    for class_name in class_names_of(score for score in scores_a if not score.found):
        sides = [
            [score for score in scores if score.class_name == class_name]
            for scores in (scores_a, scores_b)
        ]
        entry = _compare(*sides, dice, names, seed)
        classes.append(entry | {"class_name": class_name})
    subjects = subjects_of(scores_a)
    networks = {names[0]: scores_a, names[1]: scores_b}
    return {
        "names": list(names),
        "num_cases": len(subjects),
        "num_subjects": len(set(subjects.values())),
        "confidence": CONFIDENCE,
        "num_resamples": NUM_RESAMPLES,
        "seed": seed,
        "metrics": metrics,
        "classes": classes,
        "vertebrae": {
            name: summarise_vertebrae(scores) for name, scores in networks.items()
        },
        "costs": _collect_costs(names, costs or {}),
        "empty": {name: count_empty(scores) for name, scores in networks.items()},
        "cases": _list_cases(subjects, networks),
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
    subjects = subjects_of(scores_a)
    difference = paired_difference(first, second, seed, subjects)
    whose = [subjects[case_id] for case_id in shared]
    return {
        "key": metric.key,
        "networks": {
            names[0]: _mean_and_interval(list(first.values()), whose, seed),
            names[1]: _mean_and_interval(list(second.values()), whose, seed),
        },
        "difference": {
            "mean": difference.mean,
            "interval": list(difference.interval) if difference.interval else None,
            "p_value": difference.p_value,
            "num_cases": difference.num_cases,
            "num_subjects": difference.num_subjects,
        },
    }


def _list_cases(subjects: Mapping[str, str], networks: Mapping) -> list[dict]:
    """Give the Dice of every case, the hardest for the networks together first."""
    dice = {
        name: values_by_case(scores, METRICS[0]) for name, scores in networks.items()
    }
    cases = [
        {
            "case_id": case_id,
            "subject": subject,
            "dice": {name: values[case_id] for name, values in dice.items()},
        }
        for case_id, subject in sorted(subjects.items())
    ]
    return sorted(cases, key=lambda case: sum(case["dice"].values()))


def _mean_and_interval(values: list[float], subjects: list[str], seed: int) -> dict:
    interval = bootstrap_interval(values, seed, subjects)
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
    six subjects: with fewer the sentence only says which scored higher, and that no
    p-value can fall below 0.05. With more it adds the p-value where that does not
    follow the interval.
    """
    mean, interval = difference["mean"], difference["interval"]
    num_subjects, p_value = difference["num_subjects"], difference["p_value"]
    counted = count_cases(difference)
    unit = "case" if difference["num_cases"] == num_subjects else "subject"
    if interval is None:
        return (
            f"No difference can be claimed: one {unit} gives no interval "
            f"({names[1]} minus {names[0]}: {mean:+.3f} Dice)."
        )
    claimed = not interval[0] <= 0 <= interval[1]
    least = smallest_wilcoxon_p(num_subjects)
    enough = least < SIGNIFICANCE
    if claimed:
        sentence = (
            f"{names[mean > 0]} {'is better' if enough else 'scored higher'} by "
            f"{abs(mean):.3f} Dice (95 % interval "
            f"{format_interval(sorted(map(abs, interval)), 3)}, {counted})."
        )
    else:
        sentence = (
            f"No difference can be claimed: the 95 % interval of {names[1]} minus "
            f"{names[0]}, {format_interval(interval, 3, sign=True)} Dice, includes 0 "
            f"({counted})."
        )
    if not enough:
        return (
            f"{sentence} So few {unit}s prove nothing: with {num_subjects} no "
            f"p-value can be below {least:.4g}."
        )
    if claimed and p_value >= SIGNIFICANCE:
        return f"{sentence} The Wilcoxon test does not confirm it: p = {p_value:.3f}."
    return sentence


def count_cases(counts: Mapping) -> str:
    """Say how many cases, and of how many subjects where those are fewer."""
    told = [
        f"{counts[key]} {word}{'s' * (counts[key] != 1)}"
        for key, word in (("num_cases", "case"), ("num_subjects", "subject"))
    ]
    return " of ".join(
        told if counts["num_subjects"] < counts["num_cases"] else told[:1]
    )
