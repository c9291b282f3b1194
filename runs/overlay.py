"""Pictures of predictions, as files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from evaluation.scores import Score
from models.metadata import ModelMetadata
from runs.folder import TITLES
from spine.planes import choose_planes
from system.atomic import atomic_write
from volumes.geometry import canonical_spacing, canonical_view
from volumes.overlay import draw_prediction
from volumes.sections import Sections
from volumes.structures import vertebra_classes
from volumes.volume import Volume
from volumes.window import find_window_around


def write_overlay(
    path: Path,
    name: str,
    image: Volume,
    prediction: np.ndarray,
    networks: Sequence[ModelMetadata],
    *,
    reference: np.ndarray | None = None,
    ignored: np.ndarray | None = None,
    scores: Sequence[Score] = (),
    window: tuple[float, float] | None = None,
) -> None:
    """Draw a prediction over planes of the scan, and its errors.

    Args:
        path: The PNG file, replaced if it exists.
        name: Of the scan.
        image: The scan.
        prediction: Classes, shape of the scan.
        networks: That predicted it together; the first names the classes.
        reference: Classes, shape of the scan; None if there is none.
        ignored: Mask, shape of the scan, drawn hatched; None for none.
        scores: Of each class.
        window: Intensities drawn black and white; by default those of the networks, or
            of the scan.
    """
    metadata, grid = networks[0], image.grid
    array, labels = (canonical_view(each, grid) for each in (image.array, prediction))
    annotated = None if reference is None else canonical_view(reference, grid)
    shown = labels if annotated is None or not annotated.any() else annotated
    spacing = canonical_spacing(grid)
    mode = metadata.intensity
    if window is None and mode[0] == "window":
        window = float(mode[1]), float(mode[2])
    window = window or find_window_around(array, shown, spacing)
    planes = choose_planes(shown, spacing, vertebra_classes(metadata.class_names))
    hatched = None if ignored is None else canonical_view(ignored, grid)
    picture = draw_prediction(
        Sections(array, labels, planes, spacing, window, hatched),
        annotated,
        metadata.class_names,
        title=[name, describe_networks(networks), *describe_mean(scores)],
        scores={score.class_name: _describe(score) for score in scores},
    )
    with atomic_write(path) as partial:
        picture.save(partial)


def describe_networks(networks: Sequence[ModelMetadata]) -> str:
    """Name a network, or those that predict together: "UNet-2D + UNet-3D"."""
    titles = [TITLES.get(each.model, each.model) for each in networks]
    return " + ".join(
        title if titles.count(title) == 1 else f"{titles.count(title)} {title}"
        for title in dict.fromkeys(titles)
    )


def describe_mean(scores: Sequence[Score]) -> list[str]:
    """Return the mean Dice and HD95 over the classes, as words of a title."""
    if not scores:
        return []
    words = [f"Dice {np.mean([score.dice for score in scores]):.3f}"]
    distances = [score.hd95_mm for score in scores if score.hd95_mm is not None]
    if distances:
        words.append(f"HD95 {np.mean(distances):.1f} mm")
    if len(scores) > 1:
        words[0] = f"mean {words[0]}"
    return words


def _describe(score: Score) -> str:
    """Return the Dice and HD95 of a class."""
    distance = "" if score.hd95_mm is None else f", {score.hd95_mm:.1f} mm"
    return f"{score.dice:.2f}{distance}"
