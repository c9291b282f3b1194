import numpy as np
import pytest
from scipy import stats

from evaluation.statistics import (
    bootstrap_interval,
    paired_difference,
    smallest_wilcoxon_p,
    wilcoxon_p,
)
from system.errors import DataError


def test_interval_of_a_constant_is_the_constant():
    assert bootstrap_interval([0.75, 0.75, 0.75]) == (0.75, 0.75)


@pytest.mark.parametrize("values", [[], [0.9]])
def test_interval_needs_two_cases(values):
    assert bootstrap_interval(values) is None


def test_interval_of_two_cases_spans_both():
    # Resamples of (0, 1) have the mean 0, 1/2 or 1, each end in a quarter of
    # them: far more than the 2.5 % of a tail.
    assert bootstrap_interval([0.0, 1.0]) == (0.0, 1.0)


def test_interval_comes_near_the_normal_one_for_many_cases():
    values = np.random.default_rng(5).normal(3.0, 2.0, size=400)

    low, high = bootstrap_interval(values, seed=1)

    half = 1.96 * values.std() / 20  # sqrt(400)
    # The 2.5 % quantile of 10,000 resamples has a standard error of
    # sqrt(0.025 * 0.975 / 10,000) / (density 0.0584 a sigma) = 0.027 sigma;
    # four of them are 5.5 % of the half width, and skewness adds a little.
    assert low == pytest.approx(values.mean() - half, abs=0.08 * half)
    assert high == pytest.approx(values.mean() + half, abs=0.08 * half)


def test_interval_resamples_subjects_with_all_of_their_scans():
    # One subject of three scans, one of one: 3 * 0, 1 twice, or 3 of 4 zeros.
    values, subjects = [0.0, 0.0, 0.0, 1.0], ["a", "a", "a", "b"]

    found = bootstrap_interval(values, subjects=subjects)

    # Both ends have a chance of a quarter; of four cases, all ones had 1/256.
    assert found == (0.0, 1.0)
    assert bootstrap_interval(values)[1] < 1
    assert bootstrap_interval(values, subjects=["a"] * 4) is None


def test_interval_of_one_scan_a_subject_is_that_of_cases():
    values = [0.1, 0.4, 0.45, 0.8, 0.93]

    assert bootstrap_interval(values, 3, list("abcde")) == bootstrap_interval(values, 3)


def test_interval_depends_on_the_seed_alone():
    values = [0.1, 0.4, 0.45, 0.8, 0.93]

    assert bootstrap_interval(values, seed=4) == bootstrap_interval(values, seed=4)
    assert bootstrap_interval(values * 9, 4) != bootstrap_interval(values * 9, 5)


@pytest.mark.parametrize(
    ("differences", "p_value"),
    [
        # All 5 positive: 1 of 2^5 patterns of signs, twice for two sides.
        ([0.1, 0.2, 0.3, 0.4, 0.5], 2 / 32),
        ([0.1, 0.2, 0.3, 0.4, 0.5, 0.6], 2 / 64),
        # The smallest of 4 negative, W- = 1: patterns with W- <= 1 are {} and {1}.
        ([-0.1, 0.2, 0.3, 0.4], 2 * 2 / 16),
        # Zeros are left out; the ties that remain share a rank: 3 of one sign.
        ([0.0, 0.2, 0.2, 0.2], 2 / 8),
        ([0.0, 0.0, 0.0], 1.0),
        ([0.3, -0.3], 1.0),
        ([0.0, 0.3], 1.0),
        ([0.0, -0.2], 1.0),
    ],
)
def test_wilcoxon_p_is_the_share_of_sign_patterns(differences, p_value):
    assert wilcoxon_p(differences) == pytest.approx(p_value, rel=1e-12)


@pytest.mark.parametrize("differences", [[], [0.2]])
def test_wilcoxon_needs_two_cases(differences):
    assert wilcoxon_p(differences) is None


def test_smallest_p_passes_five_percent_with_six_cases():
    assert smallest_wilcoxon_p(1) == 1
    assert smallest_wilcoxon_p(5) == 0.0625
    assert smallest_wilcoxon_p(6) == 0.03125
    assert smallest_wilcoxon_p(5) == stats.wilcoxon([1, 2, 3, 4, 5]).pvalue


def test_paired_difference_pairs_by_case_id_and_is_second_minus_first():
    first = {"a": 0.5, "b": 0.6, "c": 0.7}
    second = {"c": 0.75, "a": 0.75, "b": 0.6}  # +0.05, +0.25, 0

    difference = paired_difference(first, second)

    assert difference.mean == pytest.approx(0.1, rel=1e-12)
    assert difference.num_cases == 3
    # All three resamples alike has a chance of 1/27 = 3.7 % at either end.
    assert difference.interval == pytest.approx((0, 0.25), abs=1e-12)
    # Two differences that count, both positive: 2 / 4.
    assert difference.p_value == 0.5


def test_paired_difference_tests_subjects_by_the_mean_of_their_scans():
    second = {"a1": 0.3, "a2": -0.1, "b": 0.2, "c1": 0.2, "c2": 0.4, "d": 0.5}
    first = dict.fromkeys(second, 0.0)
    subjects = {case_id: case_id[0] for case_id in second}

    difference = paired_difference(first, second, subjects=subjects)

    assert difference.mean == pytest.approx(1.5 / 6)  # over scans
    assert (difference.num_cases, difference.num_subjects) == (6, 4)
    # a 0.1, b 0.2, c 0.3, d 0.5: all positive, 1 of 2^4 patterns of signs, twice.
    assert difference.p_value == 2 / 16


def test_paired_difference_of_a_constant_shift_is_narrower_than_either_side():
    first = {f"case-{number}": number / 10 for number in range(8)}
    second = {case_id: value + 0.25 for case_id, value in first.items()}

    difference = paired_difference(first, second)

    assert difference.interval == pytest.approx((0.25, 0.25), rel=1e-12)


def test_paired_difference_of_one_case_has_neither_interval_nor_p():
    difference = paired_difference({"a": 0.5}, {"a": 0.75})

    assert (difference.mean, difference.num_cases) == (0.25, 1)
    assert difference.interval is None
    assert difference.p_value is None


def test_unpaired_cases_are_refused_by_name():
    with pytest.raises(
        DataError, match=r"only in the first side: a; only in the second side: c, d"
    ):
        paired_difference({"a": 1.0, "b": 1.0}, {"b": 1.0, "d": 1.0, "c": 1.0})
