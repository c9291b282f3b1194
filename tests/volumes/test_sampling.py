import numpy as np
import pytest
from support.splines import shift

from volumes.classes import classify_labels
from volumes.sampling import MARK, mark_borders
from volumes.warp import warp


def test_cells_of_several_classes_are_marked():
    label = np.zeros((2, 2, 4), np.uint8)
    label[:, :, 1:] = 5
    label[1, 1, 3] = 6

    marked = np.empty_like(label)
    mark_borders(label, marked)

    # The cell of voxel k holds k and k + 1; past the last voxel it ends.
    expected = np.array([MARK, 5, MARK, MARK])
    np.testing.assert_array_equal(marked[0, 0], expected)
    np.testing.assert_array_equal(marked[1, 0], expected)
    np.testing.assert_array_equal(marked[1, 1], [MARK, 5, MARK, 6])


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize(
    ("index", "expected"),
    [(-0.501, -1), (-0.5, 10), (-0.49, 10), (2.49, 12), (2.5, 12), (2.501, -1)],
)
def test_half_a_voxel_beyond_the_last_centre_still_belongs_to_the_scan(
    axis, index, expected
):
    shape = np.roll((3, 1, 1), axis)
    image = np.array([10, 11, 12], np.float32).reshape(shape)
    label = np.array([1, 2, 3], np.uint8).reshape(shape)
    move = np.roll((index, 0, 0), axis)

    out, seg = warp(image, label, shift(*move), (1, 1, 1), background=-1)

    assert out.item() == expected
    assert seg.item() == {-1: 0, 10: 1, 12: 3}[expected]


def test_values_merged_into_one_class_vote_together():
    # At 0.4 between 20 and 21 on one side (0.3 + 0.3) and 0 on the other (0.4):
    # alone neither 20 nor 21 outweighs the background, together they do.
    label = np.array([[[0], [0]], [[20], [21]]], np.uint16)
    image = np.zeros(label.shape, np.float32)
    apart, together = np.arange(256, dtype=np.uint8), np.zeros(256, np.uint8)
    together[[20, 21]] = 1
    between = shift(0.6, 0.5, 0)

    _, one_by_one = warp(image, classify_labels(label, apart), between, (1, 1, 1))
    _, merged = warp(image, classify_labels(label, together), between, (1, 1, 1))

    assert one_by_one.item() == 0
    assert merged.item() == 1


@pytest.mark.parametrize(
    ("where", "expected"),
    # Shares of the far corner alone: 0.8^3 = 0.512 and 0.79^3 = 0.493.
    [((0.8, 0.8, 0.8), 3), ((0.79, 0.79, 0.79), 0)],
)
def test_label_is_the_one_with_more_than_half_of_the_weight(where, expected):
    label = np.zeros((2, 2, 2), np.uint8)
    label[1, 1, 1] = 3

    _, seg = warp(label, label, shift(*where), (1, 1, 1))

    assert seg.item() == expected


def test_last_class_that_stands_for_borders_inside_is_a_class_like_others():
    label = np.random.default_rng(7).integers(0, 4, (5, 6, 9)).astype(np.uint8)
    image = label.astype(np.float32)
    highest = np.where(label == 3, 255, label).astype(np.uint8)
    between = shift(0.4, -0.3, 0.2)

    _, plain = warp(image, label, between, (5, 6, 9))
    _, found = warp(image, highest, between, (5, 6, 9))

    np.testing.assert_array_equal(found, np.where(plain == 3, 255, plain))
