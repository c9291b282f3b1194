"""What every transform has: a name, a probability, values drawn and applied apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt


class Transform:
    """Draw values once, then apply them as a pure function.

    Args:
        p: Probability of being applied at all, in [0, 1].

    Raises:
        ValueError: If `p` is no probability.
    """

    name: ClassVar[str]

    def __init__(self, *, p: float = 1.0):
        if not 0 <= p <= 1:
            raise ValueError(f"A probability must lie in [0, 1]. Received: p={p}")
        self.p = p

    def draw(self, rng: np.random.Generator) -> Any | None:
        """Choose this time's values as JSON keeps them; None leaves it out."""
        return self.draw_values(rng) if rng.random() < self.p else None

    def draw_values(self, rng: np.random.Generator) -> Any:
        """Choose the values, given that the transform is applied."""
        raise NotImplementedError


class AffineTransform(Transform):
    """A transform that moves voxels by a matrix about the volume's centre."""

    @staticmethod
    def output_to_input(drawn: Any) -> npt.NDArray[np.float64]:
        """Give where an output point comes from.

        Returns:
            Matrix of shape (3, 4), in mm about the centre, along the cube's
            axes: the input point is `output_to_input @ (x, y, z, 1)`.
        """
        raise NotImplementedError


class IntensityTransform(Transform):
    """A transform that changes grey values and leaves every voxel in its place."""

    @staticmethod
    def apply(
        image: npt.NDArray[np.float32], drawn: Any, spacing: Sequence[float]
    ) -> npt.NDArray[np.float32]:
        """Give a new image with the drawn values applied.

        Args:
            image: Normalised, shape (I, J, K), at least one voxel; unchanged.
            drawn: What `draw_values` returned.
            spacing: In mm along I, J, K.
        """
        raise NotImplementedError


def check_range(what: str, low: float, high: float) -> None:
    """See that the smallest and the largest value are positive and in order.

    Raises:
        ValueError: If they are not; the message begins with `what`.
    """
    if not 0 < low <= high:
        raise ValueError(
            f"{what} must be positive and in order. Received: low={low}, high={high}"
        )


def homogeneous(
    linear: npt.ArrayLike, shift: Sequence[float] = (0.0, 0.0, 0.0)
) -> npt.NDArray[np.float64]:
    """Put a matrix of shape (3, 3) and a shift side by side, shape (3, 4)."""
    return np.column_stack([np.asarray(linear, dtype=np.float64), shift])
