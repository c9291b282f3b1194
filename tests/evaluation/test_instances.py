import numpy as np
import pytest
from scipy import ndimage
from support.vertebra_rows import AFFINE, judge, row

from evaluation.instances import score_instances
from volumes.geometry import Grid


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
