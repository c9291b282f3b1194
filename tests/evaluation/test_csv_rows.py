import pytest

from evaluation.csv_rows import read_rows, write_rows
from system.errors import DataError


def halve(row):
    return row["name"], float(row["value"]) / 2


def test_rows_come_back_with_the_lines_they_end_on(tmp_path):
    rows = [
        {"name": "two\nlines", "value": 3, "more": 1},
        {"name": 'of "him"', "value": 0.5},
    ]

    write_rows(tmp_path / "a.csv", ("name", "value"), rows)

    assert (tmp_path / "a.csv").read_text().splitlines()[0] == "name,value"
    assert read_rows(tmp_path / "a.csv", ("name", "value"), halve) == [
        (3, ("two\nlines", 1.5)),
        (4, ('of "him"', 0.25)),
    ]


def test_value_that_is_none_is_an_empty_cell(tmp_path):
    write_rows(tmp_path / "a.csv", ("name", "value"), [{"name": "a", "value": None}])

    assert read_rows(tmp_path / "a.csv", (), dict) == [(2, {"name": "a", "value": ""})]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"a\.csv must have the columns of a scores file.*no name, value"),
        ("name,other\na,1\n", r"Received: no value"),
        ("name,value\na,1\nb,x\n", r"a\.csv, line 3: .*'x'"),
        ("name,value\na\n", r"line 2: every row must be a complete row"),
    ],
)
def test_invalid_file_is_refused_with_the_line(tmp_path, text, message):
    (tmp_path / "a.csv").write_text(text)

    with pytest.raises(DataError, match=message):
        read_rows(tmp_path / "a.csv", ("name", "value"), halve)
