"""Gaussian blur, one axis after the other, on all threads."""

from __future__ import annotations

from collections.abc import Sequence

import numba
import numpy as np
import numpy.typing as npt

from volumes.compiled import compiled

TRUNCATE = 3.0  # sigmas; beyond lies 0.3 % of the weight
RUN = 4096  # voxels of a row that stay in the cache from tap to tap


@compiled
def _blur_across(source, weights, out):
    """Blur along the middle axis of (A, N, B), whole runs of B at a time."""
    outer, length, inner = source.shape
    radius = weights.size // 2
    for line in numba.prange(outer * length):
        a, n = line // length, line % length
        for start in range(0, inner, RUN):
            stop = min(start + RUN, inner)
            for b in range(start, stop):
                out[a, n, b] = 0
            for tap in range(weights.size):
                m = min(max(n + tap - radius, 0), length - 1)
                weight = weights[tap]
                for b in range(start, stop):
                    out[a, n, b] += weight * source[a, m, b]


@compiled
def _blur_along(source, weights, out):
    """Blur along the last axis of (A, N)."""
    outer, length = source.shape
    radius = weights.size // 2
    for a in numba.prange(outer):
        line = np.empty(length + 2 * radius, np.float32)
        for n in range(line.size):
            line[n] = source[a, min(max(n - radius, 0), length - 1)]
        for n in range(length):
            out[a, n] = 0
        for tap in range(weights.size):
            weight = weights[tap]
            for n in range(length):
                out[a, n] += weight * line[n + tap]


def _radius(sigma: float) -> int:
    """Give how many neighbours to either side weigh something."""
    return int(TRUNCATE * sigma + 0.5)


def gaussian_weights(sigma: float) -> npt.NDArray[np.float32]:
    """Give the weights of a Gaussian, in voxels, cut at three sigmas; sum 1."""
    distance = np.arange(-_radius(sigma), _radius(sigma) + 1) / sigma
    weights = np.exp(-0.5 * distance**2)
    return (weights / weights.sum()).astype(np.float32)


def gaussian_blur(image: np.ndarray, sigmas: Sequence[float]) -> np.ndarray:
    """Blur an image; beyond its border it goes on as at the border.

    Args:
        image: Any real type, shape (I, J, K), in C or Fortran order.
        sigmas: In voxels along each axis; below a sixth of a voxel an axis is
            left as it is, since no neighbour then weighs anything.

    Returns:
        A new float32 array in the order of `image`, or `image` itself where no
        axis is blurred.
    """
    if not any(_radius(sigma) for sigma in sigmas):
        return image
    if image.flags.f_contiguous and not image.flags.c_contiguous:
        return gaussian_blur(image.T, sigmas[::-1]).T
    for axis, sigma in enumerate(sigmas):
        if not _radius(sigma):
            continue
        source, weights = np.ascontiguousarray(image), gaussian_weights(sigma)
        image = np.empty(source.shape, np.float32)
        outer = int(np.prod(source.shape[:axis]))
        if axis == source.ndim - 1:
            view = (outer, source.shape[axis])
            _blur_along(source.reshape(view), weights, image.reshape(view))
        else:
            view = (outer, source.shape[axis], -1)
            _blur_across(source.reshape(view), weights, image.reshape(view))
    return image
