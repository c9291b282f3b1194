import re

import pytest
from support.small_runs import write_run

from runs.case_choice import choose_cases
from runs.gathering import gather
from system.errors import UsageError


@pytest.fixture
def sides(tmp_path):
    for model in ("unet2d", "unet3d"):
        dice, matched = {"VB1_2": 0.5, "VB1_3": 0.75, "b": 1}, {"VB1_3": 2, "b": 3}
        write_run(tmp_path / model, dice, model=model, matched=matched)
    return gather([tmp_path])


@pytest.mark.parametrize(
    ("patterns", "chosen"),
    [
        ((), ["VB1_2", "VB1_3", "b"]),
        (("VB1_*",), ["VB1_2", "VB1_3"]),
        (("b", "VB1_[3-9]"), ["VB1_3", "b"]),
    ],
)
def test_cases_that_match_a_pattern_are_kept_on_both_sides(sides, patterns, chosen):
    for side in choose_cases(sides, patterns):
        assert [score.case_id for score in side.scores] == chosen
        instances = [score.case_id for score in side.instances]
        assert instances == [case_id for case_id in chosen if case_id != "VB1_2"]


@pytest.mark.parametrize("pattern", ["VB2_*", "vb1_*", "VB1"])
def test_pattern_that_matches_no_case_is_refused_although_others_do(sides, pattern):
    received = re.escape(f"Received: {pattern!r}; the test cases are VB1_2, VB1_3, b")
    with pytest.raises(UsageError, match=received):
        choose_cases(sides, ["b", pattern])
