"""Base classes of the transforms, which draw parameters and apply them separately."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt


class Transform:
    """Base class: draw parameters once, then apply them as a pure function.

    `name` is the key of the drawn parameters, and of the flag in `augment.flags`.

    Args:
        p: Probability of applying the transform, in [0, 1].

    Raises:
        ValueError: If `p` is outside [0, 1].
    """

    name: ClassVar[str]

    def __init__(self, *, p: float = 1.0):
        if not 0 <= p <= 1:
            raise ValueError(
                f"The probability of {self.name} must lie in [0, 1]. Received: p={p}"
            )
        self.p = p

    def draw(self, rng: np.random.Generator) -> Any | None:
        """Draw JSON-safe parameters, or None if the transform is not applied."""
        return self.draw_parameters(rng) if rng.random() < self.p else None

    def draw_parameters(self, rng: np.random.Generator) -> Any:
        """Draw the parameters of a transform that is applied."""
        raise NotImplementedError


class AffineTransform(Transform):
    """A transform that moves voxels by a matrix about the volume's centre."""

    @staticmethod
    def output_to_input(drawn: Any) -> npt.NDArray[np.float64]:
        """Return the matrix from output points to input points.

        Args:
            drawn: What `draw_parameters` returned.

        Returns:
            Matrix of shape (3, 4), in mm about the centre, along the cube's
            axes: the input point is `output_to_input @ (x, y, z, 1)`.
        """
        raise NotImplementedError


class IntensityTransform(Transform):
    """A transform that changes intensities and leaves every voxel in its place."""

    @staticmethod
    def apply(
        image: npt.NDArray[np.float32], drawn: Any, spacing: Sequence[float]
    ) -> npt.NDArray[np.float32]:
        """Return a new image with the drawn parameters applied.

        Args:
            image: Normalised, shape (I, J, K), at least one voxel; unchanged.
            drawn: What `draw_parameters` returned.
            spacing: In mm along I, J, K.
        """
        raise NotImplementedError


def check_range(name: str, low: float, high: float) -> None:
    """Check that a smallest and a largest value are positive and in order.

    Raises:
        ValueError: If they are not; the message begins with `name`.
    """
    if not 0 < low <= high:
        raise ValueError(
            f"{name} must be positive and in order. Received: low={low}, high={high}"
        )


def affine_matrix(
    linear: npt.ArrayLike, translation: npt.ArrayLike = (0.0, 0.0, 0.0)
) -> npt.NDArray[np.float64]:
    """Return the matrix of shape (3, 4) of a linear map and a translation."""
    return np.column_stack([np.asarray(linear, dtype=np.float64), translation])
