from dataclasses import replace

import numpy as np
import pytest
from support.scans import GRID

from augment.compose import Compose, compose_default, coordinate_map
from augment.spatial import Elastic, Rotation, smallest_jacobian
from cube.rows import CubeSpec, PreparedCase, make_row
from system.errors import DataError
from volumes.geometry import Grid, affine_from

CLASSES = np.zeros(65536, np.uint8)
CLASSES[[20, 21, 300]] = 1, 2, 2


def chain_of(**transforms):
    names = ("rotation", "rescaling", "elastic", "flip", "blur", "gamma", "noise")
    return compose_default(**{**dict.fromkeys(names), **transforms})


def make_spec(**changes):
    spec = CubeSpec(
        spacing=(3.0, 1.5, 1.5),
        shape=(8, 16, 16),
        intensity=("zscore",),
        compose=compose_default(),
        seed=0,
    )
    return replace(spec, **changes)


def prepare_case(spec=None, label=None):
    image = np.random.default_rng(0).integers(0, 900, GRID.shape).astype(np.int16)
    if label is None:
        label = np.zeros(GRID.shape, np.uint16)
        label[2:6, 3:8, 2:4] = 20
        label[6:9, 3:8, 2:4] = 21
        label[9:12, 3:8, 2:4] = 300
        label[12:, 3:8, 2:4] = 7  # in no class
    return PreparedCase(image, label, GRID, spec or make_spec(), CLASSES)


def row_of(case, copy=0, case_id="ann"):
    return make_row(
        case, case_id=case_id, subject="anna", split="train", source={}, copy=copy
    )


