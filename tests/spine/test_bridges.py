import numpy as np
import pytest

from spine.bridges import expected_lengths, find_cuts
from spine.curve import fit_curve
from spine.sections import count_samples, measure_lengths
from volumes.geometry import Grid, affine_from


def sections_of(lengths, gap=6):
    """Return sections of 10 samples, filled by each instance for its length."""
    counts = np.zeros((sum(lengths) + gap * len(lengths), len(lengths) + 1), int)
    start = 0
    for label, length in enumerate(lengths, start=1):
        counts[start : start + length, label] = 10
        start += length + gap
    counts[:, 0] = 10 - counts[:, 1:].sum(axis=1)
    return counts


def test_length_is_expected_of_three_neighbors_on_either_side():
    lengths = np.array([30.0, 29, 64, 28, 27, 26, 25])
    radii = np.array([12.0, 12, 15, 12, 12, 11, 11])

    expected = expected_lengths(lengths, radii)

    # 64 is above 3.45 * 15, so it never counts: medians of (30, 29, 28, 27, 26) for
    # itself, of (29, 28) for the first: 28.5, of (28, 27, 26) for the last.
    assert expected[[2, 0, 6]].tolist() == [28, 28.5, 27]


def test_length_of_a_spine_joined_everywhere_is_expected_of_the_radius():
    expected = expected_lengths(np.array([70.0, 110]), np.array([16.0, 16]))

    assert expected.tolist() == [28, 28]  # 1.75 * 16


def test_two_joined_vertebrae_are_cut_at_the_minimum_of_the_area():
    lengths = [24, 24, 54, 24, 24]
    sections = sections_of(lengths)
    areas = np.full(len(sections), 100)
    # The third begins at 2 * 30 and its disc should lie 24 to 30 above that; the mask
    # is narrow 4 higher than the middle of it.
    areas[60 + 30 : 60 + 33] = 80

    (cut,) = find_cuts(sections, areas, np.array(lengths, float), np.full(5, 24.0))

    assert (cut.instance, cut.points, cut.is_seen) == (3, (60 + 31,), True)


def test_without_a_minimum_three_joined_vertebrae_are_cut_by_length():
    lengths = [24, 24, 84, 24, 24]  # 84 is 3 * 24 + 2 * 6
    sections = sections_of(lengths)

    (cut,) = find_cuts(
        sections,
        np.full(len(sections), 100),
        np.array(lengths, float),
        np.full(5, 24.0),
    )

    # The discs begin 24 and 54 above the start at 60 and are 6 high.
    assert (cut.points, cut.is_seen) == ((60 + 27, 60 + 57), False)


@pytest.mark.parametrize("lengths", [[54, 24, 24], [24, 24, 54], [24, 40, 24]])
def test_without_a_minimum_ends_and_what_may_be_one_are_not_cut(lengths):
    sections = sections_of(lengths)

    assert not find_cuts(
        sections,
        np.full(len(sections), 100),
        np.array(lengths, float),
        np.full(3, 24.0),
    )


def test_length_along_a_curve_is_that_of_a_box():
    labels = np.zeros((20, 20, 40), np.uint8)
    labels[4:16, 4:16, 5:25] = 1
    grid = Grid(labels.shape, affine_from((1, 1, 1)))
    curve = fit_curve(np.array([[9.5, 9.5, 0], [9.5, 9.5, 39]]), 0.0)

    sections = count_samples(labels, grid, curve, 5.0)

    assert measure_lengths(sections)[0] == pytest.approx(20, abs=1)
    assert (sections.sum(axis=1) == sections[0].sum()).all()
