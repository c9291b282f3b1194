import tracemalloc

import numpy as np
import pytest

from system.errors import DataError, UsageError
from volumes import classes as classes_module
from volumes.classes import choose_classes, classify_labels, count_labels

FOUND = [24, 20, 21, 20]
NAMES = {20: "L1", 24: "L5", 7: "C7"}


def test_binary_puts_every_value_in_one_class():
    classes = choose_classes(["binary"], FOUND, NAMES)

    assert classes.names == ("background", "spine")
    assert classes.values == ((), (20, 21, 24))


def test_keep_makes_each_value_a_class_named_by_the_label_maps():
    classes = choose_classes(["keep"], FOUND, NAMES)

    assert classes.names == ("background", "L1", "label_21", "L5")
    assert classes.values == ((), (20,), (21,), (24,))


def test_values_without_names_keep_the_order_given():
    classes = choose_classes(["24", "20"], FOUND, NAMES)

    assert classes.names == ("background", "L5", "L1")
    assert classes.values == ((), (24,), (20,))


def test_names_and_merged_values_are_as_given():
    classes = choose_classes(["lower=24,21", "a=b=20"], FOUND, NAMES)

    assert classes.names == ("background", "lower", "a=b")
    assert classes.values == ((), (21, 24), (20,))


def test_lookup_gives_the_class_of_every_value():
    table = choose_classes(["lower=24,21", "20"], FOUND, NAMES).lookup()

    assert table.shape == (65536,)
    assert table.dtype == np.uint8
    np.testing.assert_array_equal(table[[20, 21, 24]], (2, 1, 1))
    assert np.count_nonzero(table) == 3


def test_largest_value_of_a_label_map_can_be_a_class():
    table = choose_classes(["keep"], [1, 65535], {}).lookup()

    np.testing.assert_array_equal(table[[0, 1, 65535]], (0, 1, 2))


def test_255_classes_fit_into_a_byte_and_256_do_not():
    assert choose_classes(["keep"], range(1, 256), {}).lookup().max() == 255

    with pytest.raises(UsageError, match="at most 255 classes"):
        choose_classes(["keep"], range(1, 257), {})


@pytest.mark.parametrize(
    "word", ["L1", "L1=", "=20", "20,", "20,x", "0", "-3", "L1=0,20", "binary"]
)
def test_words_that_are_neither_values_nor_names_are_refused(word):
    with pytest.raises(UsageError, match=rf"--labels takes .* Received: {word}$"):
        choose_classes([word, "20"], FOUND, NAMES)


@pytest.mark.parametrize("words", [["99"], ["20", "99"], ["L1=20,99"]])
def test_values_that_occur_nowhere_are_refused(words):
    with pytest.raises(
        UsageError, match=r"must occur.*99\]; the label maps hold \[20, 21, 24\]"
    ):
        choose_classes(words, FOUND, NAMES)


@pytest.mark.parametrize("words", [["20", "20"], ["20", "low=20,21"], ["low=20,20"]])
def test_values_named_twice_are_refused(words):
    with pytest.raises(UsageError, match="and be given once"):
        choose_classes(words, FOUND, NAMES)


@pytest.mark.parametrize(
    "words", [["a=20", "a=21"], ["L1=21", "20"], ["background=20"]]
)
def test_names_given_twice_are_refused(words):
    with pytest.raises(UsageError, match="with distinct names other than background"):
        choose_classes(words, FOUND, NAMES)


@pytest.mark.parametrize("word", ["binary", "keep"])
def test_label_maps_without_any_structure_are_refused(word):
    with pytest.raises(DataError, match="at least one value above 0"):
        choose_classes([word], [], {})


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
