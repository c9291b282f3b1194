import time

import numpy as np
import pytest
from support.vertebra_bodies import leaning
from support.vertebra_shapes import oblique_grid, paint_parts

from phantom.anatomy import build_spine
from spine.angles import CORONAL, SAGITTAL, angle_between, distance_between
from spine.curve import fit_curve
from spine.measures import measure_vertebrae
from volumes.geometry import Grid, affine_from

PARTS = build_spine(6, np.random.default_rng(4)).vertebrae[1:4]  # L4, L3, L2
VALUES = [part.value for part in PARTS]


def painted(spacing, angles, *, with_arch=True, half=(46, 62, 62), behind=16.0):
    """Return a label map of three vertebrae on an oblique grid, and the grid."""
    centre = PARTS[1].centre - (0, behind, 0)
    grid = oblique_grid(centre, spacing, angles, half=half, permute=(2, 0, 1))
    return paint_parts(grid, PARTS, with_arch=with_arch), grid


@pytest.mark.parametrize("with_arch", [True, False])
@pytest.mark.parametrize(
    ("spacing", "angles"), [((3.5, 0.9, 0.9), (5, -4, 6)), ((1.2, 1.2, 2), (-9, 5, 4))]
)
def test_phantom_is_measured_as_made(spacing, angles, with_arch):
    label_map, grid = painted(spacing, angles, with_arch=with_arch)

    vertebrae = measure_vertebrae(label_map, grid, VALUES)

    bodies = [vertebra.body for vertebra in vertebrae]
    shares = (0.85, 0.5, 0.15)
    heights = [[part.height_at(share) for share in shares] for part in PARTS]
    assert [body.has_arch for body in bodies] == [with_arch] * 3
    assert np.abs(np.subtract([b.heights for b in bodies], heights)).mean() < 0.5
    assert np.mean([abs(body.wedge_sagittal) for body in bodies]) < 1.5
    assert np.mean([abs(body.wedge_coronal) for body in bodies]) < 1.0
    for below in (0, 1):
        pair = bodies[below : below + 2]
        first, second = PARTS[below : below + 2]
        distance = np.linalg.norm(second.centre - first.centre)
        assert distance_between(*pair) == pytest.approx(distance, abs=0.3)
        (_, x, y), (_, p, q) = (
            np.degrees(np.arctan2(part.frame[:3, 2], part.frame[2, 2]))[[2, 0, 1]]
            for part in (first, second)
        )
        assert angle_between(*pair, CORONAL) == pytest.approx(x - p, abs=1.5)
        assert angle_between(*pair, SAGITTAL) == pytest.approx(y - q, abs=1.5)


def test_a_rotated_vertebra_is_measured_along_its_own_axes():
    spin = np.radians(25)  # about its own axis, as in a scoliosis
    turned = np.eye(4)
    turned[:2, :2] = [[np.cos(spin), -np.sin(spin)], [np.sin(spin), np.cos(spin)]]
    part = type(PARTS[0])(24, turned, 46, 33, 27)
    grid = oblique_grid((0, -18, 0), (1.5, 1.5, 1.5), (0, 0, 0), half=(60, 60, 40))
    label_map = paint_parts(grid, [part], with_arch=True)

    body = measure_vertebrae(label_map, grid, [24])[0].body

    np.testing.assert_allclose(body.frame.axes[:, 1], turned[:3, 1], atol=0.06)
    assert body.depth == pytest.approx(0.91 * 33, abs=0.8)


