import re

import pytest

from system.errors import DataError
from volumes.label_tables import SCHEMES, LabelTable, name_values, read_label_table
from volumes.volume import Segment

RED = (1.0, 0.0, 0.0)


def write(folder, text):
    path = folder / "table.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_schemes_have_the_numbers_of_their_data_sets():
    verse, total = (SCHEMES[name].names for name in ("verse", "totalsegmentator"))

    assert [verse[v] for v in (1, 8, 20, 25, 26, 27, 28)] == [
        *("C1", "T1", "L1", "L6", "sacrum", "coccyx", "T13")
    ]
    assert [total[v] for v in (25, 26, 27, 31, 32, 43, 44, 50)] == [
        *("sacrum", "S1", "L5", "L1", "T12", "T1", "C7", "C1")
    ]
    assert (len(verse), len(total)) == (28, 26)


@pytest.mark.parametrize(
    "text",
    [
        "4,L1\n19,sacrum\n",
        "0,background\n4,vertebrae_L1\n\n019, Sacrum \n",
        "group,original_idx,structure,id\norgans,1,Sacrum,19\nbone,2,l1,4\n",
        "\ufeffLabel Name;Color;Value\r\nL1;red;4\r\nsacrum;blue;19\r\n",
        "index\tlabel\n4\tL1\n19\tsacrum",
        'LabelValue,Name\r4,"L1"\r19,sacrum\r',
    ],
)
def test_columns_are_found_by_their_heads_in_any_order(tmp_path, text):
    assert read_label_table(write(tmp_path, text)).names == {4: "L1", 19: "sacrum"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("4,L1\n5,L2\n4,L3\n", "given once. Received: 4 in line 3 and in line 1"),
        ("id,name\n4,L1\n\n5,l_1\n", "Received: 'L1' in line 4 and in line 2"),
        ("4,L1\nfive,L2\n", "line 2 must have a value .* Received: 'five' and 'L2'"),
        ("4,L1\n70000,L2\n", "line 2 must have a value from 0 to 65535"),
        ("4,L1\n-5,L2\n", "line 2 must have a value"),
        ("4,L1\n5\n", "line 2 must have a value .* Received: '5' and ''"),
        ("id,name\n4\n", "line 2 must have a value .* Received: '4' and ''"),
        ("4,L1\n5, \n", "line 2 must have a value .* and a name"),
        ("L1,4\n", "line 1 must be value,name, or a header .* Received: 'L1,4'"),
        ("id,value\n4,5\n", "or a header"),
        ("\n", "must have at least one row value,name. Received: none"),
        (b"4,L\xff\n", "must be UTF-8 text"),
        ('4,"' + "x" * 200_000 + '"\n', "line 1 must be CSV"),
        ("4,L1\n" * 300_000, "at most 1048576 bytes"),
    ],
)
def test_faulty_table_is_refused_with_its_line(tmp_path, text, message):
    with pytest.raises(DataError, match=rf"table\.csv: .*{message}") as error:
        read_label_table(write(tmp_path, text))
    assert len(str(error.value)) < 500


def test_missing_table_is_refused(tmp_path):
    with pytest.raises(DataError, match=re.escape("none.csv: could not be read")):
        read_label_table(tmp_path / "none.csv")


def test_label_map_s_own_names_win_over_the_table():
    table = LabelTable("verse", {1: "C1", 20: "L1"})

    assert name_values([], table) == ({1: "C1", 20: "L1"}, [])
    assert name_values([Segment(1, "vertebrae_L5", RED)], table) == ({1: "L5"}, [])
    # Not a name of its own.
    assert name_values([Segment(1, "Segment_1", RED)], table)[0] == table.names
    assert name_values([], None) == ({}, [])


def test_value_with_two_names_keeps_the_first_and_that_is_noted():
    names, notes = name_values([Segment(1, "L1", RED), Segment(1, "L2", RED)], None)

    assert names == {1: "L1"}
    assert notes == ["the label map calls value 1 'L1' and 'L2'; taken for 'L1'"]
