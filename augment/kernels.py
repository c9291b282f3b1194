"""Noise that is drawn voxel by voxel, on all threads, the same on any number."""

from __future__ import annotations

import numba
import numpy as np

from volumes.compiled import compiled

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
# Threads share whole blocks of this many voxels, an even number, so that no
# voxel's last bit depends on how many threads there are.
BLOCK = 4096


@numba.njit(inline="always")
def _mix(counter):
    """Turn a counter into 64 random bits.

    Reference:
        [Steele et al., 2014](https://doi.org/10.1145/2660193.2660195), SplitMix64.
    """
    z = counter
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@numba.njit(inline="always")
def _normals(seed, pair):
    """Draw two independent standard normal figures for a pair of voxels.

    Reference:
        [Box & Muller, 1958](https://doi.org/10.1214/aoms/1177706645).
    """
    bits = _mix(seed + (np.uint64(pair) + np.uint64(1)) * GOLDEN)
    # 24 bits each, as many as a float32 keeps; the first in (0, 1]: log is finite.
    first = (np.float32(bits >> np.uint64(40)) + np.float32(1)) * np.float32(2**-24)
    angle = np.float32(bits & np.uint64(0xFFFFFF)) * np.float32(2 * np.pi * 2**-24)
    radius = np.sqrt(np.float32(-2) * np.log(first))
    return radius * np.cos(angle), radius * np.sin(angle)


@compiled
def add_gaussian(flat, seed, std, out):
    """Add Gaussian noise to a flat image of any length."""
    for block in numba.prange((flat.size + BLOCK - 1) // BLOCK):
        stop = min(flat.size, (block + 1) * BLOCK)
        for voxel in range(block * BLOCK, stop, 2):
            first, second = _normals(seed, voxel // 2)
            out[voxel] = flat[voxel] + std * first
            if voxel + 1 < stop:
                out[voxel + 1] = flat[voxel + 1] + std * second


@compiled
def add_rician(flat, seed, std, low, out):
    """Take the magnitude of a flat image above `low` with noise in both channels."""
    for block in numba.prange((flat.size + BLOCK - 1) // BLOCK):
        for voxel in range(block * BLOCK, min(flat.size, (block + 1) * BLOCK)):
            first, second = _normals(seed, voxel)
            real = flat[voxel] - low + std * first
            out[voxel] = low + np.sqrt(real * real + (std * second) ** 2)


@compiled
def bend(flat, low, high, exponent, out):
    """Raise a flat image, scaled to [0, 1] from [low, high], to an exponent."""
    scale = high - low
    for block in numba.prange((flat.size + BLOCK - 1) // BLOCK):
        for voxel in range(block * BLOCK, min(flat.size, (block + 1) * BLOCK)):
            unit = (flat[voxel] - low) / scale
            out[voxel] = low + scale * unit**exponent
