import csv
from dataclasses import replace

import numpy as np
from support.cubes import clean_rows, write_cube

from cube.class_table import (
    HEADS,
    ClassVolumes,
    describe_unusual,
    format_classes,
    write_classes,
)
from cube.reader import Cube

NAMES = ("background", "L1", "L2")
CASES = [
    ClassVolumes("ann", "train", (900.0, 30.0, 40.0), (False,) * 3),
    ClassVolumes("ben", "train", (900.0, 36.0, 0.0), (False,) * 3),
    ClassVolumes("cid", "test", (900.0, 31.0, 0.0), (False,) * 3),
]


def test_table_has_volumes_and_number_of_cases_by_split():
    assert format_classes(NAMES, CASES).splitlines() == [
        "class  median ml  smallest  largest  train  validation  test",
        "-----  ---------  --------  -------  -----  ----------  ----",
        "L1            31        30       36      2           0     1",
        "L2            40        40       40      1           0     0",
    ]


def test_table_of_many_classes_is_cut_and_says_where_the_rest_is():
    names = [
        "background",
        *(f"structure_{'of_a_long_name_' * 5}{n}" for n in range(87)),
    ]
    cases = [ClassVolumes("ann", "train", (123456.0,) * 88, (False,) * 88)]

    lines = format_classes(names, cases).splitlines()

    assert max(map(len, lines)) <= 100
    assert len(lines) == 2 + 24 + 1
    assert lines[-1] == (
        "and 63 more classes; checkCube.py writes all into classes.csv"
    )


def test_unusual_volume_is_said_with_its_case():
    cases = [replace(CASES[0], case_id=f"c{n}") for n in range(6)]
    cases.append(replace(CASES[0], case_id="odd", ml=(900.0, 60.0, 40.0)))

    (sentence,) = describe_unusual(NAMES, cases)

    assert sentence.startswith("odd: 60 ml of class L1, 2 times what the other cases")


def test_classes_of_a_cube_are_written_as_csv(tmp_path):
    with Cube(write_cube(tmp_path / "cube.h5", clean_rows())) as cube:
        write_classes(cube, tmp_path / "classes.csv")
        voxels = [np.sum(cube.label(0) == number) for number in (1, 2)]

    with open(tmp_path / "classes.csv", newline="") as stream:
        heads, *rows = csv.reader(stream)
    assert tuple(heads) == HEADS
    # Voxels of 1 mm3; each split holds one scan.
    assert [row[0] for row in rows] == ["L1", "L2"]
    assert [row[1] for row in rows] == [f"{count / 1000:.3g}" for count in voxels]
    assert [row[4:] for row in rows] == [["1", "1", "1"]] * 2
