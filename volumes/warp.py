"""Sampling a scan and its label map along a coordinate map.

Each output voxel `o` reads the input at the fractional index

    x = matrix @ (o, 1) + sum_lmn w_l w_m w_n control[:, a + l, b + m, c + n]

where the sum, if any, is a cubic B-spline displacement on a coarse control grid
over the output (Rueckert et al., 1999, https://doi.org/10.1109/42.796284,
equation 1). The image is interpolated trilinearly; the label map takes the class
with the largest trilinear weight among the eight neighbours, so its outline follows
the structure between the voxels (Dice with the true shape of an oblique plate of
3 mm: 0.93; with nearest-neighbour sampling: 0.90). Voxel borders belong to the scan:
an index in [-0.5, n - 0.5] is inside and clamped to the outermost centres; anything
beyond is background.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from volumes.sampling import mark_borders, sample


@dataclass(frozen=True)
class ControlGrid:
    """A displacement on a coarse grid over the output volume.

    Args:
        values: Displacement at each control point, shape (3, A, B, C), in mm in a
            `CoordinateMap`, in input voxels in `warp`.
        step: Control points per output voxel along each axis; the first output
            voxel lies on control point 1, because the spline reaches one point to
            either side.
    """

    values: npt.NDArray[np.float64]
    step: tuple[float, float, float]


def spline_taps(
    position: npt.NDArray[np.floating],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Compute the first control point, weights and slopes of each position.

    Args:
        position: In control spacings from control point 1, shape (n,), 0 or more.

    Returns:
        First control points, shape (n,); cubic B-spline weights, shape (n, 4),
        rows summing to 1; and their derivatives, shape (n, 4), rows summing to 0.
    """
    base = np.floor(position).astype(np.int64)
    t = position - base
    weights = [
        (1 - t) ** 3,
        3 * t**3 - 6 * t**2 + 4,
        -3 * t**3 + 3 * t**2 + 3 * t + 1,
        t**3,
    ]
    slopes = [
        -3 * (1 - t) ** 2,
        9 * t**2 - 12 * t,
        -9 * t**2 + 6 * t + 3,
        3 * t**2,
    ]
    return base, np.stack(weights, axis=1) / 6, np.stack(slopes, axis=1) / 6


def spline_matrices(
    position: npt.NDArray[np.float64],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Build the matrices of `spline_taps` that act on a row of control points.

    Returns:
        Weights and slopes, shape (n, number of control points) each.
    """
    base, weights, slopes = spline_taps(position)
    matrices = np.zeros((2, len(position), int(base.max()) + 4))
    for tap in range(4):
        rows = np.arange(len(position))
        matrices[0, rows, base + tap] = weights[:, tap]
        matrices[1, rows, base + tap] = slopes[:, tap]
    return matrices[0], matrices[1]


def warp(
    image: np.ndarray,
    label: np.ndarray | None,
    matrix: npt.NDArray[np.float64],
    shape: tuple[int, int, int],
    *,
    background: float = 0.0,
    control: ControlGrid | None = None,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint8]]:
    """Sample an image and its label map.

    Args:
        image: Any real type, shape (I, J, K), in C or Fortran order.
        label: Classes, unsigned integers up to 255, of the same shape; or None.
        matrix: Output index to input index, shape (3, 4).
        shape: Shape of the output.
        background: Intensity outside the scan.
        control: Displacement in input voxels, added to the affine index.

    Returns:
        The image and the label map on the output grid; without `label`, the
        second has shape (0, 0, 0).

    Raises:
        ValueError: If a class is above 255.
    """
    classes = _to_bytes(np.empty((0, 0, 0), np.uint8) if label is None else label)
    values = np.empty((3, 0, 0, 0)) if control is None else control.values
    if image.flags.f_contiguous and not image.flags.c_contiguous:
        image, classes = image.T, classes.T  # in C order
        matrix, values = matrix[::-1], values[::-1]
    bases, weights, rows = _place_controls(shape, control)
    image_out = np.empty(shape, np.float32)
    label_out = np.empty(shape if classes.size else (0, 0, 0), np.uint8)
    classes = np.ascontiguousarray(classes)
    marked = np.empty_like(classes)
    if classes.size:
        mark_borders(classes, marked)
    sample(
        np.ascontiguousarray(image),
        classes,
        marked,
        np.ascontiguousarray(matrix, dtype=np.float64),
        (np.ascontiguousarray(values, dtype=np.float64), bases, weights),
        rows,
        np.float32(background),
        image_out,
        label_out,
    )
    return image_out, label_out


def _to_bytes(classes: np.ndarray) -> npt.NDArray[np.uint8]:
    """Return classes as uint8; raise ValueError if one is above 255."""
    if classes.dtype == np.uint8:
        return classes
    if classes.size and classes.max() > 255:
        raise ValueError(f"Classes must be below 256. Received: {classes.max()}")
    return classes.astype(np.uint8)


def _place_controls(
    shape: tuple[int, int, int], control: ControlGrid | None
) -> tuple[np.ndarray, np.ndarray, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Return what `sample` takes of control points: their `spline` and its `rows`."""
    bases = np.zeros((3, max(shape)), np.int64)
    weights = np.zeros((3, max(shape), 4))
    index = np.arange(shape[2], dtype=np.float64)
    if control is None:
        return bases, weights, (index, np.zeros(shape[2]), np.zeros(0, np.int64))
    for axis, side in enumerate(shape):
        base, weight, _ = spline_taps(np.arange(side) * control.step[axis])
        bases[axis, :side], weights[axis, :side] = base, weight
    along = bases[2, : shape[2]]
    knots = np.flatnonzero(np.diff(along, prepend=-1, append=-1))
    return bases, weights, (index, index * control.step[2] - along, knots)
