import numpy as np
import pytest
from support.vertebra_columns import LEVELS, NAMES, SPACING, column

from evaluation.levels import count_pairs, find_centroids, score_levels


def judge(prediction, reference):
    return score_levels(
        prediction,
        reference,
        steps=np.diag(SPACING),
        levels=LEVELS,
        num_classes=len(NAMES),
    )


def test_pairs_of_classes_are_counted():
    prediction, reference = column(1, 2, 2), column(1, 1, 0)

    counts = count_pairs(prediction, reference, 4)

    # 2 voxels of 1 on 1, 2 of 2 on 1, 2 of 2 on background; 36 - 6 = 30... of 72.
    assert counts.sum() == 3 * 4 * 6
    assert (counts[1, 1], counts[2, 1], counts[2, 0], counts[0, 0]) == (2, 2, 2, 66)
    assert counts.shape == (4, 4)


def test_centroids_are_in_mm_and_only_of_what_is_there():
    centroids = find_centroids(column(0, 1, 3), LEVELS, np.diag(SPACING))

    # Voxel 1 * 3 mm, 2 * 2 mm, and the middle of 2 and 3, of 4 and 5, * 4 mm.
    assert centroids.keys() == {1, 3}
    np.testing.assert_allclose(centroids[1], (3, 4, 10))
    np.testing.assert_allclose(centroids[3], (3, 4, 18))


def test_centroids_follow_a_slanted_axis():
    # A step along K leads 3 mm along J's direction and 4 mm across it.
    steps = np.array([[3.0, 0, 0], [0, 2, 3], [0, 0, 4]])

    centroids = find_centroids(column(0, 1, 3), LEVELS, steps)

    # As above, and 2.5 or 4.5 steps of 3 mm.
    np.testing.assert_allclose(centroids[1], (3, 4 + 2.5 * 3, 10))
    np.testing.assert_allclose(centroids[3], (3, 4 + 4.5 * 3, 18))


def test_vertebra_in_its_place_is_found_and_one_in_its_neighbour_s_is_not():
    found = judge(column(1, 2, 0, 3), column(1, 2, 3, 4))

    assert [found[level]["found"] for level in LEVELS] == ["yes", "yes", "no", "no"]
    # L2 was put where L3 is, 8 mm too low: near enough, but L3 is nearer.
    assert [found[level]["centroid_error_mm"] for level in LEVELS] == [0, 0, 8, None]


@pytest.mark.parametrize(("gap", "found"), [(2, "yes"), (3, "no")])
def test_vertebra_is_found_up_to_20_mm(gap, found):
    # Moved by 2 or 3 vertebrae of 8 mm, with no other vertebra about: 16 or 24 mm.
    empty = [0] * gap

    judged = judge(column(*empty, 2), column(2, *empty))

    assert judged[2]["found"] == found
    assert judged[2]["centroid_error_mm"] == 8 * gap


def test_vertebra_exactly_20_mm_away_is_not_found():
    prediction, reference = np.zeros((2, 1, 1, 6), np.uint8)
    prediction[0, 0, 5] = reference[0, 0, 0] = 1  # 5 * 4 mm

    assert judge(prediction, reference)[1]["found"] == "no"


def test_level_that_the_reference_lacks_is_absent():
    judged = judge(column(1, 2), column(0, 2))

    assert judged[1] == {
        "found": "absent",
        "centroid_error_mm": None,
        "dice_of_upper": None,
        "dice_of_lower": None,
    }


def test_neighbours_are_the_levels_of_the_case_whichever_numbers_lie_between():
    # L1 is in neither: what was taken for T12 lies on L2, its next level here.
    judged = judge(column(0, 1, 3), column(0, 3, 4))

    # T12 on all of L2: 2 * 2 / (2 + 2). L2 on all of L3.
    assert (judged[3]["dice_of_upper"], judged[4]["dice_of_upper"]) == (1, 1)
    # Below L2 comes L3, of which nothing was predicted; below L3 comes nothing.
    assert (judged[3]["dice_of_lower"], judged[4]["dice_of_lower"]) == (0, 0)
