import math

from support.score_rows import score

from evaluation.doubt import format_doubt, summarise_doubt


def scores_of(*pairs):
    return [
        score(f"case {number}", dice, disagreement=disagreement)
        for number, (disagreement, dice) in enumerate(pairs)
    ]


def test_disagreement_that_foretells_the_dice_is_minus_one():
    found = summarise_doubt(scores_of((0.1, 0.9), (0.2, 0.8), (0.9, 0.1), (0.3, 0.7)))

    assert found["num_values"] == 4
    assert math.isclose(found["rank_correlation"], -1)
    assert "coefficient: -1.00,\nover 4 cases and classes." in format_doubt(found)


def test_ranks_are_correlated_and_not_values():
    # Ranks 1 2 3 4 with 4 3 1 2: 1 - 6 * (9 + 1 + 4 + 4) / (4 * 15) = -.8.
    found = summarise_doubt(scores_of((0.1, 0.9), (0.2, 0.8), (0.3, 0.1), (0.99, 0.7)))

    assert math.isclose(found["rank_correlation"], -0.8)


def test_too_few_or_equal_values_have_no_correlation():
    assert summarise_doubt(scores_of((None, 0.9))) is None
    assert format_doubt(None) == ""
    few = summarise_doubt(scores_of((0.1, 0.9), (0.2, 0.8), (0.9, 0.1)))
    equal = summarise_doubt(scores_of(*[(0.0, 0.9), (0.0, 0.8), (0.0, 0.1)] * 2))
    assert few == {"num_values": 3, "rank_correlation": None}
    assert equal["rank_correlation"] is None
    assert "coefficient: n/a" in format_doubt(few)
