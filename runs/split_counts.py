"""How many cases and subjects are in each split, in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from cube.splits import SPLITS
from evaluation.comparison import format_counts


def count_splits(cases: Iterable[Mapping[str, str | None]]) -> str:
    """Return how many cases and subjects there are, in all and in each split.

    Args:
        cases: Each with `subject` and `split`, which may be None for a case that a
            fold leaves out.
    """
    cases = list(cases)
    parts = []
    for split in SPLITS:
        members = [case for case in cases if case["split"] == split]
        if members:
            parts.append(f"{split} {_count(members)}")
    left_out = [case for case in cases if not case["split"]]
    if left_out:
        parts.append(f"left out {_count(left_out)}")
    return f"{_count(cases)}: {', '.join(parts)}" if parts else _count(cases)


def _count(cases: list[Mapping[str, str | None]]) -> str:
    subjects = {case["subject"] for case in cases}
    return format_counts({"num_cases": len(cases), "num_subjects": len(subjects)})
