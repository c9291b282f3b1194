import pytest
from support.small_runs import read_rows

from runs.label_table import COLUMNS, LabelTable
from system.errors import UsageError


def row(label_map, ml, **cells):
    return {"scan": "x", "label_map": label_map, "class": "L1", "ml": ml, **cells}


def test_rows_are_on_disk_after_each_scan_and_kept_by_the_next_call(tmp_path):
    path = tmp_path / "out" / "labels.csv"
    table = LabelTable(path)

    table.replace([row("a", 1.5, warnings='odd, "new"')])
    assert [each["ml"] for each in read_rows(path)] == ["1.5"]
    table.replace([row("b", 2), row("b", 3)])
    LabelTable(path).replace([row("b", 4)])

    found = read_rows(path)
    assert list(found[0]) == list(COLUMNS)
    assert [(each["label_map"], each["ml"]) for each in found] == [
        ("a", "1.5"),
        ("b", "4"),
    ]
    assert found[0]["warnings"] == 'odd, "new"'
    assert found[1]["disagreement"] == ""


def test_name_that_is_no_text_is_escaped(tmp_path):
    LabelTable(tmp_path / "t.csv").replace([row("a\udcff", 1)])

    assert read_rows(tmp_path / "t.csv")[0]["label_map"] == "a\\udcff"


@pytest.mark.parametrize(
    "content",
    [b"", b"name,age\n", b"\xff\xfe", (",".join(COLUMNS) + "\n" + "x," * 9).encode()],
    ids=["empty", "other columns", "no text", "row too long"],
)
def test_table_of_another_program_is_left_alone(tmp_path, content):
    (path := tmp_path / "labels.csv").write_bytes(content)

    with pytest.raises(UsageError, match=r"labels\.csv (must|cannot) be"):
        LabelTable(path)

    assert path.read_bytes() == content
