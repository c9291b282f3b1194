"""Labelling scans that are not part of a cube."""

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
    is_series_folder,
    read_finite_volume,
    stem_of,
    suffix_of,
    write_label_map,
)
from volumes.geometry import canonical_grid
from volumes.intensity_flag import describe_intensity
from volumes.intensity_rule import describe_misfit


def plan_label_maps(
    scans: Sequence[Path], folder: Path, kind: str, *, force: bool
) -> dict[Path, Path]:
    """Choose the path of each scan's label map, before any scan is predicted.

    If several scans have the same file name, the name of their folder is put in
    front.

    Args:
        scans: Files, or folders of DICOM series, to label.
        folder: For the label maps.
        kind: "seg.nrrd", or "input" for each scan's own format; of a DICOM series,
            "seg.nrrd" all the same.
        force: Whether existing label maps may be replaced.

    Raises:
        UsageError: If two label maps would have the same name, one exists already
            or would replace a scan, or the folder is not writable.
    """
    require_folder(folder)
    stems = [stem_of(scan) for scan in scans]
    label_maps: dict[Path, Path] = {}
    for scan, stem in zip(scans, stems, strict=True):
        suffix = ".seg.nrrd"
        if kind == "input" and not is_series_folder(scan):
            suffix = suffix_of(scan).replace(".nhdr", ".nrrd").replace(".mhd", ".mha")
        is_unique = stems.count(stem) == 1
        name = stem if is_unique else f"{scan.absolute().parent.name}_{stem}"
        label_maps[scan] = folder / f"{name}_label{suffix}"
    paths = list(label_maps.values())
    repeated = sorted({str(path) for path in paths if paths.count(path) > 1})
    if repeated or len(label_maps) < len(scans):
        raise UsageError(
            "Scans must be given once each and differ in their names or their "
            f"folders' names. Received twice: {', '.join(repeated) or 'a scan'}"
        )
    sources = {scan.resolve() for scan in scans}
    replaced = [str(path) for path in paths if path.resolve() in sources]
    if replaced:
        raise UsageError(
            "A label map must not replace a scan. Received as both: "
            f"{', '.join(replaced)}"
        )
    existing = [str(path) for path in paths if path.exists()]
    if existing and not force:
        raise UsageError(
            "Label maps must not exist yet; --force replaces them. Received: "
            f"{', '.join(existing)}"
        )
    return label_maps


def label_scan(
    network: keras.Model,
    metadata: ModelMetadata,
    scan: Path,
    label_map: Path,
    *,
    largest_only: bool = False,
    max_voxels: int = MAX_VOXELS,
) -> str:
    """Predict one scan and write its label map.

    Args:
        network: Ready to predict.
        metadata: The network's metadata.
        scan: File to read.
        label_map: File to write.
        largest_only: Whether to keep only the largest component of each class.
        max_voxels: Maximum number of voxels, both of the scan by its header and
            of the scan resampled to the network's spacing.

    Returns:
        A line with the volume of each class in ml and the seconds taken, followed
        by a line for each assumption made in reading, and one if the network's
        normalisation does not suit the scan.

    Raises:
        DataError: If the scan cannot be read, memory runs out, or the label map
            cannot be written.
    """
    start = time.perf_counter()
    image = read_finite_volume(scan, max_voxels)
    num_voxels = math.prod(canonical_grid(image.grid, metadata.spacing).shape)
    if num_voxels > max_voxels:
        raise DataError(
            f"{scan} must have at most {max_voxels} voxels at the network's spacing of "
            f"{metadata.spacing} mm; --max-voxels raises the limit. Received: "
            f"{num_voxels}, from {image.grid}"
        )
    with report_out_of_memory(f"predicting {scan}"):
        classes = predict_scan(network, metadata, image.array, image.grid)
    if largest_only:
        classes = keep_largest(classes)
    segments = metadata.segments()
    values = label_values(classes, segments)
    write_label_map(label_map, values, like=image, segments=segments)
    counts = count_labels(classes, len(metadata.class_names))
    voxel_ml = image.grid.voxel_volume / 1000
    volumes = ", ".join(
        f"{name} {count * voxel_ml:.1f} ml"
        for name, count in zip(metadata.class_names[1:], counts[1:], strict=False)
    )
    seconds = time.perf_counter() - start
    lines = [*image.notes, *_warnings(image.array, metadata)]
    notes = "".join(f"\n  {line}" for line in lines)
    return f"{scan} -> {label_map}: {volumes}, {seconds:.1f} s{notes}"


def _warnings(image: np.ndarray, metadata: ModelMetadata) -> list[str]:
    """Warn if the network's normalisation does not suit a scan."""
    misfit = describe_misfit(image, metadata.intensity)
    if not misfit:
        return []
    rule = describe_intensity(metadata.intensity)
    return [
        f"warning: the scan does not suit the {rule}: {misfit}; --intensity states "
        "another rule"
    ]
