import pytest
from support.instance_rows import instance_score
from support.score_rows import MIXED

from evaluation.instance_columns import COLUMNS, EARLIER_COLUMNS
from evaluation.score_file import read_instances, read_scores, write_scores
from system.errors import DataError

INSTANCES = [
    instance_score("a", 3, precision=1 / 3),
    instance_score("c", 0, matched_dice=None, identification_rate=None),
]
EARLIER = """\
case_id,subject,num_reference,num_predicted,num_matched,precision,recall,matched_dice,\
num_merged,num_split,num_named,num_identified,identification_rate
c,subject c,4,5,0,0.0,0.0,,0,1,2,1,
"""


def test_scores_of_instances_survive_beside_those_of_classes(tmp_path):
    path = tmp_path / "scores.csv"

    write_scores(path, MIXED, INSTANCES)

    assert read_instances(path) == INSTANCES
    assert read_scores(path) == MIXED


def test_instances_stand_once_a_case_so_that_means_and_sums_are_right(tmp_path):
    path = tmp_path / "scores.csv"

    write_scores(path, MIXED, INSTANCES)

    header, *rows = path.read_text().splitlines()
    assert header.endswith(f",empty,{','.join(COLUMNS.values())}")
    # Of a, b and c two classes each; b has no instances.
    others = "," * len(COLUMNS)
    assert [row.endswith(others) for row in rows] == [0, 1, 1, 1, 0, 1]
    assert rows[4].endswith(",4,5,0,0.0,0.0,,0,1,2,1,")
    assert "instance_precision" in header
    assert ",precision" not in header  # a class has one as well


def test_file_without_instances_has_no_columns_for_them(tmp_path):
    write_scores(tmp_path / "scores.csv", MIXED)

    assert read_instances(tmp_path / "scores.csv") == []
    assert "num_split" not in (tmp_path / "scores.csv").read_text()


def test_instances_of_a_case_without_classes_are_not_lost(tmp_path):
    with pytest.raises(ValueError, match="Received: none of c"):
        write_scores(tmp_path / "scores.csv", MIXED[:4], INSTANCES)


def test_file_of_earlier_versions_is_read(tmp_path):
    (tmp_path / "instances.csv").write_text(EARLIER)

    found = read_instances(tmp_path / "instances.csv", EARLIER_COLUMNS)

    assert found == INSTANCES[1:]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("num_split", "pieces", r"line 2: .*no num_split"),
        (",4,5,", ",4,5.5,", r"line 2: .*'5\.5'"),
        ("0.9", "inf", r"line 2: .*matched_dice=inf"),
        (",1,0.5\n", "\n", r"line 2: .*no num_identified"),
        ("b,subject b,vertebra", "a,subject a,spine", r"line 4: .*'a' again"),
    ],
)
def test_malformed_instances_are_refused(tmp_path, old, new, message):
    path = tmp_path / "scores.csv"
    write_scores(path, MIXED, [*INSTANCES, instance_score("b", 4)])
    path.write_text(path.read_text().replace(old, new))

    with pytest.raises(DataError, match=message):
        read_instances(path)
