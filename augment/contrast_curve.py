"""Random curves of intensity, after which a scan looks as if from another sequence."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from augment.transform import IntensityTransform

NUM_KNOTS = (3, 6)  # fewest and most
RANGE_PERCENTILES = (1, 99)  # of the intensities between the first and the last knot
MAX_SAMPLE = 50_000  # voxels from which the percentiles are computed


class ContrastCurve(IntensityTransform):
    """Map intensities through a random piecewise-linear curve.

    The curve need not rise: what is bright in one sequence is dark in another. So a
    network learns shapes and not the contrast of one scanner. Mean and standard
    deviation stay as they were.

    Args:
        p: Probability of applying the transform.
    """

    name = "contrast_curve"

    def __init__(self, p: float = 1.0):
        super().__init__(p=p)

    def draw_parameters(self, rng: np.random.Generator) -> dict[str, list[float]]:
        """Draw 3 to 6 knots: their places from 0 to 1, in order, and their heights."""
        fewest, most = NUM_KNOTS
        count = int(rng.integers(fewest, most, endpoint=True))
        inner = np.sort(rng.uniform(0, 1, count - 2)).tolist()
        heights = rng.uniform(0, 1, count).tolist()
        return {"places": [0.0, *inner, 1.0], "heights": heights}

    @staticmethod
    def apply(
        image: npt.NDArray[np.float32],
        drawn: dict[str, Sequence[float]],
        spacing: Sequence[float],
    ) -> npt.NDArray[np.float32]:
        """Interpolate the curve at each voxel; see the base class.

        Places 0 and 1 are the 1st and the 99th percentile; beyond them the curve is
        flat. An image without contrast between the two stays as it is.
        """
        sample = image.reshape(-1)[:: max(1, image.size // MAX_SAMPLE)]
        low, high = np.percentile(sample, RANGE_PERCENTILES)
        knots = low + np.array(drawn["places"]) * (high - low)
        curved = np.interp(image, knots, drawn["heights"])
        if low == high or np.ptp(curved) == 0:
            return image.copy()
        scale = image.std(dtype=np.float64) / curved.std()
        offset = image.mean(dtype=np.float64) - scale * curved.mean()
        return (curved * scale + offset).astype(np.float32)
