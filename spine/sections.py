"""Sections of a label map at right angles to the curve of a spine."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from spine.curve import Curve
from volumes.geometry import Grid

SAMPLE_MM = 1.5  # between the samples of a section


def count_samples(
    labels: npt.NDArray[np.integer], grid: Grid, curve: Curve, radius: float
) -> npt.NDArray[np.int64]:
    """Count the samples of each label in a disc around each point of a curve.

    Args:
        labels: From 0, shape of `grid`.
        grid: Of the labels. Samples outside count as label 0.
        curve: With P points.
        radius: Of the discs, mm.

    Returns:
        Shape (P, N + 1), N the largest label.
    """
    steps = np.arange(-radius, radius + SAMPLE_MM / 2, SAMPLE_MM)
    right, anterior = (side.ravel() for side in np.meshgrid(steps, steps))
    is_inside = np.hypot(right, anterior) <= radius
    disc = np.stack([right[is_inside], anterior[is_inside]], axis=1)
    points = curve.points[:, None] + disc @ curve.frames[:, :2]  # (P, samples, 3)
    index = np.rint(grid.to_index(points)).astype(np.int64)
    is_in_grid = ((index >= 0) & (index < grid.shape)).all(axis=-1)
    index[~is_in_grid] = 0
    values = labels[tuple(np.moveaxis(index, -1, 0))] * is_in_grid
    num_labels = int(labels.max()) + 1
    rows = np.arange(len(points))[:, None] * num_labels + values
    counts = np.bincount(rows.ravel(), minlength=len(points) * num_labels)
    return counts.reshape(len(points), num_labels)


def measure_lengths(sections: npt.NDArray[np.integer]) -> npt.NDArray[np.float64]:
    """Return how many sections each label fills by a third or more, shape (N,).

    Args:
        sections: As of `count_samples`, in discs narrower than a vertebral body.
            Points of a curve are about a mm apart, so this is a length in mm.
    """
    share = sections[:, 1:] / np.maximum(sections.sum(axis=1, keepdims=True), 1)
    return (share >= 1 / 3).sum(axis=0).astype(np.float64)
