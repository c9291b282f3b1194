import numpy as np
import pytest
from scipy import ndimage

from evaluation.instances import score_instances
from volumes.geometry import Grid, affine_from

# Axis I leads down: the vertebrae of a row are listed from above.
DIRECTION = [[0, 0, 1], [0, 1, 0], [-1, 0, 0]]
AFFINE = affine_from((4.0, 2.0, 3.0), (1.0, 2.0, -900.0), DIRECTION)


def row(*values):
    """Place voxels of the given values along I, shape (len(values), 2, 3)."""
    label_map = np.zeros((len(values), 2, 3), np.uint16)
    label_map[:, 1, 2] = values
    return label_map


def judge(prediction, reference, **options):
    predicted, annotated = row(*prediction), row(*reference)
    grid = Grid(annotated.shape, AFFINE)
    return score_instances(predicted, annotated, grid=grid, **options)


def counts(score):
    return score.num_predicted, score.num_reference, score.num_matched


def test_instances_are_matched_whatever_their_values():
    # 7 and 1 share 2 voxels of 3: IoU .67, Dice 4 / 5. 300 and 2 share 3 of 4: Dice
    # 6 / 7. 5 shares 1 voxel of 3 with 3.
    score = judge(
        (7, 7, 7, 300, 300, 300, 300, 5, 5, 0),
        (1, 1, 0, 2, 2, 2, 0, 0, 3, 3),
        case_id="ann",
    )

    assert counts(score) == (3, 3, 2)
    assert score.precision == score.recall == pytest.approx(2 / 3)
    assert score.matched_dice == pytest.approx((4 / 5 + 6 / 7) / 2)
    assert (score.num_merged, score.num_split) == (0, 0)
    assert (score.case_id, score.subject) == ("ann", "ann")


def test_pair_with_half_of_its_union_in_common_is_matched():
    assert counts(judge((1, 1), (1, 0))) == (1, 1, 1)
    assert counts(judge((1, 1, 1), (1, 0, 0))) == (1, 1, 0)
    # Two equal candidates, each half of the prediction: one of them is its pair.
    assert counts(judge((1, 1), (1, 2))) == (1, 2, 1)


def test_precision_counts_false_positives_and_recall_what_was_missed():
    score = judge((1, 0, 2, 3, 4), (1, 2, 0, 0, 3))

    assert (score.precision, score.recall) == (2 / 4, 2 / 3)


@pytest.mark.parametrize(
    ("prediction", "reference", "precision", "recall"),
    [
        ((0, 0), (0, 0), 1, 1),
        ((1, 2), (0, 0), 0, 0),
        ((0, 0), (1, 2), 0, 0),
    ],
)
def test_case_without_instances_on_one_side_or_both_has_scores(
    prediction, reference, precision, recall
):
    score = judge(prediction, reference)

    assert (score.precision, score.recall) == (precision, recall)
    assert score.matched_dice is None
    assert score.identification_rate is None
    assert (score.num_merged, score.num_split, score.num_named) == (0, 0, 0)


def test_prediction_over_two_vertebrae_is_one_merged_one():
    # 1 covers 2 of 3 voxels of either; 2 covers all of one, and half of another.
    score = judge((0, 1, 1, 1, 1, 0, 2, 2, 0), (1, 1, 1, 2, 2, 2, 3, 4, 4))

    assert (score.num_merged, score.num_split) == (1, 0)


def test_vertebra_in_two_pieces_is_one_split_one():
    # Of 1 there are two pieces. Of 2 there is one, and the half of another.
    score = judge((1, 1, 1, 2, 2, 3, 3, 4, 4), (1, 1, 1, 1, 1, 2, 2, 2, 0))

    assert (score.num_merged, score.num_split) == (0, 1)
    assert counts(score) == (4, 2, 2)  # 3 of 5, and 2 of 3 voxels


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


def test_void_counts_neither_for_nor_against_a_prediction():
    void = row(0, 0, 1, 1, 1, 1, 1, 1, 0, 0) > 0
    prediction = (1, 1, 1, 1, 1, 2, 2, 3, 2, 3)
    reference = (8, 8, 8, 9, 9, 9, 9, 9, 0, 0)

    score = judge(prediction, reference, void=void)

    # Two voxels of 1 count, and both are right. Of 2, two of three lie in the void; of
    # 3, half do, which leaves a false positive.
    assert counts(score) == (2, 1, 1)
    assert score.matched_dice == 1


def test_prediction_in_the_void_is_no_piece_of_a_vertebra():
    # The sacrum does not count; its prediction, 2, reaches one voxel into 9.
    void = row(0, 0, 0, 0, 1, 1) > 0

    score = judge((1, 1, 1, 2, 2, 2), (9, 9, 9, 9, 0, 0), void=void)

    assert counts(score) == (1, 1, 1)
    assert score.num_split == 0


def test_prediction_in_the_void_that_merges_two_vertebrae_is_told():
    void = row(0, 0, 0, 1, 1, 1, 1) > 0

    score = judge((1, 1, 1, 1, 1, 1, 1), (7, 8, 9, 0, 0, 0, 0), void=void)

    assert counts(score) == (0, 3, 0)
    assert score.num_merged == 1


def test_matching_is_that_of_all_pairs_compared_one_by_one():
    rng = np.random.default_rng(3)
    smooth = ndimage.gaussian_filter(rng.normal(size=(20, 24, 28)), 1.5)
    reference = ndimage.label(smooth > 0.128)[0]
    prediction = ndimage.label(np.roll(smooth, 1, axis=2) > 0.138)[0]
    pairs = []
    for number in range(1, prediction.max() + 1):
        for value in range(1, reference.max() + 1):
            first, second = prediction == number, reference == value
            union = np.count_nonzero(first | second)
            if np.count_nonzero(first & second) / union >= 0.5:
                total = first.sum() + second.sum()
                pairs.append(2 * np.count_nonzero(first & second) / total)

    grid = Grid(reference.shape, AFFINE)
    score = score_instances(prediction, reference, grid=grid)

    assert 3 < len(pairs) < score.num_predicted
    assert counts(score) == (prediction.max(), reference.max(), len(pairs))
    assert score.matched_dice == pytest.approx(np.mean(pairs))


def test_label_maps_of_two_shapes_are_refused():
    with pytest.raises(ValueError, match=r"one shape.*\(2, 2, 3\).*\(3, 2, 3\)"):
        judge((1, 1), (1, 1, 1))
