"""Transforms that change grey values and leave every voxel where it is."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter


class GaussianBlur:
    """Blur, as a coarser scan would.

    Args:
        sigma: Largest sigma in mm; drawn uniformly from [0, sigma].
    """

    name = "blur"

    def __init__(self, sigma: float):
        self.sigma = sigma

    def draw(self, rng: np.random.Generator) -> float:
        """Choose a sigma in mm."""
        return float(rng.uniform(0, self.sigma))

    def apply(
        self, image: npt.NDArray[np.float32], drawn: float, spacing: tuple
    ) -> npt.NDArray[np.float32]:
        """Blur `image`, shape (I, J, K), by the same mm along every axis."""
        sigmas = drawn / np.array(spacing)
        # Below a fifth of a voxel the kernel's neighbours weigh less than 1e-5.
        sigmas[sigmas < 0.2] = 0
        return gaussian_filter(image, sigmas, mode="nearest", truncate=3)


class Gamma:
    """Bend the grey scale: dark and bright ends stay, the middle moves.

    Args:
        low: Smallest exponent, positive; below 1 brightens.
        high: Largest exponent.
    """

    name = "gamma"

    def __init__(self, low: float, high: float):
        self.low, self.high = low, high

    def draw(self, rng: np.random.Generator) -> float:
        """Choose an exponent, uniform in its logarithm."""
        return float(np.exp(rng.uniform(np.log(self.low), np.log(self.high))))

    def apply(
        self, image: npt.NDArray[np.float32], drawn: float, spacing: tuple
    ) -> npt.NDArray[np.float32]:
        """Raise `image`, scaled to [0, 1] by its own range, to the exponent.

        A constant image is returned as it is.
        """
        low, high = image.min(), image.max()
        if low == high:
            return image.copy()
        unit = (image - low) / (high - low)
        np.power(unit, np.float32(drawn), out=unit)
        return unit * (high - low) + low


class GaussianNoise:
    """Add noise that is independent from voxel to voxel.

    Args:
        std: Largest standard deviation, in units of the normalised image, whose
            own spread is near 1; drawn uniformly from [0, std].
    """

    name = "noise"

    def __init__(self, std: float):
        self.std = std

    def draw(self, rng: np.random.Generator) -> dict[str, float | int]:
        """Choose a standard deviation, and the seed of the noise."""
        return {
            "std": float(rng.uniform(0, self.std)),
            "seed": int(rng.integers(2**32)),
        }

    def apply(
        self, image: npt.NDArray[np.float32], drawn: dict, spacing: tuple
    ) -> npt.NDArray[np.float32]:
        """Add the drawn noise to `image`, shape (I, J, K)."""
        rng = np.random.default_rng(drawn["seed"])
        noise = rng.standard_normal(image.shape, dtype=np.float32)
        return image + np.float32(drawn["std"]) * noise
