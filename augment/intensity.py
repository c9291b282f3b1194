"""Transforms that change grey values and leave every voxel where it is.

They act on normalised images, whose mean is near 0 and spread near 1.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from augment.kernels import add_gaussian, add_rician, bend
from augment.transform import IntensityTransform, check_range
from volumes.filters import gaussian_blur

Image = npt.NDArray[np.float32]


class GaussianBlur(IntensityTransform):
    """Blur, as a coarser scan would.

    Args:
        sigma: Largest sigma in mm; drawn uniformly from [0, sigma].
        p: Probability of being applied.
    """

    name = "blur"

    def __init__(self, sigma: float, *, p: float = 1.0):
        super().__init__(p=p)
        self.sigma = sigma

    def draw_values(self, rng: np.random.Generator) -> float:
        """Choose a sigma in mm."""
        return float(rng.uniform(0, self.sigma))

    @staticmethod
    def apply(image: Image, drawn: float, spacing: Sequence[float]) -> Image:
        """Blur by the same mm along every axis; see the base class."""
        blurred = gaussian_blur(image, [drawn / side for side in spacing])
        return image.copy() if blurred is image else blurred


class LowResolution(IntensityTransform):
    """Show one axis as thick slices would: fewer samples, joined by lines.

    Args:
        factor: Largest number of voxels that become one; drawn uniformly from
            [1, factor], for an axis drawn with equal chance.
        p: Probability of being applied.
    """

    name = "low_resolution"

    def __init__(self, factor: float, *, p: float = 0.25):
        super().__init__(p=p)
        if factor < 1:
            raise ValueError(
                f"Low resolution needs a factor of 1 or more. Received: {factor}"
            )
        self.factor = factor

    def draw_values(self, rng: np.random.Generator) -> dict[str, float | int]:
        """Choose an axis and a factor."""
        axis, factor = rng.integers(3), rng.uniform(1, self.factor)
        return {"axis": int(axis), "factor": float(factor)}

    @staticmethod
    def apply(image: Image, drawn: dict, spacing: Sequence[float]) -> Image:
        """Average over thick slices, then interpolate; see the base class.

        The thick slices lie symmetrically about the axis' middle; the profile
        of a slice is a Gaussian with the slice's thickness as its full width at
        half maximum.
        """
        axis, factor = drawn["axis"], drawn["factor"]
        side = image.shape[axis]
        sigmas = [0.0, 0.0, 0.0]
        sigmas[axis] = np.sqrt(max(factor**2 - 1, 0)) / (2 * np.sqrt(2 * np.log(2)))
        blurred = gaussian_blur(image, sigmas)
        count = max(1, round(side / factor))
        centers = (np.arange(count) - (count - 1) / 2) * factor + (side - 1) / 2
        centers = np.clip(np.round(centers), 0, side - 1).astype(int)
        kept = np.take(blurred, centers, axis=axis)
        place = np.interp(np.arange(side), centers, np.arange(count))
        low = np.floor(place).astype(int)
        high = np.minimum(low + 1, count - 1)
        share = (place - low).astype(np.float32)
        share = share.reshape([-1 if a == axis else 1 for a in range(3)])
        below, above = np.take(kept, low, axis=axis), np.take(kept, high, axis=axis)
        return below + share * (above - below)


class Gamma(IntensityTransform):
    """Bend the grey scale: dark and bright ends stay, the middle moves.

    Args:
        low: Smallest exponent, positive; below 1 brightens.
        high: Largest exponent.
        p: Probability of being applied.

    Raises:
        ValueError: If the exponents are not positive and in order.
    """

    name = "gamma"

    def __init__(self, low: float, high: float, *, p: float = 1.0):
        super().__init__(p=p)
        check_range("Gamma exponents", low, high)
        self.low, self.high = low, high

    def draw_values(self, rng: np.random.Generator) -> float:
        """Choose an exponent, uniform in its logarithm."""
        return float(np.exp(rng.uniform(np.log(self.low), np.log(self.high))))

    @staticmethod
    def apply(image: Image, drawn: float, spacing: Sequence[float]) -> Image:
        """Raise the image, scaled to [0, 1] by its own range; see the base class.

        A constant image is returned as it is.
        """
        low, high = image.min(), image.max()
        if low == high:
            return image.copy()
        out = np.empty(image.shape, np.float32)
        flat = np.ascontiguousarray(image).reshape(-1)
        bend(flat, low, high, np.float32(drawn), out.reshape(-1))
        return out


class Brightness(IntensityTransform):
    """Make everything brighter or darker.

    Args:
        limit: Largest change, in units of the normalised image; drawn
            uniformly from [-limit, limit].
        p: Probability of being applied.
    """

    name = "brightness"

    def __init__(self, limit: float, *, p: float = 1.0):
        super().__init__(p=p)
        self.limit = limit

    def draw_values(self, rng: np.random.Generator) -> float:
        """Choose what is added."""
        return float(rng.uniform(-self.limit, self.limit))

    @staticmethod
    def apply(image: Image, drawn: float, spacing: Sequence[float]) -> Image:
        """Add the same to every voxel; see the base class."""
        return image + np.float32(drawn)


class Contrast(IntensityTransform):
    """Spread grey values away from their mean, or draw them towards it.

    Args:
        low: Smallest factor, positive.
        high: Largest factor.
        p: Probability of being applied.

    Raises:
        ValueError: If the factors are not positive and in order.
    """

    name = "contrast"

    def __init__(self, low: float, high: float, *, p: float = 1.0):
        super().__init__(p=p)
        check_range("Contrast factors", low, high)
        self.low, self.high = low, high

    def draw_values(self, rng: np.random.Generator) -> float:
        """Choose the factor."""
        return float(rng.uniform(self.low, self.high))

    @staticmethod
    def apply(image: Image, drawn: float, spacing: Sequence[float]) -> Image:
        """Multiply the distance from the image's mean; see the base class."""
        mean = np.float32(image.mean(dtype=np.float64))
        out = image - mean
        out *= np.float32(drawn)
        out += mean
        return out


