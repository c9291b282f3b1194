from dataclasses import replace

import pytest
from support.score_rows import MIXED, entry_of, score, scores_of

from evaluation.comparison import compare
from evaluation.comparison_page import format_comparison
from system.errors import DataError, UsageError

NAMES = ("UNet-2D", "UNet-3D")


def test_comparison_is_second_minus_first_over_the_same_cases():
    first = scores_of(0.5, 0.6, 0.7)
    second = scores_of(0.55, 0.7, 0.85)[::-1]  # +0.05, +0.1, +0.15

    dice = entry_of(compare(first, second, NAMES), "dice")

    assert dice["networks"]["UNet-2D"]["mean"] == pytest.approx(0.6, rel=1e-12)
    assert dice["networks"]["UNet-3D"]["mean"] == pytest.approx(0.7, rel=1e-12)
    assert dice["difference"]["mean"] == pytest.approx(0.1, rel=1e-12)
    assert dice["difference"]["interval"] is None
    assert dice["difference"]["p_value"] is None


def test_comparison_of_six_cases_has_intervals_and_a_p_value():
    first = scores_of(*[0.5] * 6)
    second = scores_of(*[0.5] * 5, 0.75)

    dice = entry_of(compare(first, second, NAMES), "dice")

    # Of six draws three hit the one at most in 99.1 % of the resamples, two in 93.8 %.
    assert dice["networks"]["UNet-3D"]["interval"] == [0.5, 0.625]
    assert dice["difference"]["interval"] == [0.0, 0.125]
    assert dice["difference"]["p_value"] == 1


def test_comparison_of_distances_leaves_out_pairs_without_one():
    first = [
        score("a", 1.0, empty="both"),
        score("b", 0.5, hd95_mm=3.0),
        score("c", 0.0, empty="reference", hd95_mm=80.0),
    ]
    second = [
        score("a", 0.0, empty="reference", hd95_mm=90.0),
        score("b", 0.5, hd95_mm=5.0),
        score("c", 1.0, empty="both"),
    ]

    comparison = compare(first, second, NAMES)

    hausdorff = entry_of(comparison, "hd95_mm")["difference"]
    assert (hausdorff["mean"], hausdorff["num_cases"]) == (2, 1)
    assert entry_of(comparison, "dice")["difference"]["num_cases"] == 3
    assert comparison["empty"]["UNet-3D"]["one_empty"] == 1


@pytest.mark.parametrize(
    ("first", "second", "verdict"),
    [
        (
            (0.5, 0.6, 0.7),
            (0.55, 0.7, 0.85),
            "Too few cases to compare: 3 cases, and a p-value below 0.05 needs at "
            "least 6 subjects (UNet-3D minus UNet-2D: +0.100 Dice).",
        ),
        (
            (0.75,) * 6,
            (0.5,) * 6,
            "UNet-2D is better by 0.250 Dice (95 % interval 0.250 to 0.250, 6 cases).",
        ),
        (
            (0.5,) * 6,
            (0.5,) * 6,
            "No difference can be claimed: the 95 % interval of UNet-3D minus UNet-2D, "
            "+0.000 to +0.000 Dice, includes 0 (6 cases).",
        ),
        (
            (0.75,) * 5,
            (0.5,) * 5,
            "Too few cases to compare: 5 cases, and a p-value below 0.05 needs at "
            "least 6 subjects (UNet-3D minus UNet-2D: -0.250 Dice).",
        ),
        (
            (0.5,),
            (0.75,),
            "Too few cases to compare: 1 case, and a p-value below 0.05 needs at "
            "least 6 subjects (UNet-3D minus UNet-2D: +0.250 Dice).",
        ),
    ],
)
def test_verdict_claims_what_the_interval_allows(first, second, verdict):
    comparison = compare(scores_of(*first), scores_of(*second), NAMES)

    assert comparison["verdict"] == verdict
    assert format_comparison(comparison).startswith(verdict)


def test_verdict_counts_subjects_where_they_have_several_scans():
    # Six scans of three subjects, all better: subjects alone are independent.
    sides = [
        [score(f"{n}", dice, subject=f"s{n // 2}") for n in range(6)]
        for dice in (0.5, 0.75)
    ]

    comparison = compare(*sides, NAMES)

    assert comparison["verdict"] == (
        "Too few cases to compare: 6 cases of 3 subjects, and a p-value below 0.05 "
        "needs at least 6 subjects (UNet-3D minus UNet-2D: +0.250 Dice)."
    )
    assert "Over 6 cases of 3 subjects, the same" in format_comparison(comparison)


def test_verdict_mentions_a_test_that_contradicts_the_interval():
    # Zeros carry nothing in the test: 4 positive differences give 2 / 16, while
    # a resample of 8 without any of them has a chance of 1/256 = 0.4 %.
    first = scores_of(*[0.5] * 8)
    second = scores_of(*[0.5] * 4, *[0.75] * 4)

    comparison = compare(first, second, NAMES)

    assert comparison["verdict"].startswith("UNet-3D is better by 0.125 Dice")
    assert comparison["verdict"].endswith("does not confirm it: p = 0.125.")


def test_unpaired_cases_are_refused_by_name():
    with pytest.raises(
        DataError, match=r"only in UNet-2D: case-2; only in UNet-3D: none"
    ):
        compare(scores_of(0.5, 0.6, 0.7), scores_of(0.5, 0.6), NAMES)


def test_unpaired_classes_are_refused_by_name():
    other = [*MIXED[:-1], replace(MIXED[-1], class_name="sacrum")]

    with pytest.raises(DataError, match=r"only in UNet-2D: c disc; .*: c sacrum"):
        compare(MIXED, other, NAMES)


def test_comparison_without_cases_is_refused():
    with pytest.raises(DataError, match=r"at least one case. Received: none"):
        compare([], [], NAMES)


def test_comparison_of_one_name_is_refused():
    with pytest.raises(UsageError, match=r"need two names. Received: .*'a', 'a'"):
        compare(scores_of(0.5), scores_of(0.5), ("a", "a"))


@pytest.mark.parametrize(
    "costs", [{"UNet-2D": {"minutes": 3}}, {"UNet-4D": {"parameters": 3}}]
)
def test_misspelt_costs_are_refused(costs):
    with pytest.raises(ValueError, match=r"Costs must be any of parameters.*Received"):
        compare(scores_of(0.5), scores_of(0.5), NAMES, costs)
