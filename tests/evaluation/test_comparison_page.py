import json

from support.score_rows import MIXED, entry_of, score, scores_of

from evaluation.comparison import compare
from evaluation.comparison_page import format_comparison

NAMES = ("UNet-2D", "UNet-3D")


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


def test_page_has_a_row_per_case_the_lowest_dice_first():
    first, second = scores_of(0.9, 0.5), scores_of(0.8, 0.75)

    page = format_comparison(compare(first, second, NAMES), markdown=True)

    cases = [line for line in page.splitlines() if line.startswith("| case-")]
    assert [[cell.strip() for cell in line.split("|")[1:-1]] for line in cases] == [
        ["case-1", "subject case-1", "0.500", "0.750", "+0.250"],
        ["case-0", "subject case-0", "0.900", "0.800", "-0.100"],
    ]


def test_table_of_few_cases_has_neither_intervals_nor_p_values():
    few = format_comparison(compare(scores_of(0.5, 0.7), scores_of(0.75, 0.7), NAMES))
    row = next(line for line in few.splitlines() if line.startswith("Dice"))

    assert row.split() == ["Dice", "higher", "0.600", "0.725", "+0.125", "n/a", "2"]
    assert "Neither with fewer than 6 subjects" in few
    # One of six cases differs; up to three of six draws hit it.
    enough = format_comparison(
        compare(scores_of(*[0.5] * 6), scores_of(*[0.5] * 5, 0.75), NAMES)
    )
    assert " 0.542 (0.500 to 0.625) " in enough
    assert " 1.000 " in enough


def test_comparison_table_shows_costs_if_they_were_recorded():
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
