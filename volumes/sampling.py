"""The interpolation kernel of `volumes.warp`, which documents what it computes.

The output is computed in tiles of rows, so that the input of neighbouring rows stays
in the cache. For each row, all positions are computed first, in vectorised loops; then
the image is interpolated, then the label map.
"""

from __future__ import annotations

import numba
import numpy as np
from llvmlite import ir
from numba.extending import intrinsic

from system.compiled import compiled

# numba passes the first argument of an intrinsic itself.
# pyright: reportCallIssue=false

# Half a voxel beyond the outermost centres, plus a margin for rounding.
BORDER = 0.5 + 1e-6
# Rounding error of an index that should be an integer.
ROUNDING = 1e-9
AHEAD = 24  # voxels to prefetch ahead, about the latency of memory
MARK = np.uint8(255)
TILE = 16  # rows of the output along either axis


@intrinsic
def _prefetch(typing_context, array, index):
    """Prefetch the cache line of `array[index]`."""

    def codegen(context, builder, signature, arguments):
        data = context.make_array(signature.args[0])(context, builder, arguments[0])
        address = builder.gep(data.data, [arguments[1]])
        address = builder.bitcast(address, ir.IntType(8).as_pointer())
        flag = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [address.type, flag, flag, flag])
        name = builder.module.declare_intrinsic("llvm.prefetch", [address.type], kind)
        # For reading, into all levels of the data cache.
        builder.call(name, [address, flag(0), flag(3), flag(1)])
        return context.get_dummy_value()

    return numba.void(array, index), codegen


@compiled
def mark_borders(label, out):
    """Copy a label map, with `MARK` where a cell of eight voxels has several classes.

    Most cells have one class, which `sample` then reads with a single access. A cell
    of the class `MARK` itself is handled as if it had several.
    """
    sides = label.shape
    for i in numba.prange(sides[0]):
        next_i = min(i + 1, sides[0] - 1)
        for j in range(sides[1]):
            next_j = min(j + 1, sides[1] - 1)
            a, b = label[i, j], label[i, next_j]
            c, d = label[next_i, j], label[next_i, next_j]
            line = out[i, j]
            last = sides[2] - 1
            for k in range(last):
                same = (
                    (a[k] == a[k + 1])
                    & (a[k] == b[k])
                    & (a[k] == b[k + 1])
                    & (a[k] == c[k])
                    & (a[k] == c[k + 1])
                    & (a[k] == d[k])
                    & (a[k] == d[k + 1])
                )
                line[k] = a[k] if same else MARK
            same = (a[last] == b[last]) & (a[last] == c[last]) & (a[last] == d[last])
            line[last] = a[last] if same else MARK


@numba.njit(inline="always")
def _cubic(line, base):
    """Return the polynomial coefficients of a B-spline between two control points."""
    a, b, c, d = line[base], line[base + 1], line[base + 2], line[base + 3]
    return (
        (a + 4 * b + c) / 6,
        (c - a) / 2,
        (a - 2 * b + c) / 2,
        (d - a + 3 * (b - c)) / 6,
    )


@numba.njit(fastmath=True)
def _compute_positions(i, j, matrix, line, knots, axis_spline, x, y, z):
    """Compute the input positions of a row of the output."""
    index, fraction, bases = axis_spline
    x0 = matrix[0, 0] * i + matrix[0, 1] * j + matrix[0, 3]
    y0 = matrix[1, 0] * i + matrix[1, 1] * j + matrix[1, 3]
    z0 = matrix[2, 0] * i + matrix[2, 1] * j + matrix[2, 3]
    for k in range(x.size):
        x[k] = x0 + matrix[0, 2] * index[k]
        y[k] = y0 + matrix[1, 2] * index[k]
        z[k] = z0 + matrix[2, 2] * index[k]
    for part in range(knots.size - 1):
        base = bases[knots[part]]
        xa, xb, xc, xd = _cubic(line[0], base)
        ya, yb, yc, yd = _cubic(line[1], base)
        za, zb, zc, zd = _cubic(line[2], base)
        for k in range(knots[part], knots[part + 1]):
            t = fraction[k]
            x[k] += xa + t * (xb + t * (xc + t * xd))
            y[k] += ya + t * (yb + t * (yc + t * yd))
            z[k] += za + t * (zb + t * (zc + t * zd))


