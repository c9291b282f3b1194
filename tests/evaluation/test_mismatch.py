from support.score_rows import score, scores_of

from evaluation.mismatch import describe_mismatch


def test_class_that_lies_beside_its_reference_is_named_with_its_cases():
    scores = [
        score("a", 0.02, "spine"),
        score("b", 0.04, "spine"),
        score("c", 0.9, "spine"),  # the median of three is .04
        score("a", 0.8, "sacrum"),
    ]

    (sentence,) = describe_mismatch(scores)

    assert sentence.startswith(
        "predictions of class spine lie beside their references (median Dice 0.040 of "
        "a, b, c): these label maps may mean another structure"
    )


def test_poor_network_and_empty_masks_are_no_mismatch():
    empty = [score("c", 0, empty="reference"), score("d", 0, empty="prediction")]

    assert describe_mismatch([*scores_of(0.3, 0.05, 0.2), *empty]) == []
    assert describe_mismatch(empty) == []
    assert describe_mismatch([]) == []
