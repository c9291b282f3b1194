import numpy as np
import pytest
from scipy.ndimage import map_coordinates
from support.splines import dense_displacement, shift

from volumes.warp import ControlGrid, spline_taps, warp

SHAPE = (5, 6, 9)
IDENTITY = np.eye(3, 4)


def make_scan(dtype=np.float32, order="C"):
    rng = np.random.default_rng(7)
    image = rng.integers(-900, 900, SHAPE).astype(dtype, order=order)
    label = rng.integers(0, 4, SHAPE).astype(np.uint8, order=order)
    return image, label


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [np.int16, np.float32])
def test_identity_returns_every_voxel_exactly(dtype, order):
    image, label = make_scan(dtype, order)

    out, seg = warp(image, label, IDENTITY, SHAPE)

    np.testing.assert_array_equal(out, image)
    np.testing.assert_array_equal(seg, label)
    assert (out.dtype, seg.dtype) == (np.float32, np.uint8)


def test_fractions_of_a_voxel_are_weighed_by_hand():
    image = np.zeros((2, 3, 4), np.float32)
    image[1, 2, 3] = 64

    out, _ = warp(image, None, shift(0.25, 1.5, 2.75), (1, 1, 1))

    # 64 * 0.25 * 0.5 * 0.75.
    assert out.item() == 6


def test_outside_of_the_scan_is_background_and_class_0():
    image, label = make_scan()
    label += 1

    out, seg = warp(image, label, shift(0, 2, -3), SHAPE, background=-7)

    np.testing.assert_array_equal(out[:, :4, 3:], image[:, 2:, :6])
    np.testing.assert_array_equal(seg[:, :4, 3:], label[:, 2:, :6])
    out[:, :4, 3:], seg[:, :4, 3:] = -7, 0
    assert (out == -7).all()
    assert (seg == 0).all()


@pytest.mark.parametrize("label_order", ["C", "F"])
@pytest.mark.parametrize("image_order", ["C", "F"])
def test_memory_order_does_not_matter(image_order, label_order):
    image, label = make_scan()
    rng = np.random.default_rng(1)
    matrix = np.eye(3, 4) + rng.uniform(-0.2, 0.2, (3, 4))
    values = rng.uniform(-1.5, 1.5, (3, 5, 5, 6))
    control = ControlGrid(values, (0.3, 0.25, 0.3))
    expected = warp(image, label, matrix, (6, 5, 7), control=control)

    found = warp(
        image.copy(order=image_order),
        label.copy(order=label_order),
        matrix,
        (6, 5, 7),
        control=control,
    )

    np.testing.assert_allclose(found[0], expected[0], atol=1e-3)  # of 1800
    np.testing.assert_array_equal(found[1], expected[1])


def test_slice_of_a_larger_array_is_read_as_it_stands():
    image, label = make_scan()

    out, seg = warp(image[::2, :, ::-1], label[::2, :, ::-1], IDENTITY, (3, 6, 9))

    np.testing.assert_array_equal(out, image[::2, :, ::-1])
    np.testing.assert_array_equal(seg, label[::2, :, ::-1])


def test_image_alone_gets_an_empty_label_map():
    out, seg = warp(make_scan()[0], None, IDENTITY, SHAPE)

    assert out.shape == SHAPE
    assert seg.shape == (0, 0, 0)


def test_inputs_are_left_as_they_are():
    image, label = make_scan()
    before = image.copy(), label.copy()

    warp(image, label, shift(0.3, 0, 0), SHAPE)

    np.testing.assert_array_equal(image, before[0])
    np.testing.assert_array_equal(label, before[1])


def test_spline_weights_at_a_control_point_and_between():
    bases, weights, _ = spline_taps(np.arange(3) * 0.5)

    np.testing.assert_array_equal(bases, (0, 0, 1))
    # At a knot (1, 4, 1, 0) / 6; halfway (1, 23, 23, 1) / 48.
    np.testing.assert_allclose(weights[0], np.array([1, 4, 1, 0]) / 6)
    np.testing.assert_allclose(weights[1], np.array([1, 23, 23, 1]) / 48)
    np.testing.assert_allclose(weights[2], weights[0])


@pytest.mark.parametrize("step", [0.031, 0.27, 1.0, 1.7])
def test_spline_weights_sum_to_one_and_are_not_negative(step):
    _, weights, slopes = spline_taps(np.arange(41) * step)

    np.testing.assert_allclose(weights.sum(axis=1), 1)
    np.testing.assert_allclose(slopes.sum(axis=1), 0, atol=1e-12)
    assert weights.min() >= 0


def controls_for(shape, step):
    return tuple(int((n - 1) * s) + 4 for n, s in zip(shape, step, strict=True))


def test_zero_displacement_is_no_displacement():
    image, label = make_scan()
    step = (0.3, 0.45, 0.2)
    control = ControlGrid(np.zeros((3, *controls_for(SHAPE, step))), step)

    out, seg = warp(image, label, IDENTITY, SHAPE, control=control)

    np.testing.assert_array_equal(out, image)
    np.testing.assert_array_equal(seg, label)


def test_constant_displacement_is_a_shift():
    image, label = make_scan()
    step = (0.3, 0.45, 0.2)
    by = np.array([0.25, -0.75, 1.125])
    values = np.ones((3, *controls_for(SHAPE, step))) * by[:, None, None, None]

    out, seg = warp(
        image,
        label,
        IDENTITY,
        SHAPE,
        background=5,
        control=ControlGrid(values, step),
    )

    expected = warp(image, label, shift(*by), SHAPE, background=5)
    np.testing.assert_allclose(out, expected[0], atol=1e-3)  # of 1800
    np.testing.assert_array_equal(seg, expected[1])


def test_bending_equals_scipy_on_the_same_dense_displacement():
    rng = np.random.default_rng(3)
    i, j, k = np.indices((12, 15, 10))
    image = (40 * np.sin(i / 2) + 30 * np.cos(j / 3) + 5 * k).astype(np.float32)
    shape, step = (9, 14, 11), (0.31, 0.22, 0.4)
    control = ControlGrid(rng.uniform(-2, 2, (3, *controls_for(shape, step))), step)
    matrix = np.eye(3, 4) + rng.uniform(-0.15, 0.15, (3, 4))

    out, _ = warp(image, None, matrix, shape, background=-500, control=control)

    where = np.einsum("ab,b...->a...", matrix[:, :3], np.indices(shape))
    where += matrix[:, 3][:, None, None, None] + dense_displacement(control, shape)
    expected = map_coordinates(image, where, np.float64, order=1, mode="nearest")
    last = np.array(image.shape).reshape(3, 1, 1, 1) - 0.5
    outside = ((where < -0.5) | (where > last)).any(axis=0)
    assert 0.05 < outside.mean() < 0.6
    np.testing.assert_allclose(out, np.where(outside, -500, expected), atol=1e-3)


def test_class_above_255_is_refused():
    image = np.zeros((2, 3, 4), np.float32)
    label = np.full((2, 3, 4), 300, np.uint16)

    with pytest.raises(ValueError, match=r"below 256. Received: 300"):
        warp(image, label, np.eye(3, 4), (2, 3, 4))
