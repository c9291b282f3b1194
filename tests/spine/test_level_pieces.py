import numpy as np
import pytest

from spine.level_pieces import drop_stray_ends, find_levels
from volumes.geometry import Grid, affine_from


def rod(length, gap):
    """Return a rod of voxels of 2 mm, and a voxel some voxels beside its middle."""
    label_map = np.zeros((2 + gap, 1, length + 4), np.uint8)
    label_map[0, 0, 2:-2] = 7
    label_map[gap, 0, length // 2] = 7
    return label_map, Grid(label_map.shape, affine_from((2, 2, 2)))


@pytest.mark.parametrize(
    ("length", "gap", "is_own"),
    [
        (100, 5, True),  # 200 mm long, 10 mm away
        (100, 6, False),  # 12 mm away
        (101, 5, False),  # longer than any vertebra: nothing near it is sought
    ],
)
def test_what_is_near_the_largest_piece_belongs_to_it(length, gap, is_own):
    label_map, grid = rod(length, gap)

    (level,) = find_levels(label_map, grid, {7: "L3", 8: "L2"})

    assert (level.name, level.count) == ("L3", length + 1)
    assert level.is_whole == (length == 100)
    assert level.largest.sum() == length
    assert level.own.sum() == length + is_own
    # The box is that of what belongs to the level, wherever its strays lie.
    assert level.box == (slice(0, 1 + gap * is_own), slice(0, 1), slice(2, length + 2))


def test_levels_are_in_order_and_strays_at_both_ends_are_left_out():
    label_map = np.zeros((1, 1, 200), np.uint8)
    label_map[..., 1:5], label_map[..., 10:100] = 1, 2  # 4 of 90: less than 5 %
    label_map[..., 110:190], label_map[..., 195:199] = 3, 4  # 4 of 80: no less
    grid = Grid(label_map.shape, affine_from((1, 1, 1)))
    names = {4: "L1", 1: "L4", 3: "L2", 2: "L3"}

    levels, dropped = drop_stray_ends(find_levels(label_map, grid, names))

    assert [level.name for level in levels] == ["L3", "L2", "L1"]
    assert dropped == 4
