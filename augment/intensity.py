"""Intensity transforms, for normalised images of mean near 0 and deviation near 1."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from augment.kernels import add_gaussian, add_rician, apply_gamma
from augment.transform import IntensityTransform, check_range
from volumes.filters import gaussian_blur
from volumes.resample import FWHM

Image = npt.NDArray[np.float32]


class GaussianBlur(IntensityTransform):
    """Blur with a Gaussian of the same sigma in mm along every axis.

    Args:
        sigma: Largest sigma in mm; drawn uniformly from [0, sigma].
        p: Probability of applying the transform.
    """

    name = "blur"

    def __init__(self, sigma: float, *, p: float = 1.0):
        super().__init__(p=p)
        self.sigma = sigma

    def draw_parameters(self, rng: np.random.Generator) -> float:
        """Draw a sigma in mm."""
        return float(rng.uniform(0, self.sigma))

    @staticmethod
    def apply(image: Image, drawn: float, spacing: Sequence[float]) -> Image:
        """Blur the image; see the base class."""
        blurred = gaussian_blur(image, [drawn / mm for mm in spacing])
        return image.copy() if blurred is image else blurred


class LowResolution(IntensityTransform):
    """Simulate thick slices: downsample one axis, then interpolate linearly.

    Args:
        factor: Largest downsampling factor; drawn uniformly from [1, factor].
            Each axis is equally likely.
        p: Probability of applying the transform.
    """

    name = "low_resolution"

    def __init__(self, factor: float, *, p: float = 0.25):
        super().__init__(p=p)
        if factor < 1:
            raise ValueError(
                f"Low resolution factor must be 1 or more. Received: {factor}"
            )
        self.factor = factor

    def draw_parameters(self, rng: np.random.Generator) -> dict[str, float | int]:
        """Draw an axis and a factor."""
        axis, factor = rng.integers(3), rng.uniform(1, self.factor)
        return {"axis": int(axis), "factor": float(factor)}

    @staticmethod
    def apply(image: Image, drawn: dict, spacing: Sequence[float]) -> Image:
        """Average over thick slices, then interpolate; see the base class.

        The slices lie symmetrically about the middle of the axis. The slice
        profile is a Gaussian whose full width at half maximum is `factor` voxels.
        """
        axis, factor = drawn["axis"], drawn["factor"]
        side = image.shape[axis]
        sigmas = [0.0, 0.0, 0.0]
        sigmas[axis] = np.sqrt(max(factor**2 - 1, 0)) / FWHM
        blurred = gaussian_blur(image, sigmas)
        count = max(1, round(side / factor))
        centers = (np.arange(count) - (count - 1) / 2) * factor + (side - 1) / 2
        centers = np.clip(np.round(centers), 0, side - 1).astype(int)
        slices = np.take(blurred, centers, axis=axis)
        position = np.interp(np.arange(side), centers, np.arange(count))
        low = np.floor(position).astype(int)
        high = np.minimum(low + 1, count - 1)
        weight = (position - low).astype(np.float32)
        weight = weight.reshape([-1 if a == axis else 1 for a in range(3)])
        below, above = np.take(slices, low, axis), np.take(slices, high, axis)
        return below + weight * (above - below)


class Gamma(IntensityTransform):
    """Apply a gamma curve, which keeps the smallest and the largest intensity.

    Args:
        low: Smallest exponent, positive; below 1 brightens.
        high: Largest exponent.
        p: Probability of applying the transform.

    Raises:
        ValueError: If the exponents are not positive and in order.
    """

    name = "gamma"

    def __init__(self, low: float, high: float, *, p: float = 1.0):
        super().__init__(p=p)
        check_range("Gamma exponents", low, high)
        self.low, self.high = low, high

    def draw_parameters(self, rng: np.random.Generator) -> float:
        """Draw an exponent, uniform in its logarithm."""
        return float(np.exp(rng.uniform(np.log(self.low), np.log(self.high))))

    @staticmethod
    def apply(image: Image, drawn: float, spacing: Sequence[float]) -> Image:
        """Raise the image, scaled to [0, 1] by its own range; see the base class.

        A constant image stays as it is.
        """
        low, high = image.min(), image.max()
        if low == high:
            return image.copy()
        out = np.empty(image.shape, np.float32)
        flat = np.ascontiguousarray(image).reshape(-1)
        apply_gamma(flat, low, high, np.float32(drawn), out.reshape(-1))
        return out


class Brightness(IntensityTransform):
    """Add the same offset to every voxel.

    Args:
        limit: Largest offset, in units of the normalised image; drawn
            uniformly from [-limit, limit].
        p: Probability of applying the transform.
    """

    name = "brightness"

    def __init__(self, limit: float, *, p: float = 1.0):
        super().__init__(p=p)
        self.limit = limit

    def draw_parameters(self, rng: np.random.Generator) -> float:
        """Draw the offset."""
        return float(rng.uniform(-self.limit, self.limit))

    @staticmethod
    def apply(image: Image, drawn: float, spacing: Sequence[float]) -> Image:
        """Add the offset; see the base class."""
        return image + np.float32(drawn)


class Contrast(IntensityTransform):
    """Scale the intensities about their mean.

    Args:
        low: Smallest factor, positive.
        high: Largest factor.
        p: Probability of applying the transform.

    Raises:
        ValueError: If the factors are not positive and in order.
    """

    name = "contrast"

    def __init__(self, low: float, high: float, *, p: float = 1.0):
        super().__init__(p=p)
        check_range("Contrast factors", low, high)
        self.low, self.high = low, high

    def draw_parameters(self, rng: np.random.Generator) -> float:
        """Draw the factor."""
        return float(rng.uniform(self.low, self.high))

    @staticmethod
    def apply(image: Image, drawn: float, spacing: Sequence[float]) -> Image:
        """Scale about the mean of the image; see the base class."""
        mean = np.float32(image.mean(dtype=np.float64))
        out = image - mean
        out *= np.float32(drawn)
        out += mean
        return out


class BiasField(IntensityTransform):
    """Multiply by a smooth bias field, as of an MR coil.

    Args:
        strength: Largest coefficient of each term of the logarithm of the
            field; drawn uniformly from [-strength, strength].
        p: Probability of applying the transform.

    Reference:
        [Van Leemput et al., 1999](https://doi.org/10.1109/42.811268): the logarithm
        of the field is a polynomial, here of second order without mixed terms.
    """

    name = "bias_field"

    def __init__(self, strength: float, *, p: float = 1.0):
        super().__init__(p=p)
        self.strength = strength

    def draw_parameters(self, rng: np.random.Generator) -> list[float]:
        """Draw a linear and a quadratic coefficient for each axis."""
        return rng.uniform(-self.strength, self.strength, 6).tolist()

    @staticmethod
    def apply(image: Image, drawn: Sequence[float], spacing: Sequence[float]) -> Image:
        """Multiply the intensity above the darkest voxel; see the base class.

        The field is `exp(sum(a * u + b * (u**2 - 1/3)))` with u from -1 to 1
        along each axis.
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
    """Add Gaussian noise, independent from voxel to voxel.

    Args:
        std: Largest standard deviation, in units of the normalised image;
            drawn uniformly from [0, std].
        p: Probability of applying the transform.
    """

    name = "noise"

    def __init__(self, std: float, *, p: float = 1.0):
        super().__init__(p=p)
        self.std = std

    def draw_parameters(self, rng: np.random.Generator) -> dict[str, float | int]:
        """Draw a standard deviation and the seed of the noise."""
        std, seed = rng.uniform(0, self.std), rng.integers(2**32)
        return {"std": float(std), "seed": int(seed)}

    @staticmethod
    def apply(image: Image, drawn: dict, spacing: Sequence[float]) -> Image:
        """Add the noise; see the base class."""
        out = np.empty(image.shape, np.float32)
        flat = np.ascontiguousarray(image).reshape(-1)
        seed, std = np.uint64(drawn["seed"]), np.float32(drawn["std"])
        add_gaussian(flat, seed, std, out.reshape(-1))
        return out


class RicianNoise(GaussianNoise):
    """Add Rician noise, that of MR magnitude images, which lifts the background.

    Args:
        std: Largest standard deviation of the real and the imaginary channel,
            in units of the normalised image; drawn uniformly from [0, std].
        p: Probability of applying the transform.

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
