"""Pictures of predictions, as files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from system.atomic import atomic_write
from volumes.geometry import canonical_spacing, canonical_view
from volumes.overlay import draw_prediction
from volumes.volume import Volume


def write_overlay(
    path: Path,
    title: str,
    image: Volume,
    reference: np.ndarray | None,
    prediction: np.ndarray,
    ignored: np.ndarray | None = None,
) -> None:
    """Draw the outlines of a prediction, and its reference, over slices of the scan.

    Args:
        path: The PNG file, replaced if it exists.
        title: First line of the picture.
        image: The scan.
        reference: Classes, shape of the scan; None if there is none.
        prediction: Classes, shape of the scan.
        ignored: Mask, shape of the scan, drawn hatched; None for none.
    """
    picture = draw_prediction(
        canonical_view(image.array, image.grid),
        None if reference is None else canonical_view(reference, image.grid),
        canonical_view(prediction, image.grid),
        canonical_spacing(image.grid),
        title,
        None if ignored is None else canonical_view(ignored, image.grid),
    )
    with atomic_write(path) as partial:
        picture.save(partial)
