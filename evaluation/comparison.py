"""Comparison of two networks over the same cases, and the claim that it allows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from evaluation.instance_tables import INSTANCE_METRICS, count_instances
from evaluation.instances import InstanceScore
from evaluation.kept import summarise_kept
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
    MIN_SUBJECTS,
    bootstrap_interval,
    check_paired,
    mean_or_none,
    paired_difference,
)
from evaluation.tables import count_empty, describe_sample
from evaluation.vertebrae import summarise_vertebrae
from system.errors import DataError, UsageError
from system.text import format_interval, format_p

# The costs of a run: key in `costs`, title, digits after the decimal point.
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
    instances: tuple[Sequence[InstanceScore], Sequence[InstanceScore]] = ((), ()),
) -> dict:
    """Compare two networks that labelled the same cases.

    With several classes, the value of a case is its mean over classes. Means are
    over cases, and the bootstrap resamples subjects. Distances are compared over
    the cases to which they apply on both sides.

    Args:
        scores_a: The first network's scores.
        scores_b: The second network's, over the same cases and classes.
        names: Names of the two, such as "UNet-2D" and "UNet-3D".
        costs: For each name a dictionary with any of `parameters`,
            `training_minutes`, `seconds_per_scan`, `peak_memory_mib`.
        seed: Seed of the bootstrap.
        instances: Scores of the instances of each network, in cases that have any.

    Returns:
        A dictionary for JSON. `metrics` has an entry per metric, `classes` one for the
        Dice of each class that is no vertebra; differences are the second network minus
        the first. `vertebrae`, `instances`, `kept` and `empty` summarise each network.

    Raises:
        DataError: If a case or a class was scored on one side only, or none was.
        UsageError: If both names are the same.
        ValueError: If `costs` has an unknown name or key.
    """
    _check_sides(scores_a, scores_b, names)
    networks = {names[0]: scores_a, names[1]: scores_b}
    metrics = _compare_metrics(scores_a, scores_b, metrics_for(scores_a), names, seed)
    if all(instances):
        metrics += _compare_metrics(*instances, INSTANCE_METRICS, names, seed)
    return {
        "names": list(names),
        **describe_sample(scores_a, seed),
        "metrics": metrics,
        "classes": _compare_classes(scores_a, scores_b, names, seed),
        **_summarise_networks(networks, instances),
        "costs": _collect_costs(names, costs or {}),
        "cases": _list_cases(networks, subjects_of(scores_a)),
        "verdict": format_verdict(metrics[0]["difference"], names),
    }


def _check_sides(scores_a, scores_b, names) -> None:
    if names[0] == names[1]:
        raise UsageError(
            f"The two sides of a comparison need two names. Received: {names}"
        )
    check_paired(subjects_of(scores_a), subjects_of(scores_b), names)
    if not scores_a:
        raise DataError("A comparison needs at least one case. Received: none")
    check_paired(_cases_and_classes(scores_a), _cases_and_classes(scores_b), names)


def _cases_and_classes(scores: Sequence[Score]) -> set[str]:
    return {f"{score.case_id} {score.class_name}" for score in scores}


def _summarise_networks(
    networks: Mapping[str, Sequence[Score]],
    instances: Sequence[Sequence[InstanceScore]],
) -> dict[str, dict]:
    """Summarise each network by itself, in the entries of `compare` that do so."""
    return {
        "vertebrae": {
            name: summarise_vertebrae(scores) for name, scores in networks.items()
        },
        "instances": {
            name: count_instances(scores)
            for name, scores in zip(networks, instances, strict=True)
        },
        "kept": {name: summarise_kept(scores) for name, scores in networks.items()},
        "empty": {name: count_empty(scores) for name, scores in networks.items()},
    }


def _compare_classes(scores_a, scores_b, names, seed) -> list[dict]:
    """Compare the Dice coefficient of each class that is no vertebra."""
    classes = []
    for class_name in class_names_of(score for score in scores_a if not score.found):
        of_class_a = [score for score in scores_a if score.class_name == class_name]
        of_class_b = [score for score in scores_b if score.class_name == class_name]
        entry = _compare_metric(of_class_a, of_class_b, METRICS[0], names, seed)
        classes.append({"key": "dice", **entry, "class_name": class_name})
    return classes


def _compare_metrics(scores_a, scores_b, metrics, names, seed) -> list[dict]:
    return [
        {"key": metric.key, **_compare_metric(scores_a, scores_b, metric, names, seed)}
        for metric in metrics
    ]


def _compare_metric(scores_a, scores_b, metric: Metric, names, seed) -> dict:
    first = values_by_case(scores_a, metric)
    second = values_by_case(scores_b, metric)
    shared = sorted(first.keys() & second.keys())
    first = {case_id: first[case_id] for case_id in shared}
    second = {case_id: second[case_id] for case_id in shared}
    subjects = subjects_of(scores_a)
    difference = paired_difference(first, second, seed, subjects)
    networks = {}
    for name, by_case in zip(names, (first, second), strict=True):
        values = list(by_case.values())
        of_cases = [subjects[case_id] for case_id in shared]
        interval = bootstrap_interval(values, seed, of_cases)
        networks[name] = {
            "mean": mean_or_none(values),
            "interval": list(interval) if interval else None,
        }
    return {
        "networks": networks,
        "difference": {
            "mean": difference.mean,
            "interval": list(difference.interval) if difference.interval else None,
            "p_value": difference.p_value,
            "num_cases": difference.num_cases,
            "num_subjects": difference.num_subjects,
        },
    }


def _list_cases(networks: Mapping, subjects: Mapping[str, str]) -> list[dict]:
    """List the Dice of every case, sorted by the sum over both networks."""
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


def _collect_costs(names, costs) -> list[dict]:
    known = [key for key, _, _ in COSTS]
    for name, of_network in costs.items():
        unknown = sorted(set(of_network or {}) - set(known))
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


def format_verdict(difference: Mapping, names: Sequence[str]) -> str:
    """Return a sentence on what may be claimed from the difference in Dice.

    A difference is claimed if its interval excludes 0; the p-value is added if it
    contradicts the claim. With fewer than `MIN_SUBJECTS` subjects nothing is compared.
    """
    mean, interval = difference["mean"], difference["interval"]
    counts = format_counts(difference)
    if interval is None:
        return (
            f"Too few cases to compare: {counts}, and a p-value below {SIGNIFICANCE} "
            f"needs at least {MIN_SUBJECTS} subjects ({names[1]} minus {names[0]}: "
            f"{mean:+.3f} Dice)."
        )
    low, high = interval
    if low <= 0 <= high:
        return (
            f"No difference can be claimed: the 95 % interval of {names[1]} minus "
            f"{names[0]}, {format_interval(interval, 3, sign=True)} Dice, includes 0 "
            f"({counts})."
        )
    better = names[1] if mean > 0 else names[0]
    size = format_interval(sorted((abs(low), abs(high))), 3)
    sentence = (
        f"{better} is better by {abs(mean):.3f} Dice (95 % interval {size}, {counts})."
    )
    if difference["p_value"] < SIGNIFICANCE:
        return sentence
    p_value = format_p(difference["p_value"])
    return f"{sentence} The Wilcoxon test does not confirm it: p = {p_value}."


def format_counts(counts: Mapping) -> str:
    """Return the number of cases, and of their subjects if those are fewer."""
    num_cases, num_subjects = counts["num_cases"], counts["num_subjects"]
    cases = "1 case" if num_cases == 1 else f"{num_cases} cases"
    subjects = "1 subject" if num_subjects == 1 else f"{num_subjects} subjects"
    return cases if num_subjects == num_cases else f"{cases} of {subjects}"
