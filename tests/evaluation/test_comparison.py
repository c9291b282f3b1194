"""Two networks over the same cases: differences, the verdict, tables and pages."""

import json
from dataclasses import replace

import pytest
from support.score_rows import MIXED, score

from evaluation.comparison import compare
from evaluation.comparison_page import format_comparison
from system.errors import DataError, UsageError

NAMES = ("UNet-2D", "UNet-3D")


def scores_of(*values):
    return [score(f"case-{number}", value) for number, value in enumerate(values)]


def entry_of(comparison, key):
    return next(entry for entry in comparison["metrics"] if entry["key"] == key)


def test_comparison_is_second_minus_first_over_the_same_cases():
    first = scores_of(0.5, 0.6, 0.7)
    second = scores_of(0.55, 0.7, 0.85)[::-1]  # +0.05, +0.1, +0.15

    dice = entry_of(compare(first, second, NAMES), "dice")

    assert dice["networks"]["UNet-2D"]["mean"] == pytest.approx(0.6, rel=1e-12)
    assert dice["networks"]["UNet-3D"]["mean"] == pytest.approx(0.7, rel=1e-12)
    assert dice["difference"]["mean"] == pytest.approx(0.1, rel=1e-12)
    # Three times the same case is 1 of 27 resamples, 3.7 % > 2.5 %.
    assert dice["difference"]["interval"] == pytest.approx([0.05, 0.15], rel=1e-9)
    assert dice["difference"]["p_value"] == 0.25


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
            "UNet-3D scored higher by 0.100 Dice (95 % interval 0.050 to 0.150, "
            "3 cases). There are too few cases for a claim: with 3, no p-value can be "
            "below 0.25.",
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
            (0.5,) * 5,
            (0.5,) * 5,
            "No difference can be claimed: the 95 % interval of UNet-3D minus UNet-2D, "
            "+0.000 to +0.000 Dice, includes 0 (5 cases). There are too few cases "
            "for a claim: with 5, no p-value can be below 0.0625.",
        ),
        (
            (0.5,),
            (0.75,),
            "No difference can be claimed: one case gives no interval "
            "(UNet-3D minus UNet-2D: +0.250 Dice).",
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
        "UNet-3D scored higher by 0.250 Dice (95 % interval 0.250 to 0.250, 6 cases "
        "of 3 subjects). There are too few subjects for a claim: with 3, no p-value "
        "can be below 0.25."
    )
    assert "Over 6 cases of 3 subjects, the same" in format_comparison(comparison)


def test_scans_of_one_subject_alone_claim_nothing():
    sides = [[score(n, dice, subject="s") for n in "ab"] for dice in (0.5, 0.75)]

    comparison = compare(*sides, NAMES)

    assert comparison["verdict"] == (
        "No difference can be claimed: one subject gives no interval (UNet-3D minus "
        "UNet-2D: +0.250 Dice)."
    )
    assert "Over 2 cases of 1 subject, the same" in format_comparison(comparison)


def test_comparison_shows_every_vertebra_and_the_shift_of_each_network():
    def lumbar(case_id, dice, found, dice_of_upper):
        shifts = {"dice_of_upper": dice_of_upper, "dice_of_lower": 0.0}
        return [
            score(case_id, dice, name, found=found, **shifts) for name in ("L1", "L2")
        ] + [score(case_id, 0.75, "sacrum")]

    right = [*lumbar("a", 0.5, "yes", 0.0), *lumbar("b", 0.75, "yes", 0.25)]
    wrong = [*lumbar("a", 0.5, "yes", 0.0), *lumbar("b", 0.0, "no", 0.75)]

    comparison = compare(right, wrong, NAMES)
    table = format_comparison(comparison)

    found = entry_of(comparison, "found")
    assert found["networks"]["UNet-3D"]["mean"] == 0.5  # 1 and 0
    assert [entry["class_name"] for entry in comparison["classes"]] == ["sacrum"]
    rows = {line.split("  ")[0]: line.split() for line in table.splitlines()}
    # L1 in two cases: (0.5 + 0.75) / 2, found in both; 0.5 / 2, found in one.
    assert rows["L1"] == ["L1", "2", "0.625", "2", "0", "0.250", "1", "0"]
    assert rows["Dice, labels shifted one level down"][-2:] == ["0.125", "0.375"]
    assert rows["Cases improved by a shift"][-2:] == ["0", "1"]
    assert "Improved by a shift: UNet-3D: b one level down." in table
    assert "Dice, sacrum" in table
    assert "Dice, L1" not in table


def test_page_has_a_row_per_case_the_hardest_first():
    first, second = scores_of(0.9, 0.5), scores_of(0.8, 0.75)

    page = format_comparison(compare(first, second, NAMES), markdown=True)

    cases = [line for line in page.splitlines() if line.startswith("| case-")]
    assert [[cell.strip() for cell in line.split("|")[1:-1]] for line in cases] == [
        ["case-1", "subject case-1", "0.500", "0.750", "+0.250"],
        ["case-0", "subject case-0", "0.900", "0.800", "-0.100"],
    ]


def test_verdict_says_when_the_test_does_not_follow_the_interval():
    # Zeros carry nothing in the test: 4 positive differences give 2 / 16, while
    # a resample of 8 without any of them has a chance of 1/256 = 0.4 %.
    first = scores_of(*[0.5] * 8)
    second = scores_of(*[0.5] * 4, *[0.75] * 4)

    comparison = compare(first, second, NAMES)

    assert comparison["verdict"].startswith("UNet-3D is better by 0.125 Dice")
    assert comparison["verdict"].endswith("does not confirm it: p = 0.125.")


def test_comparison_table_shows_costs_or_says_that_none_was_recorded():
    costs = {
        "UNet-2D": {"parameters": 1_234_567, "training_minutes": 12.34},
        "UNet-3D": None,
    }

    comparison = compare(scores_of(0.5, 0.6), scores_of(0.6, 0.8), NAMES, costs)
    table = format_comparison(comparison)

    assert json.loads(json.dumps(comparison, allow_nan=False)) == comparison
    rows = {line.split("  ")[0]: line for line in table.splitlines()}
    assert rows["Parameters"].split() == (
        ["Parameters", "lower", "1,234,567", "not", "recorded"]
    )
    assert rows["Training (minutes)"].endswith("not recorded")
    assert "12.3" in rows["Training (minutes)"]
    assert "only): Dice, IoU and NSD are 0;" in table
    assert "UNet-2D: false negatives 0, false positives 0, absent in both 0" in table


def test_comparison_table_shows_every_class_when_there_are_several():
    table = format_comparison(compare(MIXED, MIXED, NAMES))

    assert "Dice, disc" in table
    assert "Dice, vertebra" in table
    single = format_comparison(compare(scores_of(0.5), scores_of(0.5), NAMES))
    assert "Dice, vertebra" not in single


def test_markdown_table_keeps_its_columns():
    table = format_comparison(compare(MIXED, MIXED, NAMES), markdown=True)

    rows = [line for line in table.splitlines() if line.startswith("|")]
    # 8 metrics, 2 classes, 4 costs, head and rule; 7 columns have 8 bars, and the
    # two of |Volume error| are escaped. Then 3 cases in 5 columns, head and rule.
    bars = [row.replace("\\|", "").count("|") for row in rows]
    assert bars == [8] * 16 + [6] * 5


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
