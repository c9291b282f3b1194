import os

import pytest
from support.small_runs import read_rows

from runs.shared_table import SharedTable
from system.errors import UsageError


def open_table(folder):
    return SharedTable(folder / "t.csv", ("name", "ml", "note"), "name")


def rows_in(folder):
    return [tuple(row.values()) for row in read_rows(folder / "t.csv")]


def test_rows_that_another_call_wrote_in_the_meantime_are_kept(tmp_path):
    first, second = open_table(tmp_path), open_table(tmp_path)

    first.replace(["a"], [{"name": "a", "ml": 1}])
    second.replace(["b"], [{"name": "b", "ml": 2, "note": 'odd, "new"'}])
    first.replace(["a"], [{"name": "a", "ml": 3}])

    assert rows_in(tmp_path) == [("b", "2", 'odd, "new"'), ("a", "3", "")]


def test_rows_are_dropped_and_a_table_without_them_is_left_alone(tmp_path):
    table = open_table(tmp_path / "new")
    table.replace(["a"], [])
    assert not (tmp_path / "new").exists()
    table = open_table(tmp_path)
    table.replace(["a", "b"], [{"name": "a"}, {"name": "b"}])
    os.utime(tmp_path / "t.csv", (0, 0))

    table.replace(["c"], [])
    assert (tmp_path / "t.csv").stat().st_mtime == 0
    table.replace(["a"], [])
    assert rows_in(tmp_path) == [("b", "", "")]


def test_a_name_that_is_not_utf8_is_escaped_and_found_again(tmp_path):
    name = os.fsdecode(b"m\xfcller")
    table = open_table(tmp_path)

    for ml in (1, 2):
        table.replace([name], [{"name": name, "ml": ml}])

    assert rows_in(tmp_path) == [("m\\udcfcller", "2", "")]


@pytest.mark.parametrize(
    "content",
    [b"", b"name,age\n", b"\xff\xfe", b"name,ml,note\nx,,,\n"],
    ids=["empty", "other columns", "no text", "row too long"],
)
def test_table_of_another_program_is_left_alone(tmp_path, content):
    table = open_table(tmp_path)
    (path := tmp_path / "t.csv").write_bytes(content)

    with pytest.raises(UsageError, match=r"t\.csv (must|cannot) be"):
        open_table(tmp_path)
    with pytest.raises(UsageError, match=r"t\.csv (must|cannot) be"):
        table.replace(["a"], [{"name": "a"}])

    assert path.read_bytes() == content
