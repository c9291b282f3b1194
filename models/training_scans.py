"""What the scans that a network was trained on are like, compared with a new one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cube.reader import Cube
from models.metadata import ModelMetadata
from volumes.geometry import canonical_spacing, canonical_view
from volumes.ignored import split_ignored
from volumes.intensity import measure_intensity, sample_voxels
from volumes.intensity_rule import IntensityProfile, measure_profile
from volumes.traits import TraitRanges, find_ranges, measure_traits
from volumes.volume import Volume


def measure_training_scans(cube: Cube) -> TraitRanges | None:
    """Measure a cube's training scans and their label maps; None without any."""
    scans = []
    for row in cube.rows("train", copy=0):
        box, source = cube.filled_box(row), cube.sources[row]
        image = cube.image(row, box).astype(np.float32)
        classes, _ = split_ignored(cube.label(row, box))
        profile = source.get("profile")  # earlier cubes have none
        is_hounsfield = IntensityProfile(**profile).is_hounsfield if profile else None
        traits = measure_traits(
            sample_voxels(image),
            image[classes > 0],
            classes,
            cube.spacing,
            source.get("spacing", cube.spacing),
            is_hounsfield=is_hounsfield,
        )
        scans.append(traits)
    return find_ranges(scans)


def describe_misplacement(
    image: Volume, classes: npt.NDArray[np.uint8], metadata: ModelMetadata
) -> str:
    """Describe in what a scan and its prediction are unlike a network's training.

    Args:
        image: The scan.
        classes: What was predicted, shape of the scan.
        metadata: Of the network.

    Returns:
        As of `TraitRanges.describe`; "" if the network does not say what it was
        trained on.
    """
    if metadata.training is None:
        return ""
    intensity = measure_intensity(image.array, metadata.intensity)
    traits = measure_traits(
        intensity.normalise(sample_voxels(image.array)),
        intensity.normalise(sample_voxels(image.array[classes > 0])),
        canonical_view(classes, image.grid),
        canonical_spacing(image.grid),
        image.grid.spacing,
        is_hounsfield=measure_profile(image.array).is_hounsfield,
    )
    return metadata.training.describe(traits)
