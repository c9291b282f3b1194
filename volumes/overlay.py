"""Pictures of a prediction, compared with its reference."""

from __future__ import annotations

from collections.abc import Sequence

import numpy.typing as npt
from PIL import Image

from volumes.drawing import (
    BOTH_COLOR,
    IGNORED_COLOR,
    draw_panel_row,
    find_slices,
    find_window,
    fit_scale,
)
from volumes.panels import Color, draw_sheet

REFERENCE_COLOR: Color = (60, 220, 90)
PREDICTION_COLOR: Color = (255, 60, 60)


def draw_prediction(
    image: npt.NDArray,
    reference: npt.NDArray | None,
    prediction: npt.NDArray,
    spacing: Sequence[float],
    title: str,
    ignored: npt.NDArray | None = None,
) -> Image.Image:
    """Draw three slices with the outlines of reference and prediction.

    The slices go through the foreground of the reference, or of the prediction if
    the reference has none. All classes have one colour.

    Args:
        image: Intensities, shape (I, J, K), axes to right, anterior, superior.
        reference: Annotated labels of the same shape, or None.
        prediction: Predicted labels of the same shape.
        spacing: Voxel spacing in mm along I, J, K.
        title: First line of the picture.
        ignored: Mask of the same shape, drawn hatched; None for none.

    Raises:
        ValueError: If the shapes differ.
    """
    volumes = (image, reference, prediction, ignored)
    shapes = [volume.shape for volume in volumes if volume is not None]
    if len(set(shapes)) != 1:
        raise ValueError(
            "Image, reference and prediction must have one shape. "
            f"Received: shapes={shapes}"
        )
    outlines = [(prediction, lambda label: PREDICTION_COLOR)]
    legend = [("prediction", PREDICTION_COLOR)]
    if reference is not None:
        outlines.insert(0, (reference, lambda label: REFERENCE_COLOR))
        legend.insert(0, ("reference", REFERENCE_COLOR))
        legend.append(("both on one line", BOTH_COLOR))
    if ignored is not None and ignored.any():
        legend.append(("ignored", IGNORED_COLOR))
    shown = prediction if reference is None or not reference.any() else reference
    row = draw_panel_row(
        image,
        outlines,
        find_slices(shown),
        spacing,
        window=find_window(image),
        mm_per_pixel=fit_scale(image.shape, spacing),
        ignored=ignored,
    )
    return draw_sheet([("", row)], title=title, legend=legend)
