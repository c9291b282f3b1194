"""Transforms that move voxels: image and label map move by the same drawn values.

A spatial transform says where the output's points come from, in mm about the
volume's centre, along the cube's axes (right, anterior, superior). A chain of
them is one coordinate map, so the voxels are sampled once.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from augment.transform import AffineTransform, Transform, check_range, homogeneous
from volumes.warp import ControlGrid, spline_matrices

# A cubic B-spline displaced by this many control spacings or less cannot fold
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


class Rotation(AffineTransform):
    """Turn the volume about its centre, in mm, so nothing is sheared.

    Args:
        degrees: Largest angle about each axis; drawn uniformly from
            [-degrees, degrees].
        p: Probability of being applied.
    """

    name = "rotation"

    def __init__(self, degrees: float, *, p: float = 1.0):
        super().__init__(p=p)
        self.degrees = degrees

    def draw_values(self, rng: np.random.Generator) -> list[float]:
        """Choose an angle in degrees about right, anterior and superior."""
        return rng.uniform(-self.degrees, self.degrees, 3).tolist()

    @staticmethod
    def output_to_input(drawn: Sequence[float]) -> npt.NDArray[np.float64]:
        """Give where an output point comes from; see the base class."""
        return homogeneous(rotation_matrix(drawn).T)


class Rescaling(AffineTransform):
    """Make everything larger or smaller about the volume's centre.

    Args:
        low: Smallest factor, positive; below 1 shrinks.
        high: Largest factor.
        per_axis: Whether each axis draws its own factor.
        p: Probability of being applied.

    Raises:
        ValueError: If the factors are not positive and in order.
    """

    name = "rescaling"

    def __init__(
        self, low: float, high: float, *, per_axis: bool = False, p: float = 1.0
    ):
        super().__init__(p=p)
        check_range("Rescaling factors", low, high)
        self.low, self.high, self.per_axis = low, high, per_axis

    def draw_values(self, rng: np.random.Generator) -> list[float]:
        """Choose a factor for each axis; the same for all unless per axis."""
        if self.per_axis:
            return rng.uniform(self.low, self.high, 3).tolist()
        return [float(rng.uniform(self.low, self.high))] * 3

    @staticmethod
    def output_to_input(drawn: Sequence[float]) -> npt.NDArray[np.float64]:
        """Give where an output point comes from; see the base class."""
        return homogeneous(np.diag(1 / np.array(drawn)))


class Shift(AffineTransform):
    """Move the volume along its axes.

    Args:
        distance: Largest shift in mm along each axis; drawn uniformly from
            [-distance, distance].
        p: Probability of being applied.
    """

    name = "shift"

    def __init__(self, distance: float, *, p: float = 1.0):
        super().__init__(p=p)
        self.distance = distance

    def draw_values(self, rng: np.random.Generator) -> list[float]:
        """Choose a shift in mm to the right, anterior and superior."""
        return rng.uniform(-self.distance, self.distance, 3).tolist()

    @staticmethod
    def output_to_input(drawn: Sequence[float]) -> npt.NDArray[np.float64]:
        """Give where an output point comes from; see the base class."""
        return homogeneous(np.eye(3), -np.array(drawn))


class Flip(AffineTransform):
    """Mirror left and right with some probability.

    Along the spine there is no flip: it would put the sacrum above the neck,
    which no scan shows.

    Args:
        p: Probability of mirroring.
    """

    name = "flip"

    def __init__(self, p: float = 0.5):
        super().__init__(p=p)

    def draw_values(self, rng: np.random.Generator) -> bool:
        """Choose to mirror."""
        return True

    @staticmethod
    def output_to_input(drawn: bool) -> npt.NDArray[np.float64]:
        """Give where an output point comes from; see the base class."""
        return homogeneous(np.diag([-1.0 if drawn else 1.0, 1.0, 1.0]))


class Elastic(Transform):
    """Bend the volume smoothly: cubic B-splines on a coarse control grid.

    Args:
        displacement: Largest displacement of a control point along each axis,
            in mm; each copy draws its own strength up to this.
        control_spacing: Distance in mm between control points.
        p: Probability of being applied.

    Raises:
        ValueError: If the displacement could fold the volume onto itself.

    Reference:
        [Rueckert et al., 1999](https://doi.org/10.1109/42.796284), equation 1.
    """

    name = "elastic"

    def __init__(
        self, displacement: float, control_spacing: float = 32.0, *, p: float = 1.0
    ):
        super().__init__(p=p)
        if displacement > FOLDS_BEYOND * control_spacing:
            raise ValueError(
                "Elastic displacement must be at most "
                f"{FOLDS_BEYOND * control_spacing:.1f} mm, beyond which the volume "
                f"can fold onto itself. Received: {displacement} mm"
            )
        self.displacement = displacement
        self.control_spacing = control_spacing

    def draw_values(self, rng: np.random.Generator) -> dict[str, float | int]:
        """Choose a strength in mm and the seed of the control points."""
        return {
            "displacement": float(rng.uniform(0, self.displacement)),
            "control_spacing": self.control_spacing,
            "seed": int(rng.integers(2**32)),
        }

    @staticmethod
    def control(
        drawn: dict, shape: Sequence[int], spacing: Sequence[float]
    ) -> ControlGrid:
        """Lay the drawn control grid over an output grid.

        Args:
            drawn: What `draw_values` returned.
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


def smallest_jacobian(
    control: ControlGrid, shape: Sequence[int], spacing: Sequence[float]
) -> float:
    """Measure how much the most squeezed place of a displacement is squeezed.

    The determinant of the Jacobian of `p + displacement(p)`, whose smallest
    value is 1 where nothing moves, and at most 0 where the volume folds. It is
    taken at every fourth of a control spacing.

    Args:
        control: Displacements in mm.
        shape: Of the output, (I, J, K).
        spacing: Of the output, in mm.

    Returns:
        The smallest determinant found.
    """
    weights, slopes = [], []
    for side, step, mm in zip(shape, control.step, spacing, strict=True):
        points = max(2, int(4 * (side - 1) * step) + 1)
        value, slope = spline_matrices(np.linspace(0, (side - 1) * step, points))
        weights.append(value)
        slopes.append(slope * (step / mm))  # per mm
    jacobian = np.empty((3, 3, *(len(value) for value in weights)))
    for axis in range(3):
        factors = [slopes[a] if a == axis else weights[a] for a in range(3)]
        # Axis by axis, without BLAS, whose threads would spin beside other workers.
        bent = control.values
        for factor in factors:
            bent = np.einsum("pa,nabc->nbcp", factor[:, : bent.shape[1]], bent)
        jacobian[:, axis] = bent
        jacobian[axis, axis] += 1
    (a, b, c), (d, e, f), (g, h, i) = jacobian
    determinant = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)
    return float(determinant.min())
