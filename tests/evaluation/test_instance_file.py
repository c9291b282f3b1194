from dataclasses import fields

import pytest
from support.instance_rows import instance_score

from evaluation.instance_file import read_instances, write_instances
from evaluation.instances import InstanceScore
from system.errors import DataError


def test_scores_of_instances_survive_the_file_exactly(tmp_path):
    path = tmp_path / "instances.csv"
    scores = [
        instance_score('of "him", too', 3, precision=1 / 3),
        instance_score("b", 0, matched_dice=None, identification_rate=None),
    ]

    write_instances(path, scores)

    assert read_instances(path) == scores
    header, _, second = path.read_text().splitlines()
    assert header.split(",") == [field.name for field in fields(InstanceScore)]
    assert second == "b,subject b,4,5,0,0.0,0.0,,0,1,2,1,"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("num_split", "pieces", r"must have the columns.*no num_split"),
        (",4,5,", ",4,5.5,", r"line 2: .*'5\.5'"),
        ("0.9", "inf", r"line 2: .*matched_dice=inf"),
        (",0.5\n", "\n", r"line 2: "),
    ],
)
def test_malformed_file_of_instances_is_refused(tmp_path, old, new, message):
    path = tmp_path / "instances.csv"
    write_instances(path, [instance_score("a", 3)])
    path.write_text(path.read_text().replace(old, new))

    with pytest.raises(DataError, match=message):
        read_instances(path)
