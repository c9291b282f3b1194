from support.score_rows import MIXED

from evaluation.metrics import METRICS, values_by_case


def test_case_without_an_applicable_class_is_left_out():
    dice, hausdorff = METRICS[0], METRICS[2]

    assert values_by_case(MIXED[1:2], dice) == {"a": 1.0}
    assert values_by_case(MIXED[1:2], hausdorff) == {}
