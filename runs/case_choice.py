"""Choosing the test cases that are compared, by patterns of their ids."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from runs.gathering import Run, Side
from system.errors import UsageError
from system.text import shorten


def check_patterns(patterns: Sequence[str], case_ids: Iterable[str]) -> None:
    """Check that each pattern matches a test case.

    Args:
        patterns: As of `choose_cases`.
        case_ids: Of the test cases.

    Raises:
        UsageError: If a pattern matches no case.
    """
    case_ids = sorted(set(case_ids))
    for pattern in patterns:
        if not any(fnmatchcase(case_id, pattern) for case_id in case_ids):
            raise UsageError(
                f"--cases must match a test case of the runs. Received: {pattern!r}; "
                f"the test cases are {shorten(', '.join(case_ids))}"
            )


def choose_cases(sides: Sequence[Side], patterns: Sequence[str]) -> list[Side]:
    """Return the sides with the cases that match one of the patterns.

    Args:
        sides: Of a comparison; see `runs.gathering.gather`.
        patterns: Shell-style, such as "VB3_*"; none keep every case.

    Raises:
        UsageError: If a pattern matches no case.
    """
    if not patterns:
        return list(sides)
    check_patterns(patterns, {score.case_id for side in sides for score in side.scores})
    return [
        Side(side.name, tuple(_choose(run, patterns) for run in side.runs))
        for side in sides
    ]


def _choose(run: Run, patterns: Sequence[str]) -> Run:
    scores, instances = (
        tuple(
            score
            for score in of_run
            if any(fnmatchcase(score.case_id, pattern) for pattern in patterns)
        )
        for of_run in (run.scores, run.instances)
    )
    return replace(run, scores=scores, instances=instances)
