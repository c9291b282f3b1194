"""Labelling scans that never were in a cube."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

from models.device import report_out_of_memory
from models.model_file import ModelMetadata
from models.prediction import keep_largest, label_values, predict_scan
from system.atomic import require_folder
from system.errors import DataError, UsageError
from system.limits import MAX_VOXELS
from volumes.classes import count_labels
from volumes.formats.files import (
    read_finite_volume,
    stem_of,
    suffix_of,
    write_label_map,
)
from volumes.geometry import canonical_grid


def plan_labels(
    scans: Sequence[Path], folder: Path, kind: str, *, force: bool
) -> dict[Path, Path]:
    """Decide where each scan's label map goes, before any is predicted.

    Scans of one file name get the name of their folder in front.

    Args:
        scans: Files to label.
        folder: For the label maps.
        kind: "seg.nrrd", or "input" for each scan's own format.
        force: Whether existing label maps may be replaced.

    Raises:
        UsageError: If two label maps would have one name, one exists already,
            or one would replace a scan; or the folder takes no files.
    """
    require_folder(folder)
    stems = [stem_of(scan) for scan in scans]
    labels: dict[Path, Path] = {}
    for scan, stem in zip(scans, stems, strict=True):
        suffix = ".seg.nrrd"
        if kind == "input":
            suffix = suffix_of(scan).replace(".nhdr", ".nrrd")
        lone = stems.count(stem) == 1
        name = stem if lone else f"{scan.absolute().parent.name}_{stem}"
        labels[scan] = folder / f"{name}_label{suffix}"
    names = list(labels.values())
    taken = sorted(str(name) for name in set(names) if names.count(name) > 1)
    if taken or len(labels) < len(scans):
        raise UsageError(
            "Each scan must be named once, and be told from the others by its name "
            f"or its folder's. Received twice: {', '.join(taken) or 'a scan'}"
        )
    sources = {scan.resolve() for scan in scans}
    replaced = [str(name) for name in names if name.resolve() in sources]
    if replaced:
        raise UsageError(
            "A label map must not replace a scan. Received as both: "
            f"{', '.join(replaced)}"
        )
    existing = [str(name) for name in names if name.exists()]
    if existing and not force:
        raise UsageError(f"--force replaces what exists: {', '.join(existing)}")
    return labels


def label_scan(
    network: keras.Model,
    metadata: ModelMetadata,
    scan: Path,
    label: Path,
    largest_only: bool = False,
    max_voxels: int = MAX_VOXELS,
) -> str:
    """Predict one scan and write its label map.

    Args:
        network: Ready to predict.
        metadata: What it was trained for.
        scan: File to read.
        label: File to write.
        largest_only: Whether to keep only the largest piece of each class.
        max_voxels: How many the scan's header may promise, and how many the
            network's grid may lay over it.

    Returns:
        A line that says what was found, millilitres of each class, and seconds,
        and what had to be assumed in reading.

    Raises:
        DataError: If the scan cannot be read, the memory does not suffice, or
            the label map cannot be written.
    """
    start = time.perf_counter()
    image = read_finite_volume(scan, max_voxels)
    voxels = math.prod(canonical_grid(image.grid, metadata.spacing).shape)
    if voxels > max_voxels:
        raise DataError(
            f"{scan} must take at most {max_voxels} voxels of the network's "
            f"{metadata.spacing} mm, which --max-voxels raises. Received: {voxels}, "
            f"from {image.grid}"
        )
    with report_out_of_memory(scan):
        classes = predict_scan(network, metadata, image.array, image.grid)
    if largest_only:
        classes = keep_largest(classes)
    segments = metadata.segments()
    values = label_values(classes, segments)
    write_label_map(label, values, like=image, segments=segments)
    counts = count_labels(classes, len(metadata.class_names))
    voxel_ml = abs(np.linalg.det(image.grid.affine[:3, :3])) / 1000
    found = ", ".join(
        f"{name} {count * voxel_ml:.1f} ml"
        for name, count in zip(metadata.class_names[1:], counts[1:], strict=False)
    )
    seconds = time.perf_counter() - start
    notes = "".join(f"\n  {note}" for note in image.notes)
    return f"{scan} -> {label}: {found}, {seconds:.1f} s{notes}"
