import time

import numpy as np
import pytest
from support.box_spines import HEIGHT, STEP, box_spine, fill_disc

from spine.growth import place_labels
from spine.instances import find_instances
from spine.naming import find_gaps
from volumes.geometry import Grid, affine_from


def test_boxes_in_a_row_are_numbered_from_below():
    label_map, grid = box_spine()

    found = find_instances(label_map > 0, grid)

    np.testing.assert_array_equal(found.label_map, label_map)
    # 12 mm below the first box, of 24 mm; the origin is the centre of a voxel of 2 mm.
    heights = 12 + 12 - 1 + STEP * np.arange(5)
    np.testing.assert_allclose(found.centers[:, 2], heights, atol=1)
    assert (found.partial, found.notes, found.dropped_ml) == (frozenset(), {}, 0)


def test_the_axes_of_the_array_do_not_matter():
    label_map, grid = box_spine(spacing=(4, 2, 1))
    # Superior is now the first axis, downwards.
    turned = label_map.transpose(2, 0, 1)[::-1]
    affine = grid.affine[:, [2, 0, 1, 3]] @ np.diag([-1.0, 1, 1, 1])
    affine[:3, 3] = grid.to_world((0, 0, label_map.shape[2] - 1))

    found = find_instances(turned > 0, Grid(turned.shape, affine))

    np.testing.assert_array_equal(found.label_map, turned)


def test_a_thin_bridge_does_not_join_two_vertebrae():
    label_map, grid = box_spine()
    mask = label_map > 0
    mask[12:16, 10:14] = True  # a rod of 8 x 8 mm along the whole spine

    found = find_instances(mask, grid)

    inside = label_map > 0
    assert found.notes == {}
    np.testing.assert_array_equal(found.label_map[inside], label_map[inside])


def test_two_vertebrae_whose_disc_is_filled_are_cut_by_length_with_a_note():
    label_map, grid = box_spine((HEIGHT,) * 6)
    fill_disc(label_map, 3, 9)

    found = find_instances(label_map > 0, grid)

    # The disc is shared by the two, whose borders lie 4 mm of 8 away from the middle.
    of_boxes = [found.label_map[label_map == number] for number in range(1, 7)]
    for number, values in enumerate(of_boxes, start=1):
        assert (values == number).mean() > 0.85, number
    assert sorted(found.notes) == [3, 4]
    assert "as long as 2 vertebrae, by length alone" in found.notes[3][0]


def test_a_cut_lies_where_the_mask_is_narrow():
    label_map, grid = box_spine((HEIGHT,) * 6)
    fill_disc(label_map, 3, 9)
    # The disc is 4 mm less deep on either side than the bodies.
    disc = np.argwhere(label_map == 9)
    label_map[:, [6, 7, 20, 21], disc[:, 2].min() : disc[:, 2].max() + 1] = 0

    found = find_instances(label_map > 0, grid)

    for number in range(1, 7):
        assert (found.label_map[label_map == number] == number).mean() > 0.95
    assert all("narrow" in found.notes[number][0] for number in found.notes)


def test_vertebrae_without_a_voxel_are_dropped_before_they_are_numbered(monkeypatch):
    label_map, grid = box_spine()

    def place_without_two(*args):
        placed = place_labels(*args)
        placed[(placed == 2) | (placed == 5)] = 0
        return placed

    monkeypatch.setattr("spine.instances.place_labels", place_without_two)
    found = find_instances(label_map > 0, grid)

    expected = np.array([0, 1, 0, 2, 3, 0], np.uint8)[label_map]
    np.testing.assert_array_equal(found.label_map, expected)
    heights = 12 + 12 - 1 + STEP * np.array([0, 2, 3])
    np.testing.assert_allclose(found.centers[:, 2], heights, atol=1)


def test_a_long_vertebra_at_the_end_is_not_cut_but_told():
    label_map, grid = box_spine((60, *(HEIGHT,) * 5))

    found = find_instances(label_map > 0, grid)

    np.testing.assert_array_equal(found.label_map, label_map)
    assert "is 2.5 times as long as its neighbours" in found.notes[1][0]


