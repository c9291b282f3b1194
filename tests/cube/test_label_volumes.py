import numpy as np
import pytest

from cube.label_volumes import (
    describe_unusual_class,
    find_unusual_classes,
    find_unusual_volumes,
)

SMALL = dict.fromkeys(range(5), 0.1)  # shares of the scan


@pytest.mark.parametrize(
    ("volume", "text"),
    [
        (200.0, ""),
        (201.0, "201 ml, the median of all cases is 20 ml; it may label other"),
        (2.0, ""),
        (1.9, "1.9 ml, the median of all cases is 20 ml; it may label few"),
    ],
)
def test_ten_times_the_median_or_a_tenth_of_it_is_found(volume, text):
    found = dict(find_unusual_volumes({0: 20.0, 1: 20.0, 2: volume, 3: 20.0}, SMALL))

    assert list(found) == ([2] if text else [])
    assert found.get(2, "").startswith(text)


def test_two_cases_and_empty_ones_are_not_compared():
    assert not list(find_unusual_volumes({0: 1.0, 1: 100.0}, SMALL))
    assert not list(find_unusual_volumes({0: 1.0, 1: 100.0, 2: 0.0}, SMALL))
    assert not list(find_unusual_volumes({0: 0.0}, SMALL))
    assert not list(find_unusual_volumes({}, {}))


def test_scan_that_is_mostly_foreground_is_found_even_alone():
    found = dict(find_unusual_volumes({0: 5.0, 1: 5.0}, {0: 0.6, 1: 0.61}))

    assert list(found) == [1]
    assert found[1].startswith("61 % of the scan are labelled; the label map may be")


def bodies(num_cases=8):
    """Volumes of a background and three vertebral bodies; persons differ in size."""
    sizes = np.linspace(0.7, 1.4, num_cases)
    uneven = 1 + 0.02 * np.cos(np.arange(3 * num_cases)).reshape(-1, 3)
    return np.concatenate(
        [np.full((num_cases, 1), 5000), sizes[:, None] * [30, 36, 40] * uneven], axis=1
    )


def unusual(volumes, cut=None):
    cut = np.zeros(volumes.shape, bool) if cut is None else cut
    return list(find_unusual_classes(volumes.tolist(), cut.tolist()))


def test_persons_of_unequal_size_are_not_unusual():
    assert unusual(bodies()) == []


@pytest.mark.parametrize(("factor", "is_found"), [(1.9, True), (0.5, True), (1.2, 0)])
def test_class_of_another_size_is_found_in_its_case(factor, is_found):
    volumes = bodies()
    volumes[2, 3] *= factor

    found = unusual(volumes)

    assert [(case, number) for case, number, _ in found] == [(2, 3)] * is_found
    # Off by the unevenness of 2 %, of this body, of the person and of the median.
    assert all(ratio == pytest.approx(factor, rel=0.06) for _, _, ratio in found)


def test_structure_at_the_border_may_be_small_but_not_large():
    cut = np.zeros((8, 4), bool)
    cut[2, 3] = cut[5, 1] = True
    volumes = bodies()
    volumes[2, 3] *= 0.4
    volumes[5, 1] *= 2.5

    assert [(case, number) for case, number, _ in unusual(volumes, cut)] == [(5, 1)]


def test_class_of_five_cases_is_not_compared_nor_one_that_is_absent():
    volumes = bodies()
    volumes[5:, 3] = 0  # five cases are left
    volumes[0, 3] *= 3

    assert unusual(volumes) == []
    assert unusual(bodies(5)) == []
    assert list(find_unusual_classes([], [])) == []


def test_equal_volumes_but_one_are_found_without_a_spread():
    volumes = np.array([[100.0, 10.0]] * 6 + [[100.0, 20.0]])

    assert unusual(volumes) == [(6, 1, pytest.approx(2.0))]


def test_unusual_class_is_described_with_its_cause():
    assert describe_unusual_class("L3", 68.31, 1.83) == (
        "68.3 ml of class L3, 1.8 times what the other cases suggest; a label number "
        "may be wrong"
    )
