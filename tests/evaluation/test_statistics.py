import numpy as np
import pytest
from scipy import stats

from evaluation.statistics import (
    MIN_SUBJECTS,
    bootstrap_interval,
    paired_difference,
    wilcoxon_p,
)
from system.errors import DataError


def test_interval_of_a_constant_is_the_constant():
    assert bootstrap_interval([0.75] * 6) == (0.75, 0.75)


@pytest.mark.parametrize("values", [[], [0.9], [0.1, 0.9], [0.1, 0.2, 0.3, 0.4, 0.5]])
def test_interval_needs_six_cases(values):
    assert bootstrap_interval(values) is None


def test_interval_of_six_cases_is_that_of_a_binomial_count():
    # Of six draws k hit the one, each with a chance of 1/6: none in 33 % of the
    # resamples, up to two in 93.8 %, up to three in 99.1 %.
    assert bootstrap_interval([0.0] * 5 + [1.0]) == (0.0, 3 / 6)


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
    # One subject of nine scans, five of one.
    values, subjects = [0.0] * 9 + [1.0] * 5, list("aaaaaaaaabcdef")

    found = bootstrap_interval(values, subjects=subjects)

    # Drawn j times, the first gives 9 j zeros to 6 - j ones. It is not drawn in
    # 33 % of the resamples, at least three times in 6.2 %, four times in 0.9 %.
    assert found == (3 / 30, 1.0)
    # Of 14 scans none of nine is drawn with a chance of (5/14) ** 14, almost never.
    assert bootstrap_interval(values)[1] < 1
    assert bootstrap_interval(values, subjects=list("aaaaaaaaabcdee")) is None


def test_interval_of_one_scan_a_subject_is_that_of_cases():
    values = [0.1, 0.4, 0.45, 0.8, 0.93, 0.2]

    by_subject = bootstrap_interval(values, 3, list("abcdef"))
    assert by_subject == bootstrap_interval(values, 3)


def test_interval_depends_on_the_seed_alone():
    values = [0.1, 0.4, 0.45, 0.8, 0.93, 0.2]

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
        ([], 1.0),
        ([0.0, 0.0, 0.0], 1.0),
        ([0.3, -0.3], 1.0),
        ([0.0, 0.3], 1.0),
        ([0.0, -0.2], 1.0),
        # Six equal but for rounding share a rank: at most one of them is negative in
        # 1 + 6 patterns.
        ([4 / 5 - 3 / 5, 0.2, 0.2, 0.2, 0.2, 4 / 5 - 1], 2 * 7 / 64),
        ([4 / 5 - 3 / 5, 0.2, 0.2, 0.2, 0.2, 3 / 5 - 4 / 5], 2 * 7 / 64),
        ([0.1 + 0.2 - 0.3, 0.2, 0.2, 0.2], 2 / 8),  # 6e-17 is no difference
    ],
)
def test_wilcoxon_p_is_the_share_of_sign_patterns(differences, p_value):
    assert wilcoxon_p(differences) == pytest.approx(p_value, rel=1e-12)


def test_fewest_subjects_are_those_of_which_a_p_value_can_be_below_five_percent():
    smallest = {count: stats.wilcoxon(range(1, count + 1)).pvalue for count in (5, 6)}

    assert smallest == {5: 0.0625, 6: 0.03125}
    assert MIN_SUBJECTS == 6


def test_paired_difference_pairs_by_case_id_and_is_second_minus_first():
    first = {"a": 0.5, "b": 0.6, "c": 0.7}
    second = {"c": 0.75, "a": 0.75, "b": 0.6}  # +0.05, +0.25, 0

    difference = paired_difference(first, second)

    assert difference.mean == pytest.approx(0.1, rel=1e-12)
    assert difference.num_cases == 3


def test_paired_difference_tests_subjects_by_the_mean_of_their_scans():
    second = {"a1": 0.3, "a2": -0.1, "b": 0.2, "c1": 0.2, "c2": 0.4, "d": 0.5}
    second |= {"e": 0.6, "f": 0.7}
    first = dict.fromkeys(second, 0.0)
    subjects = {case_id: case_id[0] for case_id in second}

    difference = paired_difference(first, second, subjects=subjects)

    assert difference.mean == pytest.approx(2.8 / 8)  # over scans
    assert (difference.num_cases, difference.num_subjects) == (8, 6)
    # a 0.1, b 0.2, c 0.3, ...: all positive, 1 of 2^6 patterns of signs, twice.
    assert difference.p_value == 2 / 64


def test_paired_difference_of_a_constant_shift_is_narrower_than_either_side():
    first = {f"case-{number}": number / 10 for number in range(8)}
    second = {case_id: value + 0.25 for case_id, value in first.items()}

    difference = paired_difference(first, second)

    assert difference.interval == pytest.approx((0.25, 0.25), rel=1e-12)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_paired_difference_of_few_cases_has_neither_interval_nor_p(count):
    second = {str(number): 0.25 + number for number in range(count)}

    difference = paired_difference(dict.fromkeys(second, 0.0), second)

    assert difference.mean == pytest.approx(0.25 + (count - 1) / 2)
    assert difference.num_cases == count
    assert difference.interval is None
    assert difference.p_value is None


def test_paired_difference_of_few_subjects_has_neither_interval_nor_p():
    second = {f"{number}": 0.25 for number in range(9)}
    subjects = {case_id: str(int(case_id) // 2) for case_id in second}

    difference = paired_difference(
        dict.fromkeys(second, 0.0), second, subjects=subjects
    )

    assert (difference.num_cases, difference.num_subjects) == (9, 5)
    assert (difference.interval, difference.p_value) == (None, None)


def test_unpaired_cases_are_refused_by_name():
    with pytest.raises(
        DataError, match=r"only in the first side: a; only in the second side: c, d"
    ):
        paired_difference({"a": 1.0, "b": 1.0}, {"b": 1.0, "d": 1.0, "c": 1.0})
