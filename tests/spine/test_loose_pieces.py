import numpy as np
import pytest
from support.box_spines import box_spine

from spine.instances import find_instances
from volumes.geometry import Grid, affine_from

# Boxes of 20 x 20 x 12 voxels of 2 mm lie 32 mm apart, the lowest 12 mm above the
# scan's lower border.
BELOW = 20  # planes of 2 mm that are added below


def spine_with_piece(planes: int, below: int = BELOW):
    """Return five boxes, and a piece of some planes 12 mm below the lowest of them."""
    label_map, _ = box_spine()
    mask = np.pad(label_map > 0, ((0, 0), (0, 0), (below, 0)))
    top = np.flatnonzero(mask.any(axis=(0, 1)))[0] - 6
    mask[8:22, 6:22, top - planes : top] = True
    return mask, Grid(mask.shape, affine_from((2.0, 2.0, 2.0)))


def test_a_small_piece_whose_place_is_seen_as_a_whole_is_dropped_with_a_note():
    mask, grid = spine_with_piece(planes=2)

    found = find_instances(mask, grid)

    assert (len(found.centers), found.partial) == (5, frozenset())
    assert found.dropped_ml == pytest.approx(14 * 16 * 2 * 0.008)
    assert found.notes == {
        1: ["has a piece of 3.6 ml beyond it that is too small for a vertebra"]
    }


@pytest.mark.parametrize(
    ("planes", "below"),
    [
        pytest.param(2, 4, id="cut by the border"),
        pytest.param(6, BELOW, id="a third"),
    ],
)
def test_a_piece_at_the_border_or_of_some_size_is_seen_in_part(planes, below):
    mask, grid = spine_with_piece(planes, below)

    found = find_instances(mask, grid)

    assert len(found.centers) == 6
    assert found.partial == {1}
    assert found.notes == {}
