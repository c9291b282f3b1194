import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from models import prediction
from models.metadata import ModelMetadata
from models.prediction import (
    Part,
    classify,
    label_values,
    predict_image,
    predict_scan,
    resample_to_scan,
)
from models.tiles import fit_tile
from volumes.geometry import Grid, affine_from
from volumes.volume import Segment

GRAY = (0.5, 0.5, 0.5)
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


class Copier:
    """Stands in for a network: voxel x gives the probabilities 1 - x, .75 x, .25 x."""

    def __init__(self):
        self.shapes = []

    def predict_on_batch(self, batch):
        self.shapes.append(batch.shape)
        return np.concatenate([1 - batch, 0.75 * batch, 0.25 * batch], axis=-1)


def whole(shape):
    return np.stack([np.zeros(3, int), np.array(shape)], axis=1)


def noise(shape, seed=0):
    return np.random.default_rng(seed).random(shape, dtype=np.float32)


@pytest.mark.parametrize(
    ("tile", "expected"),
    [
        ((1, 4, 8), [4, 3, 3, 4, 5, 5, 4, 3]),  # mirrored
        ((2, 4, 8), [3, 3, 3, 4, 5, 5, 5, 5]),  # the edge
    ],
)
def test_tile_is_padded_at_the_border_of_the_scan(tile, expected):
    image = np.zeros((2, 4, 9), np.float32)  # 0 outside the scan
    image[:, :, 3:6] = np.array([3, 4, 5]) / 10
    batches = []

    class Watcher(Copier):
        def predict_on_batch(self, batch):
            batches.append(batch)
            return super().predict_on_batch(batch)

    extent = np.array([[0, 2], [0, 4], [3, 6]])
    predict_image(Watcher(), image, extent, tile, num_classes=3)

    np.testing.assert_allclose(10 * batches[0].reshape(-1, 8)[0], expected, rtol=1e-5)


@pytest.mark.parametrize("shape", [(9, 14, 11), (3, 4, 5), (2, 20, 3), (1, 1, 1)])
@pytest.mark.parametrize("tile", [(4, 6, 5), (1, 6, 5), (8, 8, 16)])
def test_reassembled_patches_equal_the_volume(shape, tile):
    image = noise(shape)
    copier = Copier()

    found = predict_image(copier, image, whole(shape), tile, num_classes=3)

    np.testing.assert_allclose(found, [0.75 * image, 0.25 * image], atol=1e-6)
    sides = tile[1:] if tile[0] == 1 else tile
    assert {batch[1:] for batch in copier.shapes} == {(*sides, 1)}


@pytest.mark.parametrize("tile", [(4, 4, 5), (1, 4, 5), (8, 16, 8)])
def test_everything_outside_the_scan_is_background(tile):
    image = noise((9, 14, 11))
    box = (slice(2, 7), slice(5, 14), slice(0, 6))

    found = predict_image(
        Copier(), image, np.array([[2, 7], [5, 14], [0, 6]]), tile, num_classes=3
    )

    expected = np.zeros_like(image)
    expected[box] = image[box]
    np.testing.assert_allclose(found.sum(axis=0), expected, atol=1e-6)


def test_a_call_takes_no_more_tiles_than_fit(monkeypatch):
    monkeypatch.setattr(prediction, "VOXELS_PER_CALL", 3 * 4 * 6 * 5 + 10)
    copier = Copier()

    predict_image(
        copier, noise((9, 14, 11)), whole((9, 14, 11)), (4, 6, 5), num_classes=3
    )

    # Steps of at most 2, 3 and 2 voxels: 1 + ceil(5 / 2), 1 + ceil(8 / 3) and
    # 1 + ceil(6 / 2) tiles along the axes: 4 * 4 * 4 = 64 = 21 * 3 + 1.
    assert copier.shapes == [(3, 4, 6, 5, 1)] * 22


def test_most_probable_class_wins_and_ties_go_to_the_first():
    # Five voxels of two foreground classes; background .5, .3, .1, .5, .2.
    probabilities = np.array(
        [[0.25, 0.5, 0.125, 0.5, 0.4], [0.25, 0.2, 0.775, 0.0, 0.4]], np.float32
    )

    found = classify(probabilities[:, :, None, None])

    assert found.dtype == np.uint8
    assert found.ravel().tolist() == [0, 1, 2, 0, 1]


def test_nan_is_background():
    nothing = np.full((1, 1, 1), np.nan, np.float32)

    assert classify([nothing]) == 0
    assert classify([nothing, nothing]) == 0


def test_resampling_to_the_same_grid_changes_nothing(oblique_grid):
    classes = np.random.default_rng(1).integers(0, 3, oblique_grid.shape)
    probabilities = np.stack([classes == 1, classes == 2]).astype(np.float32)

    found = resample_to_scan([Part(probabilities, oblique_grid)], oblique_grid)

    np.testing.assert_array_equal(found, classes)


def sphere_and_grids():
    """A sphere of 7 mm on voxels of 1 mm, and a finer, turned grid inside."""
    source = Grid((24, 26, 28), affine_from((1, 1, 1), (-50, 20, 300)))
    cos, sin = np.cos(np.pi / 6), 0.5
    # I -> inferior, J -> anterior and right, K -> right and posterior.
    direction = np.array([[0, sin, cos], [0, cos, -sin], [-1, 0, 0]])
    spacing, shape = np.array([0.5, 0.75, 0.4]), (38, 25, 47)
    center = source.center + np.array([0.3, -0.2, 0.4])
    origin = center - direction @ (spacing * (np.array(shape) - 1) / 2)
    target = Grid(shape, affine_from(spacing, origin, direction))
    from_center = [
        np.linalg.norm(
            grid.to_world(np.moveaxis(np.indices(grid.shape), 0, -1)) - source.center,
            axis=-1,
        )
        for grid in (source, target)
    ]
    return source, target, *from_center


