import pytest

from cube.label_volumes import find_unusual_volumes

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
