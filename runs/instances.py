"""Scoring the vertebrae of a test case as instances, where its label map tells them.

Each class may be one vertebra, or one class may merge several values of the label maps.
Of these, the values with the name of a vertebra are instances; all of them are if the
label map names none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial

import numpy as np
import numpy.typing as npt

from cube.reader import Cube
from evaluation.instances import InstanceScore, score_instances
from spine.instances import find_instances
from system.limits import MAX_LABEL
from volumes.geometry import Grid
from volumes.label_tables import name_values
from volumes.structures import (
    SACRAL,
    VERTEBRA_NAMES,
    canonical_name,
    vertebra_classes,
)
from volumes.volume import Volume


def find_merged_class(cube: Cube) -> int | None:
    """Return the class that merges several values of a scan's label map.

    Returns:
        Its number; None without one, or if there are several and not exactly one of
        them is called vertebrae.
    """
    values = [cube.label_values_of(row) for row in range(len(cube))]
    merged = [
        number
        for number in range(1, len(cube.class_names))
        if any(len(of_row[number]) > 1 for of_row in values)
    ]
    if len(merged) > 1:
        names = {number: canonical_name(cube.class_names[number]) for number in merged}
        merged = [number for number in merged if "vertebra" in names[number]]
    return merged[0] if len(merged) == 1 else None


def score_vertebrae(
    cube: Cube,
    row: int,
    label_map: Volume,
    reference: npt.NDArray[np.uint8],
    classes: npt.NDArray[np.uint8],
    void: npt.NDArray[np.bool_] | None = None,
) -> list[InstanceScore]:
    """Score the predicted vertebrae of a test case as instances.

    Args:
        cube: The cube of the case.
        row: Its row.
        label_map: Its own label map, on the scan's grid.
        reference: The class of each voxel of it, shape (I, J, K).
        classes: The predicted class of each voxel, shape (I, J, K).
        void: Mask of the voxels that are not scored; None if all are.

    Returns:
        One score; none if neither classes nor label map tell vertebrae apart.
    """
    score = partial(
        score_instances,
        grid=label_map.grid,
        case_id=cube.case_ids[row],
        subject=cube.subjects[row],
    )
    levels = vertebra_classes(cube.class_names)
    if levels:
        names = {number: canonical_name(cube.class_names[number]) for number in levels}
        both = [_keep_values(each, levels) for each in (classes, reference)]
        return [score(*both, predicted_names=names, reference_names=names, void=void)]
    merged = find_merged_class(cube)
    if merged is None:
        return []
    values = cube.label_values_of(row)[merged]
    # Cubes of earlier versions hold no names.
    names = cube.label_names_of(row) or name_values(label_map.segments, None)[0]
    vertebrae = choose_vertebrae(values, names)
    if values and not vertebrae:
        return []
    others = np.isin(label_map.array, [v for v in values if v not in vertebrae])
    return [
        score(
            _divide(classes == merged, label_map.grid),
            _keep_values(label_map.array, vertebrae),
            reference_names={v: names[v] for v in vertebrae} if names else None,
            void=others if void is None else others | void,
        )
    ]


def _divide(mask: npt.NDArray[np.bool_], grid: Grid) -> npt.NDArray[np.uint8]:
    """Return the vertebrae that are found in a mask; all 0 if there are none."""
    found = find_instances(mask, grid)
    return np.zeros(mask.shape, np.uint8) if found is None else found.label_map


def choose_vertebrae(values: Iterable[int], names: Mapping[int, str]) -> list[int]:
    """Return the values that are a vertebra each: all of them, if none has a name.

    Args:
        values: Of a class in one label map.
        names: Canonical name of each value of the label map that has one.
    """
    known = {*VERTEBRA_NAMES, *SACRAL}
    return [value for value in values if not names or names.get(value) in known]


def _keep_values(label_map: np.ndarray, values: Iterable[int]) -> np.ndarray:
    """Return a label map without the other values."""
    is_kept = np.zeros(MAX_LABEL + 1, bool)
    is_kept[list(values)] = True
    return np.where(is_kept[label_map], label_map, 0)