@pytest.mark.parametrize(("lean", "is_measured"), [(59, True), (61, False)])
def test_a_body_that_leans_above_60_degrees_from_the_spine_is_not_measured(
    monkeypatch, lean, is_measured
):
    monkeypatch.setattr("spine.measures.measure_body", lambda *_: leaning(lean))
    label_map = np.zeros((40, 40, 40), np.uint8)
    label_map[5:35, 5:35, 10:30] = 1
    grid = Grid(label_map.shape, affine_from((1, 1, 1)))
    curve = fit_curve(np.array([[20, 20, 0], [20, 20, 40.0]]), 0.0)

    (vertebra,) = measure_vertebrae(label_map, grid, [1], curve=curve)

    assert (vertebra.body is not None) == is_measured
    note = "not measured: its end plates do not lie across the spine"
    assert vertebra.note == ("" if is_measured else note)


def test_border_blanks_what_it_cuts():
    # The arch of each vertebra is cut at the back; L2 at its top as well.
    label_map, grid = painted((2, 1, 1), (0, 0, 0), half=(46, 37, 45), behind=8.0)

    vertebrae = measure_vertebrae(label_map, grid, VALUES)

    assert [vertebra.touches_border for vertebra in vertebrae] == [True] * 3
    assert [vertebra.volume_ml for vertebra in vertebrae] == [None] * 3
    assert vertebrae[1].body is not None
    assert vertebrae[2].body is None
    assert "border cuts the body" in vertebrae[2].note


@pytest.mark.parametrize("axis", range(3))
@pytest.mark.parametrize("end", [0, -1])
def test_each_side_of_the_scan_is_a_border(axis, end):
    grid = Grid((12, 14, 16), affine_from((1, 2, 3)))
    label_map = np.zeros(grid.shape, np.uint8)
    label_map[4:8, 5:9, 6:10] = 1
    assert not measure_vertebrae(label_map, grid, [1])[0].touches_border

    np.moveaxis(label_map, axis, 0)[end, 6, 7] = 1

    assert measure_vertebrae(label_map, grid, [1])[0].touches_border


def test_volume_and_centroid_are_those_of_all_voxels():
    grid = Grid((30, 40, 20), affine_from((1, 2, 3), (5, 6, 7)))
    label_map = np.zeros(grid.shape, np.uint16)
    label_map[2:12, 5:15, 4:9] = 500

    (vertebra,) = measure_vertebrae(label_map, grid, [500])

    assert vertebra.volume_ml == pytest.approx(10 * 10 * 5 * 6 / 1000)
    np.testing.assert_allclose(vertebra.centroid, (5 + 6.5, 6 + 2 * 9.5, 7 + 3 * 6))


def test_partial_vertebra_keeps_only_its_centroid():
    label_map, grid = painted((3, 1.5, 1.5), (0, 0, 0))

    vertebrae = measure_vertebrae(label_map, grid, VALUES, partial=[VALUES[0]])

    first = vertebrae[0]
    assert (first.partial, first.body, first.volume_ml) == (True, None, None)
    assert first.note == "not measured: partial"
    assert vertebrae[1].body is not None


def hostile():
    shape = (60, 50, 70)
    maps = {name: np.zeros(shape, np.uint8) for name in ("empty", "voxel", "plate")}
    maps["voxel"][30, 20, 40] = 1
    maps["plate"][10:50, 10:40, 35] = 1
    maps["all"] = np.ones(shape, np.uint8)
    maps["dust"] = (np.random.default_rng(0).random(shape) < 0.02).astype(np.uint8)
    maps["slice"] = np.ones((60, 1, 70), np.uint8)
    return maps


@pytest.mark.parametrize("name", hostile())
@pytest.mark.parametrize("spacing", [(1, 1, 1), (5, 0.9, 0.9)])
def test_hostile_label_maps_are_blank_in_little_time(name, spacing):
    label_map = hostile()[name]
    start = time.perf_counter()

    vertebrae = measure_vertebrae(
        label_map, Grid(label_map.shape, affine_from(spacing)), [1]
    )

    assert time.perf_counter() - start < 5
    assert len(vertebrae) == (name != "empty")
    for vertebra in vertebrae:
        assert vertebra.body is None
        assert vertebra.note.startswith("not measured: ")
        assert np.isfinite(vertebra.centroid).all()
