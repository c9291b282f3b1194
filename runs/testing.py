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

from cube.reader import Cube
from evaluation.scores import Score, score_case
from models.device import report_out_of_memory
from models.model_file import ModelMetadata
from models.prediction import label_values, predict_scan
from system.atomic import atomic_write
from system.errors import DataError
from system.text import file_names
from volumes.classes import Classes
from volumes.formats.files import checksum, read_label_map, read_volume, write_label_map
from volumes.geometry import canonical_spacing, canonical_view
from volumes.overlay import draw_prediction
from volumes.vertebrae import vertebra_classes
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


def read_source(source: dict, kind: str, case_id: str) -> Volume:
    """Read the scan or label map that a row of the cube was made from.

    Raises:
        DataError: If the file is gone, or is no longer the one in the cube.
    """
    path = _source_path(source, kind)
    read = read_volume if kind == "image" else read_label_map
    try:
        volume = read(path, math.prod(source["shape"]))
    except DataError:
        _check_unchanged(source, kind, case_id, checksum(path))
        raise
    _check_unchanged(source, kind, case_id, volume.checksum)
    return volume


def check_sources(cube: Cube) -> None:
    """Check before training that the files of every test case can be used after it.

    Raises:
        DataError: If a test case's scan or label map is gone or changed.
    """
    for row in cube.rows("test", copy=0):
        source, case_id = cube.sources[row], cube.case_ids[row]
        for kind in ("image", "label"):
            found = checksum(_source_path(source, kind))
            _check_unchanged(source, kind, case_id, found)


def _source_path(source: dict, kind: str) -> Path:
    return Path(str(source.get(kind, "")))


def _check_unchanged(source: dict, kind: str, case_id: str, found: str) -> None:
    """Raise if a file's checksum is not the one that the cube holds."""
    if found != source.get(f"{kind}_checksum"):
        raise DataError(
            f"{_source_path(source, kind)} must be the {kind} that case '{case_id}' "
            "was made from, but it changed after the cube was built. Build the cube "
            "again."
        )


def predict_test_cases(
    model: keras.Model, metadata: ModelMetadata, cube: Cube, run: Path
) -> EvaluationResult:
    """Predict every test case, write its label map and overlay, and score it.

    Args:
        model: The network.
        metadata: The network's metadata.
        cube: Open; names the test cases and their files.
        run: The run folder, for `predictions/` and `overlays/`.
    """
    scores, seconds = [], []
    # Not the network's label values: with --weights those may be of another cube.
    lookup = Classes(cube.class_names, cube.label_values).lookup()
    names = file_names(cube.case_ids)  # a cube may name a case "../../x"
    bar = tqdm(cube.rows("test", copy=0), unit="scan", disable=None)
    for row in bar:
        case_id, source = cube.case_ids[row], cube.sources[row]
        bar.set_description(case_id)
        image = read_source(source, "image", case_id)
        start = time.perf_counter()
        with report_out_of_memory(f"predicting case '{case_id}'"):
            prediction = predict_scan(model, metadata, image.array, image.grid)
        seconds.append(time.perf_counter() - start)
        reference = lookup[read_source(source, "label", case_id).array]
        scores += score_case(
            prediction,
            reference,
            grid=image.grid,
            class_names=cube.class_names,
            vertebrae=vertebra_classes(cube.class_names, cube.label_values),
            case_id=case_id,
            subject=cube.subjects[row],
        )
        write_label_map(
            run / "predictions" / f"{names[case_id]}.seg.nrrd",
            label_values(prediction, metadata.segments()),
            like=image,
            segments=metadata.segments(),
        )
        overlay = run / "overlays" / f"{names[case_id]}.png"
        write_overlay(overlay, case_id, image, reference, prediction)
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