@numba.njit(fastmath=True)
def _split_positions(sides, x, y, z, corner, u, v, w, inside):
    """Split positions into the first of eight voxels and a fraction from 0 to 1."""
    for k in range(x.size):
        inside[k] = (
            (x[k] >= -BORDER)
            & (y[k] >= -BORDER)
            & (z[k] >= -BORDER)
            & (x[k] <= sides[0] - 1 + BORDER)
            & (y[k] <= sides[1] - 1 + BORDER)
            & (z[k] <= sides[2] - 1 + BORDER)
        )
        # The last voxel is the one before it with a fraction of 1.
        x1 = min(max(x[k], 0.0), sides[0] - 1.0)
        y1 = min(max(y[k], 0.0), sides[1] - 1.0)
        z1 = min(max(z[k], 0.0), sides[2] - 1.0)
        x0 = max(min(np.floor(x1 + ROUNDING), sides[0] - 2.0), 0.0)
        y0 = max(min(np.floor(y1 + ROUNDING), sides[1] - 2.0), 0.0)
        z0 = max(min(np.floor(z1 + ROUNDING), sides[2] - 2.0), 0.0)
        u[k], v[k], w[k] = x1 - x0, y1 - y0, z1 - z0
        corner[k] = np.uint64((x0 * sides[1] + y0) * sides[2] + z0)


# Without reassociation, so that a fraction of 1 gives the second voxel exactly.
@numba.njit(fastmath={"contract"})
def _interpolate_image(voxels, steps, corner, u, v, w, inside, background, out):
    """Interpolate a row of the image trilinearly."""
    step_x, step_y, step_z = steps
    for k in range(out.size):
        ahead = corner[min(k + AHEAD, out.size - 1)]
        _prefetch(voxels, ahead)
        _prefetch(voxels, ahead + step_y)
        _prefetch(voxels, ahead + step_x)
        _prefetch(voxels, ahead + step_x + step_y)
        if not inside[k]:
            out[k] = background
            continue
        a = corner[k]
        b = a + step_y
        c, d = a + step_x, b + step_x
        near, far = np.float32(1) - w[k], w[k]
        ab = near * np.float32(voxels[a]) + far * np.float32(voxels[a + step_z])
        cd = near * np.float32(voxels[b]) + far * np.float32(voxels[b + step_z])
        ef = near * np.float32(voxels[c]) + far * np.float32(voxels[c + step_z])
        gh = near * np.float32(voxels[d]) + far * np.float32(voxels[d + step_z])
        ab = (np.float32(1) - v[k]) * ab + v[k] * cd
        ef = (np.float32(1) - v[k]) * ef + v[k] * gh
        out[k] = (np.float32(1) - u[k]) * ab + u[k] * ef


@numba.njit(inline="always")
def _majority_class(labels, steps, a, u, v, w):
    """Return the class with the largest trilinear weight; ties go to the first."""
    step_x, step_y, step_z = steps
    b = a + step_y
    c, d = a + step_x, b + step_x
    found = (
        labels[a],
        labels[a + step_z],
        labels[b],
        labels[b + step_z],
        labels[c],
        labels[c + step_z],
        labels[d],
        labels[d + step_z],
    )
    u, v, w = np.float64(u), np.float64(v), np.float64(w)
    shares = (
        (1 - u) * (1 - v) * (1 - w),
        (1 - u) * (1 - v) * w,
        (1 - u) * v * (1 - w),
        (1 - u) * v * w,
        u * (1 - v) * (1 - w),
        u * (1 - v) * w,
        u * v * (1 - w),
        u * v * w,
    )
    winner, largest = found[0], -1.0
    for corner in range(8):
        if corner > 0 and found[corner] == found[0]:
            continue
        total = 0.0
        for other in range(8):
            if found[other] == found[corner]:
                total += shares[other]
        if total > largest + 1e-12:
            winner, largest = found[corner], total
        if total > 0.5 + 1e-12:
            break
    return winner


