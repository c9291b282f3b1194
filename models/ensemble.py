"""Several networks as one: their probabilities are averaged on the scan's grid.

The mean and linear interpolation commute, so the probabilities of networks of one
spacing are summed on their common grid and interpolated once. Memory holds them as
often as there are spacings, and once more; the time is that of all networks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt

from models.metadata import ModelMetadata
from models.model_file import load_model
from models.prediction import (
    Part,
    classify,
    mean_on,
    predict_probabilities,
    resample_to_scan,
    slabs,
)
from system.errors import UsageError
from volumes.classes import count_labels
from volumes.formats.checksums import checksum
from volumes.geometry import Grid, canonical_grid
from volumes.intensity_flag import describe_intensity


@dataclass(frozen=True, eq=False)
class Member:
    """A trained network of an ensemble, or the only one.

    Args:
        path: Its file, for messages.
        network: Ready to predict.
        metadata: What it was trained for.
    """

    path: Path
    network: keras.Model
    metadata: ModelMetadata


@dataclass(frozen=True, eq=False)
class Prediction:
    """What one or several networks predict of a scan.

    Args:
        classes: Of the mean probabilities, shape of the scan.
        parts: The probabilities on the networks' grids.
        disagreement: Of each foreground class, 1 minus the members' mean pairwise
            Dice coefficient; None of one network.
    """

    classes: npt.NDArray[np.uint8]
    parts: tuple[Part, ...]
    disagreement: tuple[float, ...] | None


def load_members(paths: Sequence[Path]) -> tuple[Member, ...]:
    """Read networks that predict together.

    Their spacing, patch size, intensity and architecture may differ.

    Raises:
        DataError: If one cannot be read.
        UsageError: If two are the same, or have other classes; names both.
    """
    members = tuple(Member(path, *load_model(path)) for path in paths)
    first, known = members[0], {}
    for member in members:
        same = known.setdefault(checksum(member.path), member.path)
        if same != member.path or paths.count(same) > 1:
            raise UsageError(
                f"Each network must be given once. Received: {same} and {member.path}, "
                "which are the same"
            )
        if member.metadata.class_names != first.metadata.class_names:
            raise UsageError(
                "Networks that predict together must have the same classes, in one "
                f"order. Received: {', '.join(first.metadata.class_names)} of "
                f"{first.path}, {', '.join(member.metadata.class_names)} of "
                f"{member.path}"
            )
    return members


def settle_members(
    members: Sequence[Member], intensity: tuple, keep: str | None
) -> tuple[Member, ...]:
    """Return networks that follow the user's rules; print the rules and their source.

    Args:
        members: Networks that predict together.
        intensity: Mode of `measure_intensity`; ("auto",) for that of each network.
        keep: What is kept of predictions; None for what most of the networks say.
    """
    modes = [describe_intensity(member.metadata.intensity) for member in members]
    trained = " or ".join(dict.fromkeys(modes))
    models = "the model was" if len(members) == 1 else "the models were"
    changed = {}
    if intensity == ("auto",):
        print(f"intensity: {trained}, as {models} trained")
    else:
        changed["intensity"] = intensity
        rule = describe_intensity(intensity)
        print(f"intensity: {rule}, by --intensity; {models} trained with: {trained}")
    counts = Counter(member.metadata.keep for member in members)
    said, count = counts.most_common(1)[0]
    source = f"as {count} of {len(members)} models say"
    if len(members) == 1:
        source = "as the model says"
    changed["keep"] = keep or said
    print(f"keep: {changed['keep']}, {'by --keep' if keep else source}")
    return tuple(
        replace(member, metadata=replace(member.metadata, **changed))
        for member in members
    )


def predict_members(
    members: Sequence[Member], image: npt.NDArray, grid: Grid
) -> Prediction:
    """Predict a scan with all members and average their probabilities.

    Args:
        members: At least one.
        image: The scan's voxels, shape of `grid`, finite.
        grid: Grid of the scan.
    """
    sums: dict[tuple, Part] = {}
    label_maps = []
    common = canonical_grid(grid, members[0].metadata.spacing)
    for member in members:
        part = predict_probabilities(member.network, member.metadata, image, grid)
        spacing = member.metadata.spacing
        if len(members) > 1:
            is_common = spacing == members[0].metadata.spacing
            label_maps.append(
                classify(part.probabilities)
                if is_common
                else resample_to_scan([part], common)
            )
        if spacing in sums:
            np.add(
                sums[spacing].probabilities, part.probabilities, out=part.probabilities
            )
        sums[spacing] = Part(part.probabilities, part.grid, 1 / len(members))
    parts = tuple(sums.values())
    disagreement = None
    if len(members) > 1:
        num_classes = len(members[0].metadata.class_names)
        disagreement = measure_disagreement(label_maps, num_classes)
    return Prediction(resample_to_scan(parts, grid), parts, disagreement)


def measure_disagreement(
    label_maps: Sequence[npt.NDArray[np.uint8]], num_classes: int
) -> tuple[float, ...]:
    """Compute 1 minus the mean pairwise Dice coefficient of each foreground class.

    Args:
        label_maps: Of at least two members, on one grid, shape (I, J, K) each; 0 is
            the background.
        num_classes: Background included.

    Returns:
        A value in [0, 1] per foreground class; 0 where all members agree. Two
        members that both lack a class agree.
    """
    counts = [count_labels(each, num_classes)[1:] for each in label_maps]
    coefficients = []
    for a, b in combinations(range(len(label_maps)), 2):
        shared = np.where(label_maps[a] == label_maps[b], label_maps[a], 0)
        num_shared = count_labels(shared, num_classes)[1:]
        total = counts[a] + counts[b]
        coefficients.append(
            np.where(total > 0, 2 * num_shared / np.maximum(total, 1), 1.0)
        )
    return tuple((1 - np.mean(coefficients, axis=0)).tolist())


def scale_probability(
    parts: Sequence[Part], channel: int, target: Grid
) -> npt.NDArray[np.uint8]:
    """Return the mean probability of a foreground class on the scan's grid, in 255ths.

    Args:
        parts: Of a `Prediction`.
        channel: Of the foreground class, from 0.
        target: Grid of the scan.

    Returns:
        Shape of `target`; 255 is a probability of 1.
    """
    scaled = np.empty(target.shape, np.uint8)
    for planes, slab in slabs(target):
        mean = mean_on(slab, parts, channel)
        scaled[planes] = np.rint(255 * np.clip(np.nan_to_num(mean), 0, 1))
    return scaled
