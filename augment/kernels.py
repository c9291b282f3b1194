"""Compiled kernels of noise and gamma, independent of the number of threads.

Logarithm, power, sine and cosine are polynomials, so that the compiler can
vectorise them and every machine computes the same.
"""

from __future__ import annotations

import numba
import numpy as np

from system.compiled import compiled

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
# Each thread processes whole blocks of this many voxels, an even number, so that
# no voxel's last bit depends on the number of threads.
BLOCK = 4096
LN_2 = np.float32(np.log(2))
QUARTER = np.float32(np.pi / 4)
ROOT_HALF = np.float32(np.sqrt(0.5))
# The bits of sqrt(1/2) as a float32, and the mask of a float32's mantissa.
ROOT_HALF_BITS, MANTISSA = np.int32(0x3F3504F3), np.int32(0x7FFFFF)
# Polynomials of Cephes (Moshier, 1992), highest power first: log(1 + f) without
# f - f**2 / 2; 2**f; sine without x; cosine without 1 - x**2 / 2.
LOG = (
    7.0376836292e-2,
    -1.1514610310e-1,
    1.1676998740e-1,
    -1.2420140846e-1,
    1.4249322787e-1,
    -1.6668057665e-1,
    2.0000714765e-1,
    -2.4999993993e-1,
    3.3333331174e-1,
)
POWER_OF_2 = (
    1.535336188319500e-4,
    1.339887440266574e-3,
    9.618437357674640e-3,
    5.550332471162809e-2,
    2.402264791363012e-1,
    6.931472028550421e-1,
    1.0,
)
SINE = (-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1)
COSINE = (2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2)


@numba.njit(inline="always")
def _polynomial(coefficients, x):
    """Evaluate a polynomial in float32, the highest power first."""
    y = np.float32(coefficients[0])
    for coefficient in coefficients[1:]:
        y = y * x + np.float32(coefficient)
    return y


@numba.njit(inline="always")
def log_2(x):
    """Compute the logarithm to base 2 of a positive, normal float32."""
    bits = np.int32(np.float32(x).view(np.int32) - ROOT_HALF_BITS)
    exponent = np.float32(np.int32(bits >> np.int32(23)))
    mantissa = np.int32((bits & MANTISSA) + ROOT_HALF_BITS)
    f = np.int32(mantissa).view(np.float32) - np.float32(1)
    tail = f * f * (f * _polynomial(LOG, f) - np.float32(0.5))
    return exponent + (f + tail) / LN_2


@numba.njit(inline="always")
def power_of_2(x):
    """Compute 2**x for a float32 from -126 to 127."""
    whole = np.floor(x + np.float32(0.5))
    scale = np.int32((np.int32(whole) + np.int32(127)) << np.int32(23))
    return _polynomial(POWER_OF_2, x - whole) * np.int32(scale).view(np.float32)


@numba.njit(inline="always")
def _random_bits(counter):
    """Hash a counter to 64 random bits.

    Reference:
        [Steele et al., 2014](https://doi.org/10.1145/2660193.2660195), SplitMix64.
    """
    z = counter
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@numba.njit(inline="always")
def _uniform(bits):
    """Convert 24 bits, the precision of a float32, to a number in (0, 1]."""
    whole = np.int32(bits & np.uint64(0xFFFFFF))
    return (np.float32(whole) + np.float32(1)) * np.float32(2**-24)


@numba.njit(inline="always")
def _sign(bit):
    """Convert a bit to 1 or -1."""
    return np.float32(np.int32(1) - np.int32(bit & np.uint64(1)) * np.int32(2))


@numba.njit(inline="always")
def _normals(seed, pair):
    """Draw two independent standard normal numbers.

    The angle is drawn within one quadrant, and the quadrant by two signs.

    Reference:
        [Box & Muller, 1958](https://doi.org/10.1214/aoms/1177706645).
    """
    bits = _random_bits(seed + (np.uint64(pair) + np.uint64(1)) * GOLDEN)
    log = LN_2 * log_2(_uniform(bits >> np.uint64(40)))
    radius = np.sqrt(max(np.float32(-2) * log, np.float32(0)))
    x = (np.float32(2) * _uniform(bits) - np.float32(1)) * QUARTER
    z = x * x
    sine = x + x * z * _polynomial(SINE, z)
    cosine = np.float32(1) - np.float32(0.5) * z + z * z * _polynomial(COSINE, z)
    first = radius * ROOT_HALF * (cosine - sine)
    second = radius * ROOT_HALF * (cosine + sine)
    return _sign(bits >> np.uint64(24)) * first, _sign(bits >> np.uint64(25)) * second


@compiled
def add_gaussian(flat, seed, std, out):
    """Add Gaussian noise to a flat image.

    Args:
        flat: Voxels, float32, shape (N,), may be empty.
        seed: Of the noise, which depends on it and a voxel's index alone.
        std: Standard deviation, in the image's unit.
        out: The result to fill, float32, shape (N,).
    """
    for block in numba.prange((flat.size + BLOCK - 1) // BLOCK):
        start = block * BLOCK
        stop = min(flat.size, start + BLOCK)
        # The two numbers of a pair go to the two halves of the block.
        middle = min(stop, start + BLOCK // 2)
        lower, upper = flat[start:middle], flat[middle:stop]
        out_lower, out_upper = out[start:middle], out[middle:stop]
        for voxel in range(upper.size):
            first, second = _normals(seed, start + voxel)
            out_lower[voxel] = lower[voxel] + std * first
            out_upper[voxel] = upper[voxel] + std * second
        for voxel in range(upper.size, lower.size):
            first, _ = _normals(seed, start + voxel)
            out_lower[voxel] = lower[voxel] + std * first


@compiled
def add_rician(flat, seed, std, low, out):
    """Add noise to both channels above `low`, and take the magnitude.

    Args:
        flat: As of `add_gaussian`.
        seed: As of `add_gaussian`.
        std: Standard deviation in each channel, in the image's unit.
        low: Intensity without signal, in the image's unit.
        out: As of `add_gaussian`.
    """
    for block in numba.prange((flat.size + BLOCK - 1) // BLOCK):
        for voxel in range(block * BLOCK, min(flat.size, (block + 1) * BLOCK)):
            first, second = _normals(seed, voxel)
            real, imaginary = flat[voxel] - low + std * first, std * second
            out[voxel] = low + np.sqrt(real * real + imaginary * imaginary)


@compiled
def apply_gamma(flat, low, high, exponent, out):
    """Raise a flat image to an exponent, after scaling [low, high] to [0, 1].

    Args:
        flat: Voxels from `low` to `high`, float32, shape (N,), may be empty.
        low: Intensity that stays.
        high: Intensity that stays, above `low`.
        exponent: Positive; above 1 darkens.
        out: The result to fill, float32, shape (N,).
    """
    scale = high - low
    for block in numba.prange((flat.size + BLOCK - 1) // BLOCK):
        for voxel in range(block * BLOCK, min(flat.size, (block + 1) * BLOCK)):
            unit = (flat[voxel] - low) / scale
            power = exponent * log_2(max(unit, np.float32(1e-37)))
            raised = power_of_2(min(max(power, np.float32(-126)), np.float32(0)))
            out[voxel] = low + scale * (raised if unit > 0 else np.float32(0))
