"""Transforms that move voxels: image and label map move by the same drawn values.

A spatial transform says where the output's points come from, in mm about the
volume's centre, along the cube's axes (right, anterior, superior).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from volumes.warp import ControlGrid

# A cubic B-spline of this many control spacings or less cannot fold
# (Choi & Lee, 2000, https://doi.org/10.1006/gmod.1999.0514).
FOLDS_BEYOND = 1 / 2.48


def rotation_matrix(degrees: Sequence[float]) -> npt.NDArray[np.float64]:
    """Turn about the first axis, then the second, then the third, right-handed."""
    matrix = np.eye(3)
    for axis, angle in enumerate(np.deg2rad(degrees)):
        first, second = [other for other in range(3) if other != axis]
        turn = np.eye(3)
        turn[first, first] = turn[second, second] = np.cos(angle)
        sign = -1 if axis == 1 else 1  # right-handed about the middle axis
        turn[first, second] = -sign * np.sin(angle)
        turn[second, first] = sign * np.sin(angle)
        matrix = turn @ matrix
    return matrix


class Rotation:
    """Turn the volume about its centre, in mm, so nothing is sheared.

    Args:
        degrees: Largest angle about each axis; drawn uniformly from
            [-degrees, degrees].
    """

    name = "rotation"

    def __init__(self, degrees: float):
        self.degrees = degrees

    def draw(self, rng: np.random.Generator) -> list[float]:
        """Choose an angle in degrees about right, anterior and superior."""
        return rng.uniform(-self.degrees, self.degrees, 3).tolist()

    def pull(self, drawn: Sequence[float]) -> npt.NDArray[np.float64]:
        """Give the matrix from an output point to the input point it reads."""
        return rotation_matrix(drawn).T


class Rescaling:
    """Make everything larger or smaller about the volume's centre.

    Args:
        low: Smallest factor, positive; below 1 shrinks.
        high: Largest factor.
    """

    name = "rescaling"

    def __init__(self, low: float, high: float):
        self.low, self.high = low, high

    def draw(self, rng: np.random.Generator) -> list[float]:
        """Choose one factor for all three axes."""
        return [float(rng.uniform(self.low, self.high))] * 3

    def pull(self, drawn: Sequence[float]) -> npt.NDArray[np.float64]:
        """Give the matrix from an output point to the input point it reads."""
        return np.diag(1 / np.array(drawn))


class Flip:
    """Mirror left and right with some probability.

    Along the spine there is no flip: it would put the sacrum above the neck,
    which no scan shows.

    Args:
        probability: Of mirroring, in [0, 1].
    """

    name = "flip"

    def __init__(self, probability: float):
        self.probability = probability

    def draw(self, rng: np.random.Generator) -> bool:
        """Choose whether to mirror this time."""
        return bool(rng.random() < self.probability)

    def pull(self, drawn: bool) -> npt.NDArray[np.float64]:
        """Give the matrix from an output point to the input point it reads."""
        return np.diag([-1.0 if drawn else 1.0, 1.0, 1.0])


class Elastic:
    """Bend the volume smoothly: cubic B-splines on a coarse control grid.

    Args:
        displacement: Largest displacement of a control point along each axis,
            in mm; each copy draws its own strength up to this.
        control_spacing: Distance in mm between control points.

    Raises:
        ValueError: If the displacement could fold the volume onto itself.

    Reference:
        Rueckert et al., 1999, https://doi.org/10.1109/42.796284, equation 1.
    """

    name = "elastic"

    def __init__(self, displacement: float, control_spacing: float = 32.0):
        if displacement > FOLDS_BEYOND * control_spacing:
            raise ValueError(
                "Elastic displacement must be at most "
                f"{FOLDS_BEYOND * control_spacing:.1f} mm, beyond which the volume "
                f"folds onto itself. Received: {displacement} mm"
            )
        self.displacement = displacement
        self.control_spacing = control_spacing

    def draw(self, rng: np.random.Generator) -> dict[str, float | int]:
        """Choose a strength in mm and the seed of the control points."""
        return {
            "displacement": float(rng.uniform(0, self.displacement)),
            "control_spacing": self.control_spacing,
            "seed": int(rng.integers(2**32)),
        }

    def control(
        self, drawn: dict, shape: Sequence[int], spacing: Sequence[float]
    ) -> ControlGrid:
        """Lay the drawn control grid over an output grid.

        Args:
            drawn: What `draw` returned.
            shape: Of the output, (I, J, K).
            spacing: Of the output, in mm.

        Returns:
            Displacements in mm along the output's axes.
        """
        step = np.array(spacing) / drawn["control_spacing"]
        sides = np.floor((np.array(shape) - 1) * step).astype(int) + 4
        rng = np.random.default_rng(drawn["seed"])
        bound = drawn["displacement"]
        values = rng.uniform(-bound, bound, (3, *sides))
        return ControlGrid(values, tuple(step.tolist()))
