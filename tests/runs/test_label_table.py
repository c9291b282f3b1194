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


def test_rows_of_removed_label_maps_are_dropped(tmp_path):
    table = LabelTable(path := tmp_path / "labels.csv")
    table.replace([row("a.nrrd", 1), row("b.nrrd", 2)])

    table.replace([row("a.nii", 3)], [tmp_path / "a.nii", tmp_path / "a.nrrd"])

    found = read_rows(path)
    assert [each["label_map"] for each in found] == ["b.nrrd", "a.nii"]


def test_table_of_another_program_is_refused(tmp_path):
    (path := tmp_path / "labels.csv").write_text("name,age\n")

    with pytest.raises(UsageError, match=r"labels\.csv must be a table"):
        LabelTable(path)
