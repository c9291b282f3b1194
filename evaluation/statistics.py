"""Confidence intervals and paired differences over few cases.

Voxels and classes of one scan are not independent, nor are two scans of one
subject. Means are over cases; intervals and p-values are over subjects.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from system.errors import DataError

CONFIDENCE = 0.95
NUM_RESAMPLES = 10_000
DECIMALS = 9  # of differences; the next ones are rounding errors
# With fewer no Wilcoxon p is below 0.05: that all differ in one direction is one of
# 2 ** n patterns of signs, twice for two sides, and 2 / 2 ** 6 = 0.031. The bootstrap
# of so few is too narrow: of two subjects it is their minimum and maximum.
MIN_SUBJECTS = 6


@dataclass(frozen=True)
class PairedDifference:
    """The second side minus the first, over the same cases.

    Args:
        mean: Mean of the differences; None without cases.
        interval: 95 % bootstrap interval of that mean; None with fewer than
            `MIN_SUBJECTS` subjects.
        p_value: Two-sided Wilcoxon signed-rank p over the subjects, each with the
            mean of its cases; None with fewer than `MIN_SUBJECTS`.
        num_cases: Number of pairs.
        num_subjects: Number of subjects among them.
    """

    mean: float | None
    interval: tuple[float, float] | None
    p_value: float | None
    num_cases: int
    num_subjects: int


def mean_or_none(values: Iterable[float]) -> float | None:
    """Return the mean; None without values."""
    values = list(values)
    return float(np.mean(values)) if values else None


def bootstrap_interval(
    values: Sequence[float], seed: int = 0, subjects: Sequence[str] | None = None
) -> tuple[float, float] | None:
    """Estimate the 95 % interval of a mean by resampling the subjects.

    A percentile bootstrap, which assumes no distribution. A subject is drawn with
    all of its cases. With few subjects the interval is too narrow.

    Args:
        values: One value for each case.
        seed: Seed of the resampling; the same seed gives the same interval.
        subjects: Subject of each case; by default one subject per case.

    Returns:
        Low and high end, in the values' unit; None with fewer than `MIN_SUBJECTS`
        subjects.
    """
    sums, counts = _by_subject(values, subjects)
    if len(sums) < MIN_SUBJECTS:
        return None
    rng = np.random.default_rng(seed)
    chosen = rng.integers(0, len(sums), size=(NUM_RESAMPLES, len(sums)))
    means = sums[chosen].sum(axis=1) / counts[chosen].sum(axis=1)
    tails = [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2]
    low, high = np.quantile(means, tails)
    return float(low), float(high)


def _by_subject(
    values: Sequence[float], subjects: Sequence[str] | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the sum and the number of each subject's values."""
    if subjects is None:
        return np.asarray(values, dtype=np.float64), np.ones(len(values), np.int64)
    _, indices = np.unique(np.asarray(subjects, dtype=np.str_), return_inverse=True)
    return np.bincount(indices, weights=values), np.bincount(indices)


def wilcoxon_p(differences: npt.ArrayLike) -> float:
    """Test whether paired differences lie symmetrically about zero.

    Two-sided signed-rank test. Zero differences are left out, as in Wilcoxon's
    paper; if none is left, p is 1. Equal ones share a rank.
    """
    # Rounded, as 4/5 - 3/5 and 1/5 are equal but for the last bits.
    values = np.round(np.asarray(differences, dtype=np.float64), DECIMALS)
    changed = values[values != 0]
    if not len(changed):
        return 1.0
    result = stats.wilcoxon(changed)
    return float(result.pvalue)  # pyright: ignore[reportAttributeAccessIssue]


def paired_difference(
    first: Mapping[str, float],
    second: Mapping[str, float],
    seed: int = 0,
    subjects: Mapping[str, str] | None = None,
) -> PairedDifference:
    """Compare two sides over the same cases.

    Args:
        first: Value of each case, by case id.
        second: The same for the other side.
        seed: Seed of the bootstrap, which resamples subjects with their pairs.
        subjects: Subject of each case, by case id; by default the case itself.

    Returns:
        Second minus first.

    Raises:
        DataError: If a case has a value on one side only.
    """
    check_paired(first, second)
    cases = sorted(first)
    differences = [second[case_id] - first[case_id] for case_id in cases]
    of_cases = None if subjects is None else [subjects[case_id] for case_id in cases]
    sums, counts = _by_subject(differences, of_cases)
    return PairedDifference(
        mean=mean_or_none(differences),
        interval=bootstrap_interval(differences, seed, of_cases),
        p_value=wilcoxon_p(sums / counts) if len(sums) >= MIN_SUBJECTS else None,
        num_cases=len(differences),
        num_subjects=len(sums),
    )


def check_paired(
    first: Iterable[str],
    second: Iterable[str],
    names: tuple[str, str] = ("the first side", "the second side"),
) -> None:
    """Check that two sides were scored on the same cases.

    Args:
        first: Case ids of one side.
        second: Case ids of the other side.
        names: Names of the sides for the message.

    Raises:
        DataError: If one side lacks a case; names every such case.
    """
    only_first = sorted(set(first) - set(second))
    only_second = sorted(set(second) - set(first))
    if only_first or only_second:
        raise DataError(
            "Both sides of a paired comparison must hold the same cases. Received: "
            f"only in {names[0]}: {', '.join(only_first) or 'none'}; "
            f"only in {names[1]}: {', '.join(only_second) or 'none'}"
        )
