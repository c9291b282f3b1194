from support.instance_rows import instance_score
from support.score_rows import entry_of, scores_of

from evaluation.comparison import compare
from evaluation.comparison_page import format_comparison
from evaluation.instance_tables import count_instances, describe_instances
from evaluation.tables import format_summary, summarise
from system.text import format_parts

NAMES = ("UNet-2D", "UNet-3D")


def cells(text, first):
    """Return the cells of the row of a table that begins with a text."""
    (line,) = [line for line in text.splitlines() if line.startswith(f"{first}  ")]
    return line.removeprefix(first).split()


def instances_of(*numbers_matched):
    return [
        instance_score(f"case-{number}", matched)
        for number, matched in enumerate(numbers_matched)
    ]


def test_counts_are_summed_over_cases():
    scores = [
        *instances_of(3, 4),
        instance_score("c", 0, num_named=0, num_identified=0, num_merged=2),
    ]

    table = format_parts(describe_instances({"": count_instances(scores)}))

    counts = ["3", "12", "15", "7", "2", "3"]
    assert cells(table, "Sum over cases") == [*counts, "2", "of", "4"]


def test_no_instances_leave_no_table():
    assert describe_instances({"a": count_instances([]), "b": None}) == []
    summary = format_summary(summarise(scores_of(0.5)))
    comparison = format_comparison(compare(scores_of(0.5), scores_of(0.5), NAMES))

    assert "nstance" not in summary + comparison


def test_summary_has_the_means_of_instances_and_their_sums():
    summary = summarise(scores_of(0.5, 0.7), instances=instances_of(2, 4))

    text = format_summary(summary)

    # (2 + 4) / 2 of five predicted and of four.
    assert cells(text, "Instance precision") == ["0.600", "n/a", "0.600", "2"]
    assert cells(text, "Instance recall") == ["0.750", "n/a", "0.750", "2"]
    assert summary["instances"]["num_matched"] == 6
    assert cells(text, "Sum over cases")[:4] == ["2", "8", "10", "6"]
    assert "Kirillov et al., 2019" in text


def test_instances_of_two_networks_are_compared_case_by_case():
    first = [*instances_of(2, 4), instance_score("case-2", 4, matched_dice=None)]
    second = instances_of(3, 4, 4)
    dice = scores_of(0.5, 0.7, 0.9)

    comparison = compare(dice, dice, NAMES, instances=(first, second))
    text = format_comparison(comparison)

    recall = entry_of(comparison, "instance_recall")
    assert recall["networks"]["UNet-2D"]["mean"] == 10 / 12
    assert recall["difference"]["mean"] == 1 / 12
    assert cells(text, "Instance recall")[:4] == ["higher", "0.833", "0.917", "+0.083"]
    # Fewer than six subjects: no interval and no p-value.
    assert cells(text, "Instance recall")[4:] == ["n/a", "3"]
    assert cells(text, "Dice of matched instances")[-1] == "2"
    assert cells(text, "UNet-3D")[:4] == ["3", "12", "15", "11"]


def test_six_subjects_get_an_interval_and_a_p_value():
    dice = scores_of(*[0.5] * 6)
    sides = instances_of(*[3] * 6), instances_of(*[4] * 6)

    recall = entry_of(compare(dice, dice, NAMES, instances=sides), "instance_recall")

    assert recall["difference"]["interval"] == [0.25, 0.25]
    assert recall["difference"]["p_value"] == 2 / 2**6


def test_run_without_instance_scores_is_compared_without_them():
    dice = scores_of(0.5, 0.7)

    comparison = compare(dice, dice, NAMES, instances=(instances_of(2, 4), []))

    assert "instance_recall" not in {entry["key"] for entry in comparison["metrics"]}
    assert cells(format_comparison(comparison), "UNet-2D")[:2] == ["2", "8"]
