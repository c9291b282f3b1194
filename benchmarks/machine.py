"""Measure the limits of this machine: copying, and multiply-adds.

The bound of an operation is the time to copy its input to its output (each
voxel read once and written once) plus the time of its floating-point operations
at the machine's full rate: all threads, whole vectors, everything in registers.
No kernel that gathers voxels from eight places reaches this bound.

Operations a voxel, an addition and a multiplication counting one each:

    affine    39   coordinates 3 x 2 (the matrix by the step along a row),
                   fractions 3 x 2, seven linear interpolations 7 x 3, border 6
    elastic   63   as affine, and 4 taps x 3 axes x 2 along the row; what is
                   summed once a row does not count
    blur      42   3 axes x 7 taps x 2, a sigma of 1 voxel cut at three sigmas;
                   3 axes x (2 r + 1) x 2 in general
    noise     35   a logarithm of 15 and a cosine with its sine of 30 for two
                   voxels, and 3 x 2 for each to scale, add and take a root
    gamma     40   a logarithm and an exponential of 15 each, scaling of 10
    chain          elastic + blur + noise + gamma; the copy counts once

An exponential and a logarithm count as the polynomials they are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np

from benchmarks.timing import timed

TAPS = 16  # multiply-adds a figure in the rate's kernel
FLOPS = {"affine": 39, "elastic": 63, "noise": 35, "gamma": 40}


@numba.njit(parallel=True, fastmath=True)
def _copy(source, out):
    for voxel in numba.prange(source.size):
        out[voxel] = source[voxel]


@numba.njit(parallel=True, fastmath=True)
def _multiply_add(rounds, lanes, factor, out):
    """Evaluate a polynomial on values that stay in registers and the L1 cache."""
    for part in numba.prange(out.shape[0]):
        line = np.full(lanes, np.float32(0.5), np.float32)
        for _ in range(rounds):
            for lane in range(lanes):
                x = line[lane]
                y = x
                for _ in range(TAPS):
                    y = y * x + factor
                line[lane] = y
        out[part] = line.sum()


@dataclass(frozen=True)
class Machine:
    """The measured limits.

    Args:
        flops: Float32 operations a second on all threads.
    """

    flops: float


def measure_machine(parts: int, turns: int = 7) -> Machine:
    """Measure the rate of multiply-adds, the best of several turns."""
    rounds, lanes = 20_000, 256
    out = np.empty(parts, np.float32)

    def work():
        _multiply_add(rounds, lanes, np.float32(0.1), out)

    work()
    best = min(timed(work) for _ in range(turns))
    return Machine(parts * rounds * lanes * TAPS * 2 / best)


def copier(image: np.ndarray, label: np.ndarray | None):
    """Return a function that copies an image and a label map on all threads."""
    pairs = [(image.reshape(-1), np.empty(image.size, image.dtype))]
    if label is not None:
        pairs.append((label.reshape(-1), np.empty(label.size, label.dtype)))

    def copy():
        for source, out in pairs:
            _copy(source, out)

    return copy


def blur_flops(sigmas: np.ndarray) -> int:
    """Count the operations per voxel of a blur with sigmas in voxels."""
    radii = [int(3.0 * sigma + 0.5) for sigma in sigmas]
    return sum(2 * (2 * radius + 1) for radius in radii if radius)


def matrix_rate(side: int = 2048, turns: int = 7) -> float:
    """Measure float32 operations a second of a matrix product, the best of several.

    It bounds convolutions, which at best are products of large matrices.
    """
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal((side, side), dtype=np.float32) for _ in range(2))
    np.matmul(a, b)
    return 2 * side**3 / min(timed(lambda: np.matmul(a, b)) for _ in range(turns))