def test_sphere_stays_a_sphere_on_a_finer_turned_grid():
    source, target, from_source, from_target = sphere_and_grids()
    # A half at the surface, falling to nothing over 4 mm on either side.
    sphere = np.clip(0.5 + (7 - from_source) / 8, 0, 1).astype(np.float32)

    both = np.stack([np.zeros_like(sphere), sphere])
    found = resample_to_scan([Part(both, source)], target)

    assert set(np.unique(found)) == {0, 2}
    # A line drawn between neighbours misses a sphere by 1 mm^2 / 8 / 7 mm along
    # each axis: .05 mm in all. Voxels further from the surface must be right.
    sure = np.abs(from_target - 7) > 0.06
    np.testing.assert_array_equal(found[sure], np.where(from_target < 7, 2, 0)[sure])
    assert sure.mean() > 0.95


def test_resampling_in_slabs_equals_the_whole(monkeypatch):
    source, target, from_source, _ = sphere_and_grids()
    probabilities = np.stack([from_source < 7, from_source > 9]).astype(np.float32)
    at_once = resample_to_scan([Part(probabilities, source)], target)

    # Three planes a slab, of 38 planes.
    monkeypatch.setattr(prediction, "SLAB_VOXELS", 3 * 25 * 47)
    in_slabs = resample_to_scan([Part(probabilities, source)], target)

    np.testing.assert_array_equal(in_slabs, at_once)


def test_scan_is_labelled_where_its_voxels_lie():
    # I -> inferior, J -> anterior, K -> right: the cube's grid has other axes.
    direction = [[0, 0, 1], [0, 1, 0], [-1, 0, 0]]
    grid = Grid((5, 6, 7), affine_from((0.5, 1.25, 3.0), (-70, 12, 800), direction))
    image = np.zeros(grid.shape, np.int16)
    image[1, 2:5, 3] = 200
    image[4, 5, 6] = 120
    found = predict_scan(Copier(), METADATA, image, grid)

    # .75 x is more than 1 - x above 4 / 7: at both.
    np.testing.assert_array_equal(found, image > 0)


@pytest.mark.parametrize("model", ["unet2d", "unet3d"])
def test_scan_larger_than_the_patch_is_predicted_in_patches(model):
    """To the bit as in tiles of the patch size; a network sees the whole tile."""

    class Centred(Copier):
        def predict_on_batch(self, batch):
            axes = tuple(range(1, batch.ndim))
            self.shapes.append(batch.shape)
            return 0.1 * super().predict_on_batch(batch - batch.mean(axes, keepdims=1))

    patch = (1, 6, 8) if model == "unet2d" else (4, 6, 8)
    image, extent = noise((9, 14, 11)), np.array([[0, 9], [3, 14], [1, 11]])
    metadata = replace(METADATA, model=model, patch_size=patch)
    networks = Centred(), Centred()

    found = [
        predict_image(network, image, extent, tile, num_classes=3)
        for network, tile in zip(
            networks, (patch, fit_tile(metadata, extent)), strict=True
        )
    ]

    np.testing.assert_array_equal(found[0], found[1])
    assert networks[0].shapes == networks[1].shapes


def test_small_scan_is_predicted_in_one_shape():
    copier = Copier()

    extent = np.array([[0, 9], [0, 3], [0, 5]])
    metadata = replace(METADATA, model="unet2d", patch_size=(1, 128, 128))
    tile = fit_tile(metadata, extent)
    predict_image(copier, noise((9, 3, 5)), extent, tile, num_classes=3)

    # 3 and 5 voxels with 16 on each side, the last rounded up to an even number;
    # the nine tiles in one call, and none empty.
    assert copier.shapes == [(9, 35, 38, 1)]


def test_classes_become_the_values_of_their_segments():
    segments = [Segment(300, "S1", GRAY), Segment(20, "L1", GRAY)]

    values = label_values(np.array([[0, 2, 1], [1, 0, 2]], np.uint8), segments)

    assert values.dtype == np.uint16
    assert values.tolist() == [[0, 20, 300], [300, 0, 20]]


def test_values_of_a_byte_are_stored_in_one():
    values = label_values(np.ones((2, 1), np.uint8), [Segment(255, "L1", GRAY)])

    assert values.dtype == np.uint8
    assert values.tolist() == [[255], [255]]


def test_memory_of_resampling_is_freed_before_predicting(monkeypatch):
    monkeypatch.setattr(prediction, "VOXELS_PER_CALL", 8**3)
    grid = Grid((120, 120, 100), affine_from((0.5, 0.5, 0.5)))
    image = np.zeros(grid.shape, np.int16)
    metadata = replace(METADATA, spacing=(2.0, 2.0, 2.0), patch_size=(8, 8, 8))
    held = []

    class Watcher(Copier):
        def predict_on_batch(self, batch):
            held.append(tracemalloc.get_traced_memory()[0])
            return super().predict_on_batch(batch)

    predict_scan(Copier(), metadata, image, grid)  # compiles
    tracemalloc.start()
    predict_scan(Watcher(), metadata, image, grid)
    tracemalloc.stop()

    # The grid is 64 times coarser; the smoothed scan has 4 bytes for each voxel.
    assert max(held) < image.size
