import numpy as np
import pytest
from support.box_spines import box_spine

from spine.levels import align_names, repair_levels
from volumes.structures import VERTEBRA_NAMES

LEVELS = {1: "L5", 2: "L4", 3: "L3", 4: "L2", 5: "L1"}


def names_of(namings):
    return [naming.name for naming in namings]


def test_levels_in_order_stay_as_they_are():
    label_map, grid = box_spine()

    found, namings = repair_levels(label_map, grid, LEVELS)

    np.testing.assert_array_equal(found.label_map, label_map)
    assert names_of(namings) == list(LEVELS.values())
    assert {naming.source for naming in namings} == {"labels"}
    assert found.dropped_ml == 0


def test_other_values_do_not_count():
    label_map, grid = box_spine()
    few = {value: LEVELS[value] for value in (2, 3)}

    found, namings = repair_levels(label_map, grid, few)

    expected = np.where((label_map == 2) | (label_map == 3), label_map - 1, 0)
    np.testing.assert_array_equal(found.label_map, expected)
    assert names_of(namings) == ["L4", "L3"]


def test_strays_are_dropped_and_details_nearby_are_kept():
    label_map, grid = box_spine()
    expected = label_map.copy()
    label_map[:2, :2, 60:62] = 1  # 8 voxels of 8 mm3, far from L5
    label_map[2, 10, 10] = expected[2, 10, 10] = 1  # 3 voxels beside it

    found, _ = repair_levels(label_map, grid, LEVELS)

    np.testing.assert_array_equal(found.label_map, expected)
    assert found.dropped_ml == pytest.approx(0.064)


def test_a_level_at_an_end_that_is_a_few_voxels_is_dropped():
    label_map, grid = box_spine()
    label_map[8, 8, np.flatnonzero(label_map[8, 8] == 5)[-3:]] = 6  # 3 of 8 mm3

    found, namings = repair_levels(label_map, grid, LEVELS | {6: "T12"})

    expected = np.where(label_map < 6, label_map, 0)
    np.testing.assert_array_equal(found.label_map, expected)
    assert names_of(namings) == list(LEVELS.values())
    assert found.dropped_ml == pytest.approx(0.024)


def test_borders_of_labels_stay_where_others_are_repaired():
    label_map, grid = box_spine()
    top = np.argwhere(label_map == 4)[:, 2].max()
    label_map[12:16, 10:14, top + 1 : top + 5] = 4  # a rod up to L1, all of it L2
    expected = label_map.copy()
    label_map[:16][expected[:16] == 2] = 1  # the left half of L4 is called L5

    found, namings = repair_levels(label_map, grid, LEVELS)

    np.testing.assert_array_equal(found.label_map, expected)
    assert names_of(namings) == list(LEVELS.values())


def test_a_vertebra_of_two_levels_gets_the_one_that_keeps_the_order():
    label_map, grid = box_spine()
    expected = label_map.copy()
    third = np.argwhere(label_map == 3)
    middle = int(third[:, 0].mean())
    label_map[:middle][expected[:middle] == 3] = 4  # its left half is called L2

    found, namings = repair_levels(label_map, grid, LEVELS)

    np.testing.assert_array_equal(found.label_map, expected)
    assert names_of(namings) == list(LEVELS.values())


def test_levels_shifted_by_one_in_a_part_are_named_in_order_and_told():
    label_map, grid = box_spine()
    expected = label_map.copy()
    label_map[expected == 3] = 4  # L3 is called L2, as is L2

    found, namings = repair_levels(label_map, grid, LEVELS)

    np.testing.assert_array_equal(found.label_map, expected)
    assert names_of(namings) == list(LEVELS.values())
    assert namings[2].notes == ("was labelled L2 for the most part",)


def test_two_values_of_one_level_are_two_vertebrae_named_in_order():
    label_map, grid = box_spine()
    levels = LEVELS | {4: "L3"}  # as "L3" and "L3 vertebra" would be

    found, namings = repair_levels(label_map, grid, levels)

    np.testing.assert_array_equal(found.label_map, label_map)
    assert names_of(namings) == list(LEVELS.values())
    assert namings[3].notes == ("was labelled L3 for the most part",)


def test_two_values_may_be_the_halves_of_one_vertebra():
    label_map, grid = box_spine()
    halved = label_map.copy()
    halved[:16][halved[:16] == 3] = 6

    found, namings = repair_levels(halved, grid, LEVELS | {6: "L3"})

    np.testing.assert_array_equal(found.label_map, label_map)
    assert names_of(namings) == list(LEVELS.values())
    assert not any(naming.notes for naming in namings)


def test_levels_upside_down_are_named_from_below():
    label_map, grid = box_spine()
    downwards = {6 - value: name for value, name in LEVELS.items()}

    found, namings = repair_levels(label_map, grid, downwards)

    np.testing.assert_array_equal(found.label_map, label_map)
    assert names_of(namings) == list(LEVELS.values())
    assert namings[0].notes == ("was labelled L1 for the most part",)


def test_scrambled_levels_end_in_order():
    label_map, grid = box_spine()
    scrambled = np.array([0, 1, 4, 3, 2, 5], np.uint8)[label_map]  # L4 and L2 swapped

    found, namings = repair_levels(scrambled, grid, LEVELS)

    np.testing.assert_array_equal(found.label_map, label_map)
    assert names_of(namings) == list(LEVELS.values())
    assert namings[1].notes == ("was labelled L2 for the most part",)


def test_a_missing_vertebra_leaves_its_name_out():
    label_map, grid = box_spine((24, 24, 0, 24, 24))
    label_map[label_map == 2] = 1  # L4 is called L5, so the label map needs a repair

    _, namings = repair_levels(label_map, grid, LEVELS)

    assert names_of(namings) == ["L5", "L4", "L2", "L1"]


def test_nothing_is_found_in_an_empty_label_map():
    label_map, grid = box_spine()

    assert repair_levels(np.zeros_like(label_map), grid, LEVELS) is None


def test_names_follow_votes_gaps_and_order():
    votes = np.zeros((3, len(VERTEBRA_NAMES)), int)
    column = VERTEBRA_NAMES.index
    votes[0, column("T1")], votes[1, column("T1")] = 10, 4
    votes[1, column("C7")], votes[2, column("C5")] = 6, 10
    heights = np.array([[0, 0, 0], [0, 0, 17], [0, 0, 34.0]])

    # Without a gap C7 is followed by C6, but the votes for C5 are worth the skip.
    assert align_names(votes, heights, set()) == ["T1", "C7", "C5"]
    votes[:] = 0
    assert len(align_names(votes, heights, set())) == 3
    many = np.zeros((40, len(VERTEBRA_NAMES)), int)
    assert align_names(many, np.arange(120.0).reshape(40, 3), set()) is None


def test_a_vertebra_of_which_a_neighbours_level_takes_all_voxels_is_dropped():
    label_map, grid = box_spine((24, 24, 24, 16, 24))
    top = np.argwhere(label_map == 3)[:, 2].max()
    label_map[12:16, 10:14, top + 1 : top + 5] = 4  # a rod across the disc above L3
    label_map[label_map == 4] = 3  # and the lower box above it is called L3 as well
    expected = np.array([0, 1, 2, 3, 3, 4], np.uint8)[label_map]
    label_map[:16][label_map[:16] == 2] = 1  # the left half of L4 is called L5

    found, namings = repair_levels(label_map, grid, LEVELS)

    np.testing.assert_array_equal(found.label_map, expected)
    assert names_of(namings) == ["L5", "L4", "L3", "L1"]
    assert len(found.centers) == 4
