"""Before a cube is built: look at every case, choose the grid, foresee the size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from operator import attrgetter

import numpy as np

from cube.pairs import Pair
from system.errors import DataError
from system.limits import MAX_VOXELS
from system.processes import map_cases
from system.text import on_one_line
from volumes.classes import count_labels
from volumes.formats.files import (
    checksum,
    content_checksum,
    read_finite_volume,
    read_label_map,
)
from volumes.geometry import (
    Grid,
    largest_corner_distance,
    share_a_grid,
)


@dataclass(frozen=True)
class CaseInfo:
    """What planning needs to know of a case.

    Args:
        pair: The line of the pair list.
        grid: The scan's grid.
        label_values: Every value above 0 of the label map.
        segment_names: Names that the label map gives to values, on one line each.
        image_checksum: Of the image file.
        label_checksum: Of the label map's file.
        content_checksum: Of the scan, however it is stored.
        notes: What had to be assumed in reading.
    """

    pair: Pair
    grid: Grid
    label_values: tuple[int, ...]
    segment_names: dict[int, str]
    image_checksum: str
    label_checksum: str
    content_checksum: str
    notes: tuple[str, ...]


def survey(pair: Pair, max_voxels: int = MAX_VOXELS) -> CaseInfo:
    """Read an image and its label map, and see that they belong together.

    Args:
        pair: Of the pair list.
        max_voxels: How many a file's header may promise.

    Raises:
        DataError: If either cannot be used, or their grids differ; both are
            named.
    """
    image = read_finite_volume(pair.image, max_voxels)
    label_map = read_label_map(pair.label, max_voxels)
    grid = image.grid
    if not share_a_grid(grid, label_map.grid):
        distance = largest_corner_distance(grid, label_map.grid)
        apart = (
            "their shapes differ"
            if np.isinf(distance)
            else f"their corners are up to {distance:.3f} mm apart"
        )
        raise DataError(
            f"Image and label map of case '{pair.case_id}' are on different grids, "
            f"{apart}.\n  {pair.image}: {grid}\n  {pair.label}: {label_map.grid}"
        )
    values = np.flatnonzero(count_labels(label_map.array))
    return CaseInfo(
        pair,
        grid,
        tuple(values[values > 0].tolist()),
        {each.value: on_one_line(each.name) for each in label_map.segments},
        checksum(pair.image),
        checksum(pair.label),
        content_checksum(image),
        tuple(dict.fromkeys((*image.notes, *label_map.notes))),
    )


def check_duplicates(facts: Sequence[CaseInfo]) -> None:
    """Refuse the same scan under two names: a leak if splits part them."""
    names: dict[str, str] = {}
    faults = []
    for fact in facts:
        other = names.setdefault(fact.content_checksum, fact.pair.case_id)
        if other != fact.pair.case_id:
            faults.append(f"{other} and {fact.pair.case_id}")
    if faults:
        raise DataError(
            "Each scan must be listed once, but these are the same: "
            f"{'; '.join(faults)}. Remove one, or give --allow-duplicates and the "
            "same subject to both."
        )


def _survey_or_fault(pair: Pair, max_voxels: int) -> CaseInfo | DataError:
    try:
        return survey(pair, max_voxels)
    except DataError as error:
        return error
    except MemoryError:
        return DataError(f"Case '{pair.case_id}' needs more memory than there is.")


def survey_cases(
    pairs: Sequence[Pair],
    workers: int,
    max_voxels: int = MAX_VOXELS,
    *,
    skip: bool = False,
) -> tuple[tuple[CaseInfo, ...], dict[str, str]]:
    """Look at every case before any is made, so that no hour is lost to line 40.

    Args:
        pairs: The pair list.
        workers: Processes, at most.
        max_voxels: What a header may promise.
        skip: Whether to leave out cases that cannot be used.

    Returns:
        What is known of each case, and why the others were left out.

    Raises:
        DataError: If any case cannot be used, or none can; all are named.
    """
    # A pool of processes takes seconds to start; few cases are read sooner.
    workers = min(workers, len(pairs) // 8)
    look = partial(_survey_or_fault, max_voxels=max_voxels)
    found = list(map_cases(look, pairs, workers, name=attrgetter("case_id")))
    faults = {
        pair.case_id: str(fact)
        for pair, fact in zip(pairs, found, strict=True)
        if isinstance(fact, DataError)
    }
    if faults and (not skip or len(faults) == len(pairs)):
        raise DataError("\n".join(faults.values()))
    return tuple(fact for fact in found if isinstance(fact, CaseInfo)), faults
