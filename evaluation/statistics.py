"""What a handful of cases can and cannot carry: intervals and paired differences.

The unit is the case: voxels and classes of one scan are not independent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from volumes.errors import DataError

CONFIDENCE = 0.95
NUM_RESAMPLES = 10_000


@dataclass(frozen=True)
class PairedDifference:
    """The second side minus the first, over the same cases.

    Args:
        mean: Mean of the differences; None without cases.
        interval: 95 % bootstrap interval of that mean; None with fewer than two
            cases.
        p_value: Two-sided Wilcoxon signed-rank p; None with fewer than two cases.
        num_cases: Number of pairs.
    """

    mean: float | None
    interval: tuple[float, float] | None
    p_value: float | None
    num_cases: int


def bootstrap_interval(
    values: Sequence[float], seed: int = 0
) -> tuple[float, float] | None:
    """Estimate the 95 % interval of a mean by resampling the cases.

    A percentile bootstrap: no shape of the distribution is assumed. With few
    cases it is narrower than it should be, for it knows no case but these.

    Args:
        values: One value for each case.
        seed: Seed of the resampling; the same seed gives the same interval.

    Returns:
        Low and high end, in the values' unit; None with fewer than two cases.
    """
    values = np.asarray(values, dtype=np.float64)
    if len(values) < 2:
        return None
    rng = np.random.default_rng(seed)
    chosen = rng.integers(0, len(values), size=(NUM_RESAMPLES, len(values)))
    means = values[chosen].mean(axis=1)
    tails = [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2]
    low, high = np.quantile(means, tails)
    return float(low), float(high)


def wilcoxon_p(differences: Sequence[float]) -> float | None:
    """Test whether paired differences lie symmetrically about zero.

    Two-sided signed-rank test. Zero differences are left out, as Wilcoxon did;
    if nothing is left, nothing speaks against equality and p is 1.

    Returns:
        The p-value in (0, 1]; None with fewer than two differences.
    """
    differences = np.asarray(differences, dtype=np.float64)
    if len(differences) < 2:
        return None
    changed = differences[differences != 0]
    if not len(changed):
        return 1.0
    return float(stats.wilcoxon(changed).pvalue)


def smallest_wilcoxon_p(num_cases: int) -> float:
    """Give the least p that so many cases can reach.

    All of them must then differ in the same direction: one of `2 ** num_cases`
    patterns of signs, and two-sided twice that.
    """
    return min(1.0, 2.0 ** (1 - num_cases))


def paired_difference(
    first: Mapping[str, float], second: Mapping[str, float], seed: int = 0
) -> PairedDifference:
    """Compare two sides over the same cases.

    Args:
        first: Value of each case, by case id.
        second: The same for the other side.
        seed: Seed of the bootstrap, which resamples pairs.

    Returns:
        Second minus first.

    Raises:
        DataError: If a case has a value on one side only.
    """
    check_paired(first, second)
    differences = [second[case_id] - first[case_id] for case_id in sorted(first)]
    return PairedDifference(
        mean=float(np.mean(differences)) if differences else None,
        interval=bootstrap_interval(differences, seed),
        p_value=wilcoxon_p(differences),
        num_cases=len(differences),
    )


def check_paired(
    first: Mapping[str, object],
    second: Mapping[str, object],
    names: tuple[str, str] = ("the first side", "the second side"),
) -> None:
    """Refuse two sides that were not scored on the same cases.

    Raises:
        DataError: Names every case that one side lacks.
    """
    only_first = sorted(set(first) - set(second))
    only_second = sorted(set(second) - set(first))
    if only_first or only_second:
        raise DataError(
            "Both sides of a paired comparison must hold the same cases. Received: "
            f"only in {names[0]}: {', '.join(only_first) or 'none'}; "
            f"only in {names[1]}: {', '.join(only_second) or 'none'}"
        )
