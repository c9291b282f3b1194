"""Labelling scans that are not part of a cube."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.device import report_out_of_memory
from models.ensemble import Member, Prediction, predict_members, scale_probability
from models.keeping import keep_part
from models.metadata import ModelMetadata
from models.prediction import label_values
from models.training_scans import describe_misplacement
from runs.label_plan import Outputs
from runs.label_table import Row
from runs.leftovers import remove_leftovers
from runs.overlay import write_overlay
from runs.vertebra_files import PredictedVertebrae
from spine.keeping import Kept
from system.errors import DataError
from system.limits import MAX_VOXELS
from system.text import on_one_line
from volumes.classes import count_labels
from volumes.formats.files import read_finite_volume, write_image, write_label_map
from volumes.geometry import canonical_grid
from volumes.intensity_flag import describe_intensity
from volumes.intensity_rule import describe_misfit
from volumes.volume import Segment, Volume


@dataclass(frozen=True)
class Labelled:
    """What is reported of a scan.

    Args:
        line: What is printed.
        rows: Of labels.csv, one per foreground class.
        warnings: A sentence each.
        fault: Why the vertebrae that were asked for were not written; else "".
    """

    line: str
    rows: tuple[Row, ...]
    warnings: tuple[str, ...]
    fault: str = ""


def label_scan(
    members: Sequence[Member],
    scan: Path,
    outputs: Outputs,
    *,
    max_voxels: int = MAX_VOXELS,
    probabilities: bool = False,
    picture: bool = False,
    vertebrae: PredictedVertebrae | None = None,
) -> Labelled:
    """Predict one scan and write its label map.

    Args:
        members: One network, or several whose probabilities are averaged. The
            metadata of the first say what is kept of the prediction.
        scan: File or folder to read.
        outputs: Files to write.
        max_voxels: Maximum number of voxels, both of the scan by its header and
            of the scan resampled to each network's spacing.
        probabilities: Whether to write each class's mean probability.
        picture: Whether to draw the prediction over the scan.
        vertebrae: To find in the prediction; None to find none.

    Raises:
        DataError: If a file cannot be read or written, or memory runs out.
    """
    start = time.perf_counter()
    image = read_finite_volume(scan, max_voxels)
    prediction, kept = _predict(members, scan, image, max_voxels)
    metadata = members[0].metadata
    segments = metadata.segments()
    values = label_values(kept.classes, segments)
    write_label_map(outputs.label_map, values, like=image, segments=segments)
    remove_leftovers(outputs)
    if probabilities:
        _write_probabilities(prediction, image, outputs, metadata.class_names)
    if picture:
        networks = [member.metadata for member in members]
        write_overlay(outputs.picture, outputs.name, image, kept.classes, networks)
    volumes = _measure_volumes(kept, image, metadata)
    warnings = _find_warnings(image, members, kept)
    seconds = time.perf_counter() - start
    found = _Found(metadata, volumes, prediction.disagreement, kept, warnings, seconds)
    del prediction  # its probabilities are larger than the scan
    notes = [*image.notes, *(f"warning: {warning}" for warning in warnings)]
    lines = [f"{scan} -> {outputs.label_map}: {found.describe()}", *notes]
    rows = found.rows(scan, outputs.label_map)
    more, fault = _label_vertebrae(vertebrae, scan, outputs, values, segments, image)
    return Labelled("\n  ".join([*lines, *more]), rows, tuple(warnings), fault)


def _predict(
    members: Sequence[Member], scan: Path, image: Volume, max_voxels: int
) -> tuple[Prediction, Kept]:
    """Predict a scan that is not too large; return what is kept of it as well."""
    for member in members:
        _check_size(image, scan, member.metadata, max_voxels)
    with report_out_of_memory(f"predicting {scan}"):
        prediction = predict_members(members, image.array, image.grid)
        kept = keep_part(prediction.classes, image.grid, members[0].metadata)
    return prediction, kept


def _measure_volumes(kept: Kept, image: Volume, metadata: ModelMetadata) -> list[float]:
    """Return the volume of each foreground class in ml."""
    counts = count_labels(kept.classes, len(metadata.class_names))[1:]
    return (counts * image.grid.voxel_volume / 1000).tolist()


def _label_vertebrae(
    vertebrae: PredictedVertebrae | None,
    scan: Path,
    outputs: Outputs,
    values: npt.NDArray[np.unsignedinteger],
    segments: Sequence[Segment],
    image: Volume,
) -> tuple[list[str], str]:
    """Find the vertebrae in a label map; return lines to print, and why there are none.

    Returns:
        No lines if `vertebrae` is None; "" unless they were not found.
    """
    if vertebrae is None:
        return [], ""
    try:
        with report_out_of_memory(f"finding the vertebrae of {scan}"):
            return vertebrae.label(outputs, values, segments, image), ""
    except DataError as error:  # the label map is there all the same
        return [], str(error)


def _find_warnings(image: Volume, members: Sequence[Member], kept: Kept) -> list[str]:
    """Return a sentence for each warning about a prediction."""
    unlike = describe_misplacement(image, kept.classes, members[0].metadata)
    warnings = list(dict.fromkeys(_misfits(image.array, members)))
    warnings += filter(None, [kept.warning, unlike])
    if not kept.classes.any():
        warnings.append("nothing was labelled")
    return warnings


@dataclass(frozen=True, eq=False)
class _Found:
    """What was found in a scan, for the terminal and for labels.csv."""

    metadata: ModelMetadata
    volumes: list[float]
    disagreement: tuple[float, ...] | None
    kept: Kept
    warnings: list[str]
    seconds: float

    def describe(self) -> str:
        """Describe it in a line."""
        parts = []
        for number, name in enumerate(self.metadata.class_names[1:]):
            part = f"{name} {self.volumes[number]:.1f} ml"
            if self.disagreement is not None:
                part += f" (disagreement {self.disagreement[number]:.3f})"
            parts.append(part)
        if self.metadata.keep != "all":
            parts.append(f"dropped {self.kept.dropped_ml:.1f} ml")
        return ", ".join([*parts, f"{self.seconds:.1f} s"])

    def rows(self, scan: Path, label_map: Path) -> tuple[Row, ...]:
        """Return the rows of labels.csv."""
        rows = []
        for number, name in enumerate(self.metadata.class_names[1:]):
            row: Row = {
                "scan": on_one_line(str(scan)),
                "label_map": on_one_line(label_map.name),
                "class": name,
                "ml": round(self.volumes[number], 3),
                "warnings": " ".join(f"{warning}." for warning in self.warnings),
                "seconds": round(self.seconds, 2),
            }
            if self.disagreement is not None:
                row["disagreement"] = round(self.disagreement[number], 4)
            if self.metadata.keep != "all":
                row["dropped_ml"] = round(self.kept.dropped_ml, 3)
            rows.append(row)
        return tuple(rows)


def _check_size(
    image: Volume, scan: Path, metadata: ModelMetadata, max_voxels: int
) -> None:
    """Raise a DataError if a scan is too large at a network's spacing."""
    num_voxels = math.prod(canonical_grid(image.grid, metadata.spacing).shape)
    if num_voxels > max_voxels:
        raise DataError(
            f"{scan} must have at most {max_voxels} voxels at the network's spacing of "
            f"{metadata.spacing} mm; --max-voxels raises the limit. Received: "
            f"{num_voxels}, from {image.grid}"
        )


def _write_probabilities(
    prediction: Prediction,
    image: Volume,
    outputs: Outputs,
    class_names: Sequence[str],
) -> None:
    """Write a file per foreground class; 255 is a probability of 1."""
    for channel, path in enumerate(outputs.probabilities(class_names)):
        scaled = scale_probability(prediction.parts, channel, image.grid)
        write_image(path, scaled, image.grid)


def _misfits(image: np.ndarray, members: Sequence[Member]) -> list[str]:
    """Warn for each network whose normalisation does not suit a scan."""
    warnings = []
    for member in members:
        misfit = describe_misfit(image, member.metadata.intensity)
        if misfit:
            rule = describe_intensity(member.metadata.intensity)
            warnings.append(
                f"the scan does not suit the {rule}: {misfit}; --intensity states "
                "another rule"
            )
    return warnings
