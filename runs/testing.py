"""Predicting and scoring a cube's test cases on the grid of each scan."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from cube.places import ScanFinder, checksum_if_readable
from cube.reader import Cube
from evaluation.instances import InstanceScore
from evaluation.kept import score_kept
from evaluation.scores import Score
from models.device import report_out_of_memory
from models.ensemble import Member, predict_members
from models.keeping import keep_part
from models.prediction import label_values
from models.training_scans import describe_misplacement
from runs.instances import score_vertebrae
from runs.overlay import write_overlay
from system.errors import DataError
from system.limits import MAX_VOXELS
from system.text import file_names, on_one_line
from volumes.classes import build_lookup
from volumes.formats.files import read_label_map, read_volume, write_label_map
from volumes.geometry import Grid, canonical_grid
from volumes.ignored import find_void, split_ignored
from volumes.lattice import place_on_grid
from volumes.structures import vertebra_classes
from volumes.volume import Volume


@dataclass(frozen=True)
class EvaluationResult:
    """The result of testing a network.

    Args:
        scores: One per case and foreground class.
        seconds_per_scan: Mean time of a prediction, without reading and writing
            files; None without a test case.
        instances: Scores of the instances, in cases that have any.
        warnings: Sentences, without their full stops, that begin with a case: all of
            its prediction was kept, or it is unlike the training scans.
    """

    scores: Sequence[Score]
    seconds_per_scan: float | None
    instances: Sequence[InstanceScore] = ()
    warnings: Sequence[str] = ()


@dataclass(frozen=True, eq=False)
class Reference:
    """The reference of a test case on the scan's grid.

    Args:
        label_map: Its file, placed on the grid.
        classes: Class of each voxel.
        void: Mask of the voxels that are not scored; see `find_void`. None in a cube
            that ignores nothing, as for `ignored`.
        ignored: Mask of the voxels that are ignored.
    """

    label_map: Volume
    classes: np.ndarray
    void: np.ndarray | None = None
    ignored: np.ndarray | None = None


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
    max_voxels, read = math.prod(source.get("shape", [MAX_VOXELS])), read_volume
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


def read_reference(finder: ScanFinder, row: int, image: Volume) -> Reference:
    """Read the reference of a test case.

    Args:
        finder: Knows where the files of the cube are.
        row: A row of its cube.
        image: The scan of that row.

    Raises:
        DataError: If the file is gone or changed, or does not fit the scan's grid.
    """
    cube = finder.cube
    # Not the network's label values: with --weights those may be of another cube.
    lookup = build_lookup(cube.label_values_of(row), cube.ignored_values_of(row))
    label_map = read_source(finder, row, "label")
    label_map = place_on_grid(label_map, image, cube.case_ids[row])
    classes = lookup[label_map.array]
    if not cube.ignores:
        return Reference(label_map, classes)
    void = find_void(classes, image.grid.spacing)
    classes, ignored = split_ignored(classes)
    return Reference(label_map, classes, void, ignored)


def check_sources(finder: ScanFinder) -> None:
    """Check before training that the files of every test case can be used after it.

    Raises:
        DataError: If a test case's scan or label map is gone or changed, or too large
            at the cube's spacing.
    """
    for row in finder.cube.rows("test", copy=0):
        for kind in ("image", "label"):
            finder.find(row, kind)
        source = finder.cube.sources[row]
        sides = np.multiply(source.get("shape", 0), source["spacing"])  # in mm
        num_voxels = np.prod(sides) / np.prod(finder.cube.spacing)
        _check_size(finder.cube, row, float(num_voxels))


def _check_size(cube: Cube, row: int, num_voxels: float) -> None:
    """Raise a DataError if a scan is too large at the spacing of its cube."""
    if num_voxels > MAX_VOXELS:
        raise DataError(
            f"Case '{cube.case_ids[row]}' must have at most {MAX_VOXELS} voxels at the "
            f"cube's spacing of {cube.spacing} mm. Received: {num_voxels:.3g}"
        )


def predict_test_cases(
    members: Sequence[Member], finder: ScanFinder, run: Path
) -> EvaluationResult:
    """Predict every test case, write its label map and overlay, and score it.

    Args:
        members: The network, or several whose probabilities are averaged; the
            metadata of the first say what is kept of the predictions.
        finder: Knows the cube, which names the test cases, and finds their files.
        run: The run folder, for `predictions/` and `overlays/`.

    Returns:
        The scores of all test cases; empty, with no time, if there are none.

    Raises:
        DataError: If a file of a case is gone or changed, memory runs out, or a file
            cannot be written.
    """
    cube = finder.cube
    names = file_names(cube.case_ids)  # a cube may name a case "../../x"
    results = []
    bar = tqdm(cube.rows("test", copy=0), unit="scan", disable=None)
    for row in bar:
        case_id = cube.case_ids[row]
        bar.set_description(case_id)
        results.append(_test_case(members, finder, row, run, names[case_id]))
    seconds = [result.seconds for result in results]
    return EvaluationResult(
        [score for result in results for score in result.scores],
        float(np.mean(seconds)) if seconds else None,
        [score for result in results for score in result.instances],
        [warning for result in results for warning in result.warnings],
    )


class _CaseResult(NamedTuple):
    """The result of one test case."""

    scores: list[Score]
    instances: list[InstanceScore]
    seconds: float
    warnings: list[str]


def _test_case(
    members: Sequence[Member], finder: ScanFinder, row: int, run: Path, name: str
) -> _CaseResult:
    """Predict and score a test case; write its label map and overlay as `name`."""
    cube, metadata = finder.cube, members[0].metadata
    case_id = cube.case_ids[row]
    image = read_source(finder, row, "image")
    # Exactly, as a grid has a voxel or more along each axis.
    _check_size(cube, row, math.prod(canonical_grid(image.grid, cube.spacing).shape))
    start = time.perf_counter()
    with report_out_of_memory(f"predicting case '{case_id}'"):
        prediction = predict_members(members, image.array, image.grid)
        kept = keep_part(prediction.classes, image.grid, metadata)
    classes = kept.classes
    seconds = time.perf_counter() - start
    reference = read_reference(finder, row, image)
    before = None if metadata.keep == "all" else prediction.classes
    scores = _score_classes(cube, row, image.grid, reference, classes, before)
    label_map, void = reference.label_map, reference.void
    instances = score_vertebrae(
        cube, row, label_map, reference.classes, classes, void=void
    )
    unlike = describe_misplacement(image, classes, metadata)
    found = filter(None, [kept.warning, unlike])
    warnings = [f"{on_one_line(case_id)}: {warning}" for warning in found]
    segments = metadata.segments()
    write_label_map(
        run / "predictions" / f"{name}.seg.nrrd",
        label_values(classes, segments),
        like=image,
        segments=segments,
    )
    write_overlay(
        run / "overlays" / f"{name}.png",
        case_id,
        image,
        classes,
        [member.metadata for member in members],
        reference=reference.classes,
        ignored=reference.ignored,
        scores=scores,
    )
    disagreement = prediction.disagreement or [None] * len(scores)
    scores = [
        replace(score, disagreement=value)
        for score, value in zip(scores, disagreement, strict=True)
    ]
    return _CaseResult(scores, instances, seconds, warnings)


def _score_classes(
    cube: Cube,
    row: int,
    grid: Grid,
    reference: Reference,
    classes: np.ndarray,
    before: np.ndarray | None,
) -> list[Score]:
    """Score each class of a test case; `before` keeping a part, if that was done."""
    return score_kept(
        classes,
        before,
        reference.classes,
        grid=grid,
        class_names=cube.class_names,
        vertebrae=vertebra_classes(cube.class_names),
        void=reference.void,
        case_id=cube.case_ids[row],
        subject=cube.subjects[row],
    )
