"""Metrics of instances, their sums over cases, and the table of these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from evaluation.instances import InstanceScore
from evaluation.metrics import Metric
from system.text import Part, Table

INSTANCE_METRICS = (
    Metric(
        "instance_precision",
        "Instance precision",
        3,
        "higher",
        lambda score: score.precision,
    ),
    Metric("instance_recall", "Instance recall", 3, "higher", lambda s: s.recall),
    Metric(
        "matched_dice",
        "Dice of matched instances",
        3,
        "higher",
        lambda score: score.matched_dice,
    ),
    Metric("num_merged", "Merged instances", 2, "lower", lambda s: s.num_merged),
    Metric("num_split", "Split instances", 2, "lower", lambda s: s.num_split),
    Metric(
        "identification_rate",
        "Right level (share)",
        3,
        "higher",
        lambda score: score.identification_rate,
    ),
)
COUNTS = (
    "num_reference",
    "num_predicted",
    "num_matched",
    "num_merged",
    "num_split",
    "num_named",
    "num_identified",
)

INSTANCE_RULES = (
    "Instances are single vertebrae. Matched: the intersection of a predicted and an "
    "annotated one is at least half of their\nunion (Kirillov et al., 2019). "
    "Precision and recall are the share of the matched in those predicted and in those "
    "of the\nreference; both are 1 if neither side has any, 0 if one side has none. "
    "Merged: predictions that cover more than half\nof several vertebrae. Split: "
    "vertebrae that hold more than half of several predictions. Right level: share of "
    "the\nmatched with the right name or, where predictions have no names, as many "
    "levels above the lowest as in the reference;\nthe lowest itself does not count. "
    "VerSe (Sekuboyina et al., 2021) takes the share of all vertebrae."
)


def count_instances(scores: Sequence[InstanceScore]) -> dict[str, int] | None:
    """Sum the counts of instances over cases; None if there is no case."""
    if not scores:
        return None
    sums = {name: sum(getattr(score, name) for score in scores) for name in COUNTS}
    return {"num_cases": len(scores), **sums}


def describe_instances(
    networks: Mapping[str, Mapping[str, int] | None],
) -> list[Part]:
    """Return the sums as a table with a row per network, and what its columns mean.

    Args:
        networks: Result of `count_instances` for each network by name; a single
            network may have the name "".

    Returns:
        The table and a paragraph; nothing if no network has instances.
    """
    heads = ["Instances", "Cases", "In reference", "Predicted", "Matched"]
    heads += ["Merged", "Split", "Right level"]
    rows = [
        [
            name or "Sum over cases",
            *(str(counts[key]) for key in ("num_cases", *COUNTS[:5])),
            f"{counts['num_identified']} of {counts['num_named']}",
        ]
        for name, counts in networks.items()
        if counts
    ]
    return [Table(heads, rows), INSTANCE_RULES] if rows else []
