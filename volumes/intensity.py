"""Normalising a scan's intensity, from its voxels and never from its label map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from system.limits import MAX_INTENSITY

# In older cubes and models each scan was taken for CT if its 0.5 percentile was lower.
CT_BELOW = -500.0
# In HU, from soft tissue to cortical bone.
CT_WINDOW = (-200.0, 1000.0)
PERCENTILES = (0.5, 99.5)
SAMPLED_VOXELS = 1_000_000
LEAST_SCALE = 1e-30  # its inverse fits float32


@dataclass(frozen=True)
class Intensity:
    """The normalisation of one scan: `(clip(x, low, high) - center) / scale`.

    Args:
        kind: "zscore" or "window".
        low: Lower clip, in the scan's unit.
        high: Upper clip, in the scan's unit.
        center: Mapped to 0.
        scale: Divisor, positive.
    """

    kind: str
    low: float
    high: float
    center: float
    scale: float

    @property
    def background(self) -> float:
        """Intensity assumed outside the scan, in the scan's unit."""
        return self.low

    def normalise(self, image: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return a clipped and scaled copy, same shape; a window becomes -1 to 1."""
        clipped = np.clip(image, self.low, self.high)
        clipped -= np.float32(self.center)
        clipped *= np.float32(1 / self.scale)
        return clipped

    def to_dict(self) -> dict[str, object]:
        """Return the values as a JSON-safe dict."""
        return asdict(self)


def measure_intensity(image: np.ndarray, mode: Sequence[str | float]) -> Intensity:
    """Compute the normalisation of a scan.

    Args:
        image: The scan's voxels, any shape, finite.
        mode: ("zscore",), clipped to the 0.5 and 99.5 percentiles, or ("window", low,
            high). In older cubes and models also ("auto",): the window -200 to 1000
            for a scan whose 0.5 percentile is below -500, else a z-score.

    Returns:
        The normalisation. The scale of a constant scan is 1.
    """
    flat = sample_voxels(image)
    low, high = (float(value) for value in np.percentile(flat, PERCENTILES))
    if mode[0] == "auto" and low < CT_BELOW:
        mode = ("window", *CT_WINDOW)
    if mode[0] == "window":
        low, high = float(mode[1]), float(mode[2])
        return Intensity("window", low, high, (low + high) / 2, (high - low) / 2)
    clipped = np.clip(flat, low, high)
    # By rounding, the deviation of a constant scan is not exactly 0.
    scale = float(clipped.std(dtype=np.float64)) if low < high else 1.0
    if scale < LEAST_SCALE:
        scale = 1.0
    return Intensity("zscore", low, high, float(clipped.mean()), scale)


def sample_voxels(image: np.ndarray) -> npt.NDArray[np.float32]:
    """Return every n-th voxel of a scan, about a million at most, shape (N,)."""
    flat = image.ravel(order="K")
    # An odd step does not alias with sides that are multiples of two.
    return flat[:: max(1, flat.size // SAMPLED_VOXELS) | 1].astype(np.float32)


def is_mode(mode: object) -> bool:
    """Return whether a mode read from a file is valid for `measure_intensity`."""
    if not isinstance(mode, list | tuple) or not mode:
        return False
    if len(mode) == 1:
        return mode[0] in ("auto", "zscore")
    ends = mode[1:]
    are_numbers = all(
        type(end) in (int, float) and abs(end) <= MAX_INTENSITY for end in ends
    )
    is_window = mode[0] == "window" and len(ends) == 2 and are_numbers
    return is_window and (ends[1] - ends[0]) / 2 >= LEAST_SCALE
