"""Gaussian blur along all axes in one multi-threaded pass over the volume."""

from __future__ import annotations

from collections.abc import Sequence

import numba
import numpy as np
import numpy.typing as npt

from system.compiled import compiled

TRUNCATE = 3.0  # in sigmas; 0.3 % of the weight lies beyond


@numba.njit(fastmath=True)
def _blur_plane(source, along_j, along_k, line, lines, out):
    """Blur a plane (J, K) along both axes; the weights start at the centre."""
    num_j, num_k = source.shape
    reach_j, reach_k = along_j.size - 1, along_k.size - 1
    for j in range(num_j):
        for k in range(line.size):
            line[k] = source[j, min(max(k - reach_k, 0), num_k - 1)]
        weight = along_k[0]
        for k in range(num_k):
            lines[j, k] = weight * line[k + reach_k]
        for tap in range(1, reach_k + 1):
            weight = along_k[tap]
            for k in range(num_k):
                lines[j, k] += weight * (
                    line[k + reach_k - tap] + line[k + reach_k + tap]
                )
    for j in range(num_j):
        weight = along_j[0]
        for k in range(num_k):
            out[j, k] = weight * lines[j, k]
        for tap in range(1, reach_j + 1):
            weight = along_j[tap]
            before, after = max(j - tap, 0), min(j + tap, num_j - 1)
            for k in range(num_k):
                out[j, k] += weight * (lines[before, k] + lines[after, k])


@compiled
def _blur(source, along_i, along_j, along_k, parts, out):
    """Blur along all axes; each thread keeps a ring of the planes still needed."""
    num_i, num_j, num_k = source.shape
    reach = along_i.size - 1
    for part in numba.prange(parts):
        first, last = part * num_i // parts, (part + 1) * num_i // parts
        ring = np.empty((2 * reach + 1, num_j, num_k), np.float32)
        line = np.empty(num_k + 2 * (along_k.size - 1), np.float32)
        lines = np.empty((num_j, num_k), np.float32)
        done = max(first - reach, 0)
        for i in range(first, last):
            while done <= min(i + reach, num_i - 1):
                slot = ring[done % ring.shape[0]]
                _blur_plane(source[done], along_j, along_k, line, lines, slot)
                done += 1
            here = ring[i % ring.shape[0]]
            for j in range(num_j):
                weight = along_i[0]
                for k in range(num_k):
                    out[i, j, k] = weight * here[j, k]
                for tap in range(1, reach + 1):
                    weight = along_i[tap]
                    before = ring[max(i - tap, 0) % ring.shape[0]]
                    after = ring[min(i + tap, num_i - 1) % ring.shape[0]]
                    for k in range(num_k):
                        out[i, j, k] += weight * (before[j, k] + after[j, k])


def _radius(sigma: float) -> int:
    """Return the number of neighbours to either side with a weight above 0."""
    return int(TRUNCATE * sigma + 0.5)


def gaussian_weights(sigma: float) -> npt.NDArray[np.float32]:
    """Return the weights of a Gaussian truncated at three sigmas (voxels); sum 1."""
    if not _radius(sigma):
        return np.ones(1, np.float32)
    distance = np.arange(-_radius(sigma), _radius(sigma) + 1) / sigma
    weights = np.exp(-0.5 * distance**2)
    return (weights / weights.sum()).astype(np.float32)


def gaussian_blur(image: np.ndarray, sigmas: Sequence[float]) -> np.ndarray:
    """Blur an image; its border voxels are repeated beyond the border.

    Args:
        image: Any real type, shape (I, J, K), in C or Fortran order.
        sigmas: In voxels along each axis; an axis below a sixth of a voxel is not
            blurred, since all neighbours' weights are 0.

    Returns:
        A new float32 array in the order of `image`, or `image` itself if no axis
        is blurred.
    """
    if not any(_radius(sigma) for sigma in sigmas):
        return image
    if image.flags.f_contiguous and not image.flags.c_contiguous:
        return gaussian_blur(image.T, sigmas[::-1]).T
    out = np.empty(image.shape, np.float32)
    along_i, along_j, along_k = (
        gaussian_weights(sigma)[_radius(sigma) :] for sigma in sigmas
    )
    source = np.ascontiguousarray(image)
    _blur(source, along_i, along_j, along_k, numba.get_num_threads(), out)
    return out
