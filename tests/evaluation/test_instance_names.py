from support.vertebra_rows import judge


def test_names_are_compared_where_both_sides_have_them():
    score = judge(
        (1, 2, 3, 4, 0),
        (11, 12, 13, 0, 14),
        predicted_names={1: "L1", 2: "L3", 4: "L4"},
        reference_names={11: "L1", 12: "L2", 13: "L3", 14: "L4"},
    )

    # L1 is right, L2 is called L3; the pair of L3 has one name, L4 no pair.
    assert (score.num_matched, score.num_named, score.num_identified) == (3, 2, 1)
    assert score.identification_rate == 0.5


def test_prediction_numbered_from_below_is_named_from_the_lowest_pair():
    names = {4: "T12", 5: "T13", 7: "L1", 3: "L2"}

    right = judge((4, 3, 2, 1), (4, 5, 7, 3), reference_names=names)
    # A false positive between T12 and T13 shifts the name of T12.
    shifted = judge((5, 4, 3, 2, 1), (4, 0, 5, 7, 3), reference_names=names)
    # One below the lowest pair changes nothing.
    below = judge((4, 3, 2, 1), (5, 7, 3, 0), reference_names=names)

    # The lowest pair is the one that a user would name, so it does not count.
    assert (right.num_named, right.num_identified) == (3, 3)
    assert (shifted.num_named, shifted.num_identified) == (3, 2)
    assert (below.num_named, below.num_identified) == (2, 2)


def test_levels_that_most_people_lack_count_only_where_they_are_named():
    # L1 lies next to T12, unless a T13 is named; L6 next to S1.
    score = judge((3, 2, 1), (1, 2, 3), reference_names={1: "T12", 2: "L1", 3: "L2"})
    sacral = judge((2, 1), (1, 2), reference_names={1: "L5", 2: "S1"})
    gap = judge((3, 2, 1), (1, 2, 3), reference_names={1: "T12", 2: "L2", 3: "L3"})

    assert score.identification_rate == 1
    assert sacral.identification_rate == 1
    # L2 is 1 above L3 as numbered, but T12 is 3 above it.
    assert (gap.num_named, gap.num_identified) == (2, 1)


def test_reference_without_names_is_numbered_from_below_as_well():
    # From below 9, 2, 5: the values say nothing, the height of the centroid does.
    right = judge((3, 2, 1), (5, 2, 9))
    # The second from below was missed.
    missed = judge((2, 0, 1), (5, 2, 9))

    assert (right.num_named, right.num_identified) == (2, 2)
    assert (missed.num_named, missed.num_identified) == (1, 0)


def test_one_pair_has_no_level_relative_to_another():
    assert judge((1, 0), (1, 0)).identification_rate is None