def assert_same(first, second):
    for name in ("image", "label", "extent", "affine"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
    assert first.drawn == second.drawn


def test_same_case_copy_and_seed_give_the_same_row_in_any_order():
    case = prepare_case()
    first = [row_of(case, copy) for copy in (0, 1, 2)]

    other = prepare_case()
    again = [row_of(other, copy) for copy in (2, 0, 1)]

    for row, index in zip(again, (2, 0, 1), strict=True):
        assert_same(row, first[index])


def test_inputs_are_left_as_they_are():
    case, clean = prepare_case(), prepare_case()

    row_of(case, 1)

    np.testing.assert_array_equal(case.image, clean.image)
    np.testing.assert_array_equal(case.label, clean.label)


def test_copy_0_is_the_scan_without_augmentation():
    bare = make_spec(compose=chain_of())

    row = row_of(prepare_case(), 0)

    assert row.drawn == {}
    assert_same(row, row_of(prepare_case(bare), 0))
    # Without a transform a copy, too, is the scan itself.
    assert_same(row, row_of(prepare_case(bare), 3))


def test_scan_at_its_own_spacing_is_only_normalised_and_reoriented():
    spec = make_spec(spacing=(3.0, 1.1, 0.9), shape=(6, 11, 14))
    case = prepare_case(spec)

    row = row_of(case)

    # Right, anterior, superior are K, J and I backwards.
    turned = np.flip(case.image.transpose(2, 1, 0), 2).astype(np.float32)
    label = np.flip(case.label.transpose(2, 1, 0), 2)
    expected = (
        np.clip(turned, case.intensity.low, case.intensity.high) - case.intensity.center
    ) / case.intensity.scale
    np.testing.assert_allclose(row.image, expected, atol=2e-3)  # float16 near 2
    np.testing.assert_array_equal(row.label, CLASSES[label])
    np.testing.assert_array_equal(row.extent, [[0, 6], [0, 11], [0, 14]])


@pytest.mark.parametrize(
    "change", [{"copy": 2}, {"case_id": "ben"}, {"seed": 1}], ids=str
)
def test_another_copy_case_or_seed_gives_other_draws(change):
    case = prepare_case(make_spec(seed=change.get("seed", 0)))

    first = row_of(prepare_case(), 1)
    second = row_of(case, change.get("copy", 1), change.get("case_id", "ann"))

    assert first.drawn != second.drawn
    assert np.abs(first.image - second.image).max() > 0.1


def test_label_map_does_not_enter_the_image():
    nothing = np.zeros(GRID.shape, np.uint16)

    for copy in (0, 1):
        with_label = row_of(prepare_case(), copy)
        without = row_of(prepare_case(label=nothing), copy)

        np.testing.assert_array_equal(with_label.image, without.image)
        assert set(np.unique(with_label.label)) == {0, 1, 2}
        assert not without.label.any()


@pytest.mark.parametrize("copy", [0, 1, 2])
def test_padding_is_background_everywhere(copy):
    # Without bending, which the extent does not follow.
    case = prepare_case(
        make_spec(shape=(16, 32, 32), compose=compose_default(elastic=None))
    )

    row = row_of(case, copy)

    outside = np.ones(row.image.shape, bool)
    outside[tuple(slice(*ends) for ends in row.extent)] = False
    intensity = case.intensity
    background = np.float16((intensity.low - intensity.center) / intensity.scale)
    assert 0.3 < outside.mean() < 1
    np.testing.assert_allclose(row.image[outside], background, atol=1e-3)
    assert len(np.unique(row.image[outside])) == 1
    assert not row.label[outside].any()


def test_label_of_a_copy_lies_where_its_affine_says():
    label = np.zeros(GRID.shape, np.uint16)
    label[1:4, 7:10, 4:6] = 20  # far from the centre
    spec = make_spec(
        shape=(16, 32, 32),
        spacing=(1.5, 1.0, 0.9),
        compose=chain_of(flip=1.0, rotation=40.0, rescaling=(0.8, 0.9)),
    )

    row = row_of(prepare_case(spec, label), 1)

    expected = GRID.to_world(np.argwhere(label)).mean(axis=0)
    grid = Grid(row.label.shape, row.affine)
    found = grid.to_world(np.argwhere(row.label)).mean(axis=0)
    np.testing.assert_allclose(found, expected, atol=0.3)  # a third of a voxel
    assert np.linalg.det(row.affine) < 0  # mirrored


def test_noise_changes_the_filled_part_of_the_image_alone():
    case = prepare_case(make_spec(shape=(16, 32, 32), compose=chain_of(noise=0.5)))

    plain, noisy = row_of(case, 0), row_of(case, 1)

    change = noisy.image.astype(float) - plain.image
    box = tuple(slice(*ends) for ends in plain.extent)
    # Four deviations of a spread, std / sqrt(2 n); float16 adds next to nothing.
    std = noisy.drawn["noise"]["std"]
    count = change[box].size
    assert change[box].std() == pytest.approx(std, abs=4 * std / (2 * count) ** 0.5)
    change[box] = 0
    assert not change.any()
    np.testing.assert_array_equal(noisy.label, plain.label)


def test_types_are_those_of_the_cube():
    row = row_of(prepare_case(), 1)

    assert row.image.dtype == np.float16
    assert row.label.dtype == np.uint8
    assert row.image.shape == row.label.shape == (8, 16, 16)
    assert np.isfinite(row.image).all()


def test_scan_thinner_than_a_voxel_of_the_cube_is_refused():
    # One slice of 1 mm about the origin; the cube's two lie at -2 and 2 mm.
    grid = Grid((1, 6, 5), affine_from((1.0, 1.0, 1.0)))
    spec = CubeSpec(
        (4.0, 1.0, 1.0),
        (2, 6, 5),
        ("zscore",),
        Compose([]),
        0,
    )
    image = np.arange(30, dtype=np.float32).reshape(1, 6, 5)
    case = PreparedCase(image, np.zeros((1, 6, 5), np.uint8), grid, spec, CLASSES)

    with pytest.raises(DataError, match="'thin' must be thicker than a voxel"):
        make_row(case, case_id="thin", subject="s", split="train", source={}, copy=0)


def test_row_reports_the_smallest_jacobian_of_its_deformation():
    chain = Compose([Rotation(9), Elastic(3.2, control_spacing=8)])
    spec = make_spec(spacing=(1.5, 1.0, 2.0), shape=(8, 12, 10), compose=chain)
    case = prepare_case(spec)

    for copy in (1, 2, 3):
        drawn = row_of(case, copy).drawn

        control = coordinate_map(drawn, spec.shape, spec.spacing).control
        expected = smallest_jacobian(control, spec.shape, spec.spacing)
        assert drawn["elastic"]["smallest_jacobian"] == round(expected, 3)
        assert 0 < expected < 1
