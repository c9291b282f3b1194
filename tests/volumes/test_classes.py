import tracemalloc

import numpy as np
import pytest

from volumes import classes as classes_module
from volumes.classes import (
    Classes,
    border_values,
    build_lookup,
    classify_labels,
    count_labels,
)


def test_class_has_the_values_that_one_label_map_gives_its_structures():
    classes = Classes(
        ("background", "L1", "low", "all"), ((), ("L1",), (21, "sacrum"), None)
    )

    # The file numbers L1 as 4 and the sacrum as 26; 7 has no name.
    found = classes.values_in([26, 7, 4, 21], {4: "L1", 26: "sacrum", 99: "L1"})

    assert found == ((), (4,), (21, 26), (4, 7, 21, 26))
    assert classes.values_in([7], {}) == ((), (), (), (7,))


def test_lookup_gives_the_class_of_every_value():
    table = build_lookup(((), (21, 24), (20,), (), (65535,)))

    assert table.shape == (65536,)
    assert table.dtype == np.uint8
    np.testing.assert_array_equal(table[[20, 21, 24, 65535]], (2, 1, 1, 4))
    assert np.count_nonzero(table) == 4


@pytest.mark.parametrize("order", ["C", "F"])
def test_label_map_becomes_classes_in_its_own_memory_order(order):
    label = np.array([[[0, 20], [21, 300]]] * 2, np.uint16, order=order)
    table = np.zeros(301, np.uint8)
    table[[20, 21, 300]] = 1, 1, 2

    found = classify_labels(label, table)

    assert found.dtype == np.uint8
    assert found.strides == tuple(side // 2 for side in label.strides)
    np.testing.assert_array_equal(found, [[[0, 1], [1, 2]]] * 2)


def test_label_value_without_a_class_is_refused():
    label = np.full((2, 3, 4), 300, np.uint16)

    with pytest.raises(ValueError, match=r"below 256. Received: 300"):
        classify_labels(label, np.arange(256, dtype=np.uint8))
    assert classify_labels(label[:0], np.zeros(1, np.uint8)).shape == (0, 3, 4)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("at_a_time", [1, 25, 10_000])
def test_labels_are_counted_whatever_the_order(order, at_a_time, monkeypatch):
    monkeypatch.setattr(classes_module, "COUNTED_VOXELS", at_a_time)
    label = np.zeros((3, 4, 5), np.uint16, order=order)
    label[1:, 2, :3] = 7
    label[0, 0, 4] = 2

    counts = count_labels(label)

    # 2 * 3 voxels of 7, one of 2, and 60 - 7 of the background.
    assert counts.tolist() == [53, 0, 1, 0, 0, 0, 0, 6]
    assert count_labels(label[:1], at_least=4).tolist() == [19, 0, 1, 0]


def test_counting_does_without_a_wide_copy(monkeypatch):
    monkeypatch.setattr(classes_module, "COUNTED_VOXELS", 10_000)
    label = np.ones((100, 100, 100), np.uint8)

    tracemalloc.start()
    count_labels(label)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    # numpy counts in integers of 8 bytes, so all at once would take 8 a voxel.
    assert peak < label.size


def test_values_at_the_border_are_those_of_the_six_faces():
    label = np.zeros((4, 5, 6), np.uint16)
    label[1:3, 1:4, 1:5] = 300
    assert border_values(label) == set()

    faces = [(0, 2, 2), (3, 2, 2), (1, 0, 2), (1, 4, 2), (1, 2, 0), (1, 2, 5)]
    for value, voxel in enumerate(faces, start=1):
        label[voxel] = value
    assert border_values(label) == {1, 2, 3, 4, 5, 6}
