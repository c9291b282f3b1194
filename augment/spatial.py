"""Spatial transforms, which move the voxels of image and label map alike.

A spatial transform maps output points to input points, in mm about the volume's
centre, along the cube's axes (right, anterior, superior). A chain of them is
composed into one coordinate map, so that voxels are interpolated once.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from augment.transform import AffineTransform, Transform, affine_matrix, check_range
from volumes.warp import ControlGrid, spline_matrices

# In control spacings. Up to this displacement a cubic B-spline cannot fold
# (Choi & Lee, 2000, https://doi.org/10.1006/gmod.1999.0514).
MAX_DISPLACEMENT = 1 / 2.48


def rotation_matrix(degrees: Sequence[float]) -> npt.NDArray[np.float64]:
    """Return the rotation about the first, then the second, then the third axis.

    Right-handed; shape (3, 3), to be multiplied by column vectors.
    """
    matrix = np.eye(3)
    for axis, angle in enumerate(np.deg2rad(degrees)):
        first, second = [other for other in range(3) if other != axis]
        sign = -1 if axis == 1 else 1  # right-handed about the middle axis
        step = np.eye(3)
        step[first, first] = step[second, second] = np.cos(angle)
        step[first, second] = -sign * np.sin(angle)
        step[second, first] = sign * np.sin(angle)
        matrix = step @ matrix
    return matrix


class Rotation(AffineTransform):
    """Rotate the volume about its centre.

    In mm, so that an anisotropic volume is not sheared.

    Args:
        degrees: Largest angle about each axis; drawn uniformly from
            [-degrees, degrees].
        p: Probability of applying the transform.
    """

    name = "rotation"

    def __init__(self, degrees: float, *, p: float = 1.0):
        super().__init__(p=p)
        self.degrees = degrees

    def draw_parameters(self, rng: np.random.Generator) -> list[float]:
        """Draw angles in degrees about right, anterior and superior."""
        return rng.uniform(-self.degrees, self.degrees, 3).tolist()

    @staticmethod
    def output_to_input(drawn: Sequence[float]) -> npt.NDArray[np.float64]:
        """Return the matrix from output to input; see the base class."""
        return affine_matrix(rotation_matrix(drawn).T)


class Rescaling(AffineTransform):
    """Scale the volume about its centre.

    Args:
        low: Smallest factor, positive; below 1 shrinks.
        high: Largest factor.
        per_axis: Whether each axis has a factor of its own.
        p: Probability of applying the transform.

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

    def draw_parameters(self, rng: np.random.Generator) -> list[float]:
        """Draw a factor for each axis, the same for all unless `per_axis`."""
        if self.per_axis:
            return rng.uniform(self.low, self.high, 3).tolist()
        return [float(rng.uniform(self.low, self.high))] * 3

    @staticmethod
    def output_to_input(drawn: Sequence[float]) -> npt.NDArray[np.float64]:
        """Return the matrix from output to input; see the base class."""
        return affine_matrix(np.diag(1 / np.array(drawn)))


class Shift(AffineTransform):
    """Translate the volume along its axes.

    Args:
        distance: Largest translation in mm along each axis; drawn uniformly from
            [-distance, distance].
        p: Probability of applying the transform.
    """

    name = "shift"

    def __init__(self, distance: float, *, p: float = 1.0):
        super().__init__(p=p)
        self.distance = distance

    def draw_parameters(self, rng: np.random.Generator) -> list[float]:
        """Draw a translation in mm to the right, anterior and superior."""
        return rng.uniform(-self.distance, self.distance, 3).tolist()

    @staticmethod
    def output_to_input(drawn: Sequence[float]) -> npt.NDArray[np.float64]:
        """Return the matrix from output to input; see the base class."""
        return affine_matrix(np.eye(3), -np.array(drawn))


class Flip(AffineTransform):
    """Mirror left and right with some probability.

    There is no flip along the spine, which would put the sacrum above the neck.

    Args:
        p: Probability of mirroring.
    """

    name = "flip"

    def __init__(self, p: float = 0.5):
        super().__init__(p=p)

    def draw_parameters(self, rng: np.random.Generator) -> bool:
        """Return True: the probability alone decides."""
        return True

    @staticmethod
    def output_to_input(drawn: bool) -> npt.NDArray[np.float64]:
        """Return the matrix from output to input; see the base class."""
        return affine_matrix(np.diag([-1.0 if drawn else 1.0, 1.0, 1.0]))


class Elastic(Transform):
    """Deform the volume by cubic B-splines on a coarse control grid.

    Args:
        displacement: Largest displacement of a control point along each axis,
            in mm; the limit of each copy is drawn uniformly from
            [0, displacement].
        control_spacing: Distance in mm between control points.
        p: Probability of applying the transform.

    Raises:
        ValueError: If the displacement could fold the volume.

    Reference:
        [Rueckert et al., 1999](https://doi.org/10.1109/42.796284), equation 1.
    """

    name = "elastic"

    def __init__(
        self, displacement: float, control_spacing: float = 32.0, *, p: float = 1.0
    ):
        super().__init__(p=p)
        if displacement > MAX_DISPLACEMENT * control_spacing:
            raise ValueError(
                "Elastic displacement must be at most "
                f"{MAX_DISPLACEMENT * control_spacing:.1f} mm, beyond which the volume "
                f"can fold. Received: {displacement} mm"
            )
        self.displacement = displacement
        self.control_spacing = control_spacing

    def draw_parameters(self, rng: np.random.Generator) -> dict[str, float | int]:
        """Draw the limit in mm and the seed of the control points."""
        return {
            "displacement": float(rng.uniform(0, self.displacement)),
            "control_spacing": self.control_spacing,
            "seed": int(rng.integers(2**32)),
        }

    @staticmethod
    def control(
        drawn: dict, shape: Sequence[int], spacing: Sequence[float]
    ) -> ControlGrid:
        """Return the displacements of the control points over an output grid.

        Args:
            drawn: What `draw_parameters` returned.
            shape: Of the output, (I, J, K).
            spacing: Of the output, in mm.

        Returns:
            Displacements in mm along the output's axes.
        """
        step = np.array(spacing) / drawn["control_spacing"]
        sides = np.floor((np.array(shape) - 1) * step).astype(int) + 4
        rng = np.random.default_rng(drawn["seed"])
        limit = drawn["displacement"]
        values = rng.uniform(-limit, limit, (3, *sides))
        return ControlGrid(values, tuple(step.tolist()))


def smallest_jacobian(
    control: ControlGrid, shape: Sequence[int], spacing: Sequence[float]
) -> float:
    """Compute the smallest Jacobian determinant of a displacement field.

    The Jacobian is that of `p + displacement(p)`, sampled at every quarter of a
    control spacing. Its determinant is 1 where nothing moves, below 1 where the
    volume is compressed, and at most 0 where it folds.

    Args:
        control: Displacements in mm.
        shape: Of the output, (I, J, K).
        spacing: Of the output, in mm.

    Returns:
        The smallest of the sampled determinants.
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
        # Axis by axis and without BLAS, whose threads would compete with the workers.
        derivative = control.values
        for factor in factors:
            used = factor[:, : derivative.shape[1]]
            derivative = np.einsum("pa,nabc->nbcp", used, derivative)
        jacobian[:, axis] = derivative
        jacobian[axis, axis] += 1
    (a, b, c), (d, e, f), (g, h, i) = jacobian
    determinant = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)
    return float(determinant.min())
