"""Prediction of whole validation cases, and their Dice coefficients."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import keras
import numpy as np

from cube.reader import Cube
from models.metadata import ModelMetadata
from models.prediction import classify, predict_image
from models.process_group import ProcessGroup
from models.tiles import fit_tile
from volumes.ignored import IGNORED, find_void


def validation_dice(
    model: keras.Model,
    metadata: ModelMetadata,
    cube: Cube,
    rows: Sequence[int],
    group: ProcessGroup,
) -> float:
    """Return the mean of the `mean_dice` of whole validation cases.

    The processes share the cases, and all return the same.

    Args:
        model: The network.
        metadata: What it is trained for.
        cube: Open.
        rows: Of the validation cases, at least one.
        group: The processes.
    """
    num_classes = len(cube.class_names)
    own = rows[group.rank :: group.size]
    coefficients = [
        mean_dice(prediction, reference, num_classes)
        for prediction, reference in predict_cases(model, metadata, cube, own)
    ]
    total, count = group.sum([np.sum(coefficients), len(coefficients)])
    return float(total / count)


def predict_cases(
    model: keras.Model, metadata: ModelMetadata, cube: Cube, rows: Sequence[int]
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield prediction and reference of whole cases, as classes on the cube's grid.

    Where the reference is `IGNORED`, the prediction is not scored.

    Yields:
        Prediction and reference of a row, uint8, shape (I, J, K) each.
    """
    for row in rows:
        probabilities = predict_image(
            model,
            cube.image(row),
            cube.extents[row],
            fit_tile(metadata, cube.extents[row]),
            num_classes=len(cube.class_names),
            overlap=0.25,
        )
        reference = cube.label(row)
        if cube.ignores:
            reference[find_void(reference, cube.spacing)] = IGNORED
        yield classify(probabilities), reference


def mean_dice(prediction: np.ndarray, reference: np.ndarray, num_classes: int) -> float:
    """Return the mean hard Dice coefficient of a case's foreground classes.

    A class absent from both prediction and reference counts 1. Voxels whose reference
    is `IGNORED` are left out, unless there are so many classes that it is one.

    Args:
        prediction: Classes, shape (I, J, K).
        reference: Classes, shape (I, J, K).
        num_classes: Background included; at least 2.
    """
    if num_classes <= IGNORED:
        prediction = prediction * (reference != IGNORED)
    coefficients = []
    for number in range(1, num_classes):
        a, b = prediction == number, reference == number
        total = a.sum() + b.sum()
        coefficients.append(2 * (a & b).sum() / total if total else 1.0)
    return float(np.mean(coefficients))