class BiasField(IntensityTransform):
    """Shade an MR as a coil does: brighter on one side, smoothly.

    Args:
        strength: Largest coefficient of each term of the field's logarithm;
            drawn uniformly from [-strength, strength].
        p: Probability of being applied.

    Reference:
        [Van Leemput et al., 1999](https://doi.org/10.1109/42.811268): the logarithm
        of the field as a polynomial, here of second order without mixed terms.
    """

    name = "bias_field"

    def __init__(self, strength: float, *, p: float = 1.0):
        super().__init__(p=p)
        self.strength = strength

    def draw_values(self, rng: np.random.Generator) -> list[float]:
        """Choose a linear and a quadratic coefficient for each axis."""
        return rng.uniform(-self.strength, self.strength, 6).tolist()

    @staticmethod
    def apply(image: Image, drawn: Sequence[float], spacing: Sequence[float]) -> Image:
        """Multiply what lies above the darkest voxel; see the base class.

        With u from -1 to 1 along an axis: `exp(sum(a * u + b * (u**2 - 1/3)))`.
        """
        low = image.min()
        out = image - low
        for axis, (linear, quadratic) in enumerate(np.reshape(drawn, (3, 2))):
            u = np.linspace(-1, 1, image.shape[axis])
            field = np.exp(linear * u + quadratic * (u**2 - 1 / 3)).astype(np.float32)
            out *= field.reshape([-1 if a == axis else 1 for a in range(3)])
        out += low
        return out


class GaussianNoise(IntensityTransform):
    """Add noise that is independent from voxel to voxel.

    Args:
        std: Largest standard deviation, in units of the normalised image;
            drawn uniformly from [0, std].
        p: Probability of being applied.
    """

    name = "noise"

    def __init__(self, std: float, *, p: float = 1.0):
        super().__init__(p=p)
        self.std = std

    def draw_values(self, rng: np.random.Generator) -> dict[str, float | int]:
        """Choose a standard deviation, and the seed of the noise."""
        std, seed = rng.uniform(0, self.std), rng.integers(2**32)
        return {"std": float(std), "seed": int(seed)}

    @staticmethod
    def apply(image: Image, drawn: dict, spacing: Sequence[float]) -> Image:
        """Add the drawn noise; see the base class."""
        out = np.empty(image.shape, np.float32)
        flat = np.ascontiguousarray(image).reshape(-1)
        seed, std = np.uint64(drawn["seed"]), np.float32(drawn["std"])
        add_gaussian(flat, seed, std, out.reshape(-1))
        return out


class RicianNoise(GaussianNoise):
    """Add the noise of an MR's magnitude: it lifts the dark background.

    Args:
        std: Largest standard deviation of each channel, in units of the
            normalised image; drawn uniformly from [0, std].
        p: Probability of being applied.

    Reference:
        [Gudbjartsson & Patz, 1995](https://doi.org/10.1002/mrm.1910340618).
    """

    name = "rician_noise"

    @staticmethod
    def apply(image: Image, drawn: dict, spacing: Sequence[float]) -> Image:
        """Add noise to both channels above the darkest voxel; see the base class."""
        out = np.empty(image.shape, np.float32)
        flat = np.ascontiguousarray(image).reshape(-1)
        seed, std = np.uint64(drawn["seed"]), np.float32(drawn["std"])
        add_rician(flat, seed, std, image.min(), out.reshape(-1))
        return out