@numba.njit
def _interpolate_labels(labels, marked, steps, corner, u, v, w, inside, out):
    """Compute the class of each voxel of a row of the label map."""
    for k in range(out.size):
        _prefetch(marked, corner[min(k + AHEAD, out.size - 1)])
        label = marked[corner[k]]
        if not inside[k]:
            out[k] = 0
        elif label != MARK:
            out[k] = label
        else:
            out[k] = _majority_class(labels, steps, corner[k], u[k], v[k], w[k])


@numba.njit(fastmath=True)
def _sum_layers(values, base, weights, out):
    """Sum four weighted layers of control points along the second axis into `out`."""
    out[:] = 0.0
    for tap in range(4):
        for axis in range(3):
            for b in range(out.shape[1]):
                for c in range(out.shape[2]):
                    out[axis, b, c] += weights[tap] * values[axis, base + tap, b, c]


@numba.njit
def _steps_of(sides):
    """Compute the steps to the next voxel along each axis; 0 along one of one voxel."""
    return (
        np.uint64(sides[1] * sides[2] if sides[0] > 1 else 0),
        np.uint64(sides[2] if sides[1] > 1 else 0),
        np.uint64(1 if sides[2] > 1 else 0),
    )


@compiled
def sample(
    image, label, marked, matrix, spline, rows, background, image_out, label_out
):
    """Fill `image_out` and `label_out`; an empty `label` stands for none.

    Args:
        image: Shape (I, J, K), C order.
        label: Classes, uint8, of the same shape and order, or of size 0.
        marked: `label` after `mark_borders`.
        matrix: Output index to input index, shape (3, 4).
        spline: Displacement of the control points in input voxels, shape
            (3, A, B, C), of size 0 for none; first control point of each output
            voxel along each axis; its four weights.
        rows: Along the output's last axis: the index of each voxel; its position
            between control points, 0 to 1; and where runs of voxels between the
            same control points begin and end, empty for no displacement.
        background: Intensity outside the image.
        image_out: The image to fill, float32.
        label_out: The label map to fill, uint8.
    """
    values, bases, weights = spline
    index, fraction, knots = rows
    is_elastic = values.size > 0
    sides = image.shape
    voxels, labels, marks = image.reshape(-1), label.reshape(-1), marked.reshape(-1)
    steps = _steps_of(sides)
    num_i, num_j, length = image_out.shape
    across = (num_j + TILE - 1) // TILE
    for tile in numba.prange((num_i + TILE - 1) // TILE * across):
        sheet = np.zeros((3, values.shape[2], values.shape[3]))
        line = np.zeros((3, 1, values.shape[3]))
        x, y, z = np.empty(length), np.empty(length), np.empty(length)
        u = np.empty(length, np.float32)
        v, w = np.empty_like(u), np.empty_like(u)
        corner = np.empty(length, np.uint64)
        inside = np.empty(length, np.bool_)
        first_i, first_j = tile // across * TILE, tile % across * TILE
        for i in range(first_i, min(first_i + TILE, num_i)):
            if is_elastic:
                _sum_layers(values, bases[0, i], weights[0, i], sheet)
            for j in range(first_j, min(first_j + TILE, num_j)):
                if is_elastic:
                    layers = sheet.reshape(3, sheet.shape[1], 1, sheet.shape[2])
                    _sum_layers(layers, bases[1, j], weights[1, j], line)
                axis_spline = (index, fraction, bases[2])
                _compute_positions(
                    i, j, matrix, line[:, 0], knots, axis_spline, x, y, z
                )
                _split_positions(sides, x, y, z, corner, u, v, w, inside)
                _interpolate_image(
                    voxels, steps, corner, u, v, w, inside, background, image_out[i, j]
                )
                if labels.size > 0:
                    _interpolate_labels(
                        labels, marks, steps, corner, u, v, w, inside, label_out[i, j]
                    )
