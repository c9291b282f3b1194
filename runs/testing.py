"""Predicting and scoring a cube's test cases on the grid of each scan."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from tqdm import tqdm

from cube.places import ScanFinder, checksum_if_readable
from evaluation.kept import score_kept
from evaluation.scores import Score
from models.device import report_out_of_memory
from models.keeping import keep_part
from models.model_file import ModelMetadata
from models.prediction import label_values, predict_scan
from system.atomic import atomic_write
from system.errors import DataError
from system.text import file_names
from volumes.classes import build_lookup
from volumes.formats.files import read_label_map, read_volume, write_label_map
from volumes.geometry import canonical_spacing, canonical_view
from volumes.lattice import place_on_grid
from volumes.overlay import draw_prediction
from volumes.structures import vertebra_classes
from volumes.volume import Volume


@dataclass(frozen=True)
class EvaluationResult:
    """The result of testing a network.

    Args:
        scores: One per case and foreground class.
        seconds_per_scan: Mean time of a prediction, without reading and writing
            files; None without a test case.
    """

    scores: Sequence[Score]
    seconds_per_scan: float | None


def read_source(finder: ScanFinder, row: int, kind: str) -> Volume:
    """Read the scan or label map that a row of the cube was made from.

    Args:
        finder: Knows where the files of the cube are.
        row: A row of its cube.
        kind: "image" or "label".

    Raises:
        DataError: If the file is gone, or is no longer the one in the cube.
    """
    path, source = finder.find(row, kind), finder.cube.sources[row]
    max_voxels, read = math.prod(source["shape"]), read_volume
    if kind == "label":  # on a grid of its own
        max_voxels = max(max_voxels, source.get("label_voxels", 0))
        read = read_label_map
    try:
        volume = read(path, max_voxels)
    except DataError:
        finder.check(row, kind, path, checksum_if_readable(path))
        raise
    finder.check(row, kind, path, volume.checksum)
    return volume


def check_sources(finder: ScanFinder) -> None:
    """Check before training that the files of every test case can be used after it.

    Raises:
        DataError: If a test case's scan or label map is gone or changed.
    """
    for row in finder.cube.rows("test", copy=0):
        for kind in ("image", "label"):
            finder.find(row, kind)


def predict_test_cases(
    model: keras.Model, metadata: ModelMetadata, finder: ScanFinder, run: Path
) -> EvaluationResult:
    """Predict every test case, write its label map and overlay, and score it.

    Args:
        model: The network.
        metadata: The network's metadata; says what is kept of the predictions.
        finder: Knows the cube, which names the test cases, and finds their files.
        run: The run folder, for `predictions/` and `overlays/`.
    """
    scores, seconds, cube = [], [], finder.cube
    names = file_names(cube.case_ids)  # a cube may name a case "../../x"
    bar = tqdm(cube.rows("test", copy=0), unit="scan", disable=None)
    for row in bar:
        case_id = cube.case_ids[row]
        bar.set_description(case_id)
        image = read_source(finder, row, "image")
        start = time.perf_counter()
        with report_out_of_memory(f"predicting case '{case_id}'"):
            prediction = predict_scan(model, metadata, image.array, image.grid)
            kept = keep_part(prediction, image.grid, metadata)
        seconds.append(time.perf_counter() - start)
        # Not the network's label values: with --weights those may be of another cube.
        lookup = build_lookup(cube.label_values_of(row))
        label_map = read_source(finder, row, "label")
        reference = lookup[place_on_grid(label_map, image, case_id).array]
        scores += score_kept(
            kept.classes,
            None if metadata.keep == "all" else prediction,
            reference,
            grid=image.grid,
            class_names=cube.class_names,
            vertebrae=vertebra_classes(cube.class_names),
            case_id=case_id,
            subject=cube.subjects[row],
        )
        write_label_map(
            run / "predictions" / f"{names[case_id]}.seg.nrrd",
            label_values(kept.classes, metadata.segments()),
            like=image,
            segments=metadata.segments(),
        )
        overlay = run / "overlays" / f"{names[case_id]}.png"
        write_overlay(overlay, case_id, image, reference, kept.classes)
    return EvaluationResult(scores, float(np.mean(seconds)) if seconds else None)


def write_overlay(
    path: Path,
    title: str,
    image: Volume,
    reference: np.ndarray,
    prediction: np.ndarray,
) -> None:
    """Draw the outlines of reference and prediction over slices of the scan."""
    picture = draw_prediction(
        canonical_view(image.array, image.grid),
        canonical_view(reference, image.grid),
        canonical_view(prediction, image.grid),
        canonical_spacing(image.grid),
        title,
    )
    with atomic_write(path) as partial:
        picture.save(partial)