def test_a_missing_vertebra_is_a_gap():
    label_map, grid = box_spine((HEIGHT, HEIGHT, HEIGHT, 0, HEIGHT, HEIGHT))

    found = find_instances(label_map > 0, grid)

    assert len(found.centers) == 5
    ((place, gap, usual),) = find_gaps(found.centers)
    assert (place, gap, usual) == (
        2,
        pytest.approx(64, abs=1),
        pytest.approx(32, abs=1),
    )


def test_a_vertebra_cut_by_the_border_is_partial():
    label_map, grid = box_spine((HEIGHT,) * 5)
    top = np.flatnonzero(label_map.any(axis=(0, 1)))[-1]
    label_map = label_map[:, :, : top - 7]  # 4 of 12 planes are left

    found = find_instances(label_map > 0, Grid(label_map.shape, grid.affine))

    np.testing.assert_array_equal(found.label_map, label_map)
    assert found.partial == {5}


def test_what_lies_far_away_is_dropped_and_what_lies_near_is_joined():
    label_map, grid = box_spine()
    mask = np.pad(label_map > 0, ((40, 0), (0, 0), (0, 0)))
    grid = Grid(mask.shape, affine_from((2, 2, 2), (-80.0, 0, 0)))
    mask[:5, :5, 20:25] = True  # 125 voxels of 8 mm3
    middle = np.argwhere(label_map == 3)[:, 2].min() + 4
    mask[67:69, 10:14, middle] = True  # the last plane of the third is 65
    mask[67:69, 10:14, 2] = True  # as far from the curve, but 20 mm below the first

    found = find_instances(mask, grid)

    assert found.dropped_ml == pytest.approx((125 + 8) * 0.008)
    np.testing.assert_array_equal(found.label_map[46:66], label_map[6:26])
    expected = np.zeros_like(mask[67:69], np.uint8)
    expected[:, 10:14, middle] = 3
    np.testing.assert_array_equal(found.label_map[67:69], expected)


def test_a_large_piece_near_a_vertebra_is_none_of_its_own():
    label_map, grid = box_spine()
    top = np.argwhere(label_map == 2)[:, 2].max()
    disc = label_map.astype(bool)
    disc[8:22, 8:18, top + 2 : top + 4] = True  # 28 x 20 x 4 mm, 2.2 ml, in a disc

    found = find_instances(disc, grid)

    assert (len(found.centers), found.partial) == (5, frozenset())
    assert found.dropped_ml == 0
    assert set(found.label_map[8:22, 8:18, top + 3].ravel()) <= {2, 3}


def ring():
    first, second, third = np.indices((60, 60, 60)) - 29.5
    return (np.hypot(np.hypot(second, third) - 20, first) < 6).astype(bool)


def blobs():
    mask = np.zeros((96, 96, 96), bool)
    places = np.random.default_rng(0).integers(5, 90, (500, 3))
    for first, second, third in places:
        mask[first - 3 : first + 3, second - 3 : second + 3, third - 3 : third + 3] = 1
    return mask


def one_voxel():
    mask = np.zeros((20, 20, 20), bool)
    mask[3, 4, 5] = True
    return mask


@pytest.mark.parametrize(
    "make",
    [
        lambda: np.zeros((20, 20, 20), bool),
        one_voxel,
        lambda: np.ones((80, 80, 80), bool),
        lambda: np.ones((1, 1, 1), bool),
        ring,
        blobs,
    ],
    ids=["empty", "one voxel", "everything", "single", "ring", "blobs"],
)
def test_hostile_masks_are_answered_in_bounded_time(make):
    mask = make()
    start = time.process_time()

    found = find_instances(mask, Grid(mask.shape, affine_from((1.5, 1.5, 1.5))))

    assert time.process_time() - start < 10
    if found is not None:
        assert set(np.unique(found.label_map)) - {0} <= {
            *range(1, len(found.centers) + 1)
        }
        assert not found.label_map[~mask].any()
