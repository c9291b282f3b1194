from dataclasses import replace

import numpy as np
import pytest

from models import tiles
from models.metadata import ModelMetadata
from models.tiles import fit_tile, importance_map, tile_starts

METADATA = ModelMetadata(
    model="unet3d",
    spacing=(3.0, 1.25, 0.5),
    patch_size=(4, 4, 4),
    class_names=("background", "L1", "L2"),
    label_values=((), (20,), (21,)),
    intensity=("window", -200, 200),  # 0 to 0, 200 to 1, 120 to .6
    architecture={"depth": 1},
    cube_checksum="",
)


@pytest.mark.parametrize(
    ("low", "high", "tile", "overlap", "starts"),
    [
        (0, 10, 4, 0.5, [0, 2, 4, 6]),  # steps of at most 2
        (3, 13, 4, 0.25, [3, 6, 9]),  # steps of at most 3
        (0, 11, 4, 0.0, [0, 4, 7]),  # 3.5 rounds to the even 4
        (0, 3, 1, 0.5, [0, 1, 2]),
        (2, 7, 5, 0.5, [2]),
        (2, 5, 8, 0.5, [0]),  # 5 voxels more than the scan: 2 before, 3 after
        (0, 3, 8, 0.5, [-2]),
    ],
)
def test_tiles_start_at_even_distances(low, high, tile, overlap, starts):
    assert tile_starts(low, high, tile, overlap) == starts


@pytest.mark.parametrize("length", range(6, 40, 3))
@pytest.mark.parametrize(("tile", "overlap"), [(5, 0.0), (6, 0.25), (4, 0.5)])
def test_tiles_cover_an_axis_and_overlap(length, tile, overlap):
    starts = np.array(tile_starts(2, 2 + length, tile, overlap))

    assert (starts[0], starts[-1] + tile) == (2, 2 + length)
    # Rounding starts to whole voxels can cost one.
    assert (np.diff(starts) <= tile * (1 - overlap) + 1).all()
    assert (np.diff(starts) <= tile).all()


@pytest.mark.parametrize(
    ("model", "patch", "sides", "tile"),
    [
        # Spacing 3, 1.25 and .5 mm: at depth 2 the last axis is halved twice, the
        # second once and the first not at all; slices 4 and 2 voxels.
        ("unet3d", (8, 16, 32), (20, 30, 40), (8, 16, 32)),  # a large scan
        ("unet3d", (8, 16, 32), (8, 16, 32), (8, 16, 32)),
        ("unet3d", (8, 16, 32), (5, 15, 29), (5, 16, 32)),
        ("unet3d", (8, 16, 32), (5, 3, 40), (5, 4, 32)),
        ("unet3d", (8, 16, 32), (1, 1, 1), (2, 2, 4)),  # one slice is UNet-2D's
        ("unet2d", (1, 16, 32), (20, 30, 40), (1, 16, 32)),
        ("unet2d", (1, 64, 64), (20, 5, 21), (1, 12, 28)),  # 3 more on each side
        ("unet2d", (1, 64, 64), (20, 59, 58), (1, 64, 64)),
    ],
)
def test_tile_is_no_larger_than_the_scan_needs(monkeypatch, model, patch, sides, tile):
    monkeypatch.setattr(tiles, "CONTEXT", {"unet2d": 3, "unet3d": 0})
    metadata = replace(
        METADATA, model=model, patch_size=patch, architecture={"depth": 2}
    )
    extent = np.array([[3, 3 + side] for side in sides])

    assert fit_tile(metadata, extent) == tile


def test_importance_falls_from_the_centre_and_not_to_zero():
    weight = importance_map((1, 5, 40))

    assert weight.shape == (1, 5, 40)
    # An eighth of 5 is .625: the neighbour of the centre has exp(-.5 * 1.6^2).
    assert weight[0, 1, 20] / weight[0, 2, 20] == pytest.approx(np.exp(-1.28))
    assert weight.min() == np.float32(1e-3)
