import numpy as np
import pytest

from volumes.ignored import IGNORED, find_void, split_ignored


def line(**values):
    """Return 20 voxels along K with the values of some places."""
    classes = np.zeros((1, 1, 20), np.uint8)
    for place, value in values.items():
        classes[0, 0, int(place[1:])] = value
    return classes


@pytest.mark.parametrize(
    ("structure", "expected"),
    [
        # Voxels of 2 mm: 1, 2, 4 and 5 lie at most 4 mm from the ignored 3.
        ("k15", [1, 2, 3, 4, 5]),
        ("k7", [1, 2, 3, 4]),  # 5 is as near to the structure
        ("k6", [1, 2, 3, 4]),
        ("k5", [1, 2, 3]),
        ("k4", [1, 2, 3]),
    ],
)
def test_void_is_the_background_nearer_to_what_is_ignored(structure, expected):
    found = find_void(line(k3=IGNORED, **{structure: 1}), (1.0, 1.0, 2.0))

    assert np.flatnonzero(found).tolist() == expected


def test_void_without_structures_reaches_five_mm_along_each_axis():
    classes = np.zeros((9, 13, 15), np.uint8)
    classes[4, 6, 7] = IGNORED

    found = find_void(classes, (3.0, 2.5, 1.0))

    assert np.flatnonzero(found[:, 6, 7]).tolist() == [3, 4, 5]
    assert np.flatnonzero(found[4, :, 7]).tolist() == [4, 5, 6, 7, 8]
    assert np.flatnonzero(found[4, 6]).tolist() == list(range(2, 13))


def test_void_of_columns_in_memory_is_the_same():
    classes = np.zeros((6, 7, 8), np.uint8)
    classes[1:3, 2, 3], classes[4, 4, 4] = IGNORED, 2

    found = find_void(np.asfortranarray(classes), (1.0, 3.0, 2.0))

    np.testing.assert_array_equal(found, find_void(classes, (1.0, 3.0, 2.0)))


def test_void_is_empty_if_nothing_is_ignored_and_all_if_all_is():
    assert not find_void(line(k3=1), (1, 1, 1)).any()
    assert find_void(np.full((2, 3, 4), IGNORED, np.uint8), (1, 2, 3)).all()


def test_ignored_voxels_become_background_and_a_mask():
    classes, ignored = split_ignored(line(k2=254, k3=IGNORED))

    np.testing.assert_array_equal(classes, line(k2=254))
    assert classes.dtype == np.uint8
    assert np.flatnonzero(ignored).tolist() == [3]
