"""Reading every case before a cube is built, so that planning knows them all."""

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
from volumes.formats.files import content_checksum, read_finite_volume, read_label_map
from volumes.geometry import Grid, largest_corner_distance, share_a_grid


@dataclass(frozen=True)
class CaseInfo:
    """What planning knows about a case.

    Args:
        pair: Its line of the pair list.
        grid: The scan's grid.
        label_values: Values above 0 in the label map, ascending.
        segment_names: Names that the label map gives to values, on one line each.
        image_checksum: SHA-256 of the image file.
        label_checksum: SHA-256 of the label map's file.
        content_checksum: Of the scan, whatever its file format.
        notes: What had to be assumed while reading.
    """

    pair: Pair
    grid: Grid
    label_values: tuple[int, ...]
    segment_names: dict[int, str]
    image_checksum: str
    label_checksum: str
    content_checksum: str
    notes: tuple[str, ...]

    @property
    def source(self) -> dict:
        """Where the case came from, as its rows record it; paths are absolute."""
        return {
            "image": str(self.pair.image.resolve()),
            "label": str(self.pair.label.resolve()),
            "image_checksum": self.image_checksum,
            "label_checksum": self.label_checksum,
            "content_checksum": self.content_checksum,
            "shape": list(self.grid.shape),
            "spacing": list(self.grid.spacing),
            "orientation": self.grid.orientation,
            "notes": list(self.notes),
        }


def survey_cases(
    pairs: Sequence[Pair],
    workers: int,
    max_voxels: int = MAX_VOXELS,
    *,
    skip: bool = False,
) -> tuple[tuple[CaseInfo, ...], dict[str, str]]:
    """Read every case, so that a faulty one is found before hours of work.

    Args:
        pairs: The pair list.
        workers: Maximum number of processes.
        max_voxels: Maximum number of voxels that a file's header may declare.
        skip: Whether to leave out cases that cannot be used.

    Returns:
        The cases, and why each of the others was left out.

    Raises:
        DataError: If a case cannot be used and `skip` is off, or if none can be
            used; the message names all of them.
    """
    # A pool of processes takes seconds to start; few cases are read sooner.
    workers = min(workers, len(pairs) // 8)
    survey = partial(_survey_or_error, max_voxels=max_voxels)
    results = list(map_cases(survey, pairs, workers, name=attrgetter("case_id")))
    errors = {
        pair.case_id: str(result)
        for pair, result in zip(pairs, results, strict=True)
        if isinstance(result, DataError)
    }
    if errors and (not skip or len(errors) == len(pairs)):
        raise DataError("\n".join(errors.values()))
    return tuple(case for case in results if isinstance(case, CaseInfo)), errors


def _survey_or_error(pair: Pair, max_voxels: int) -> CaseInfo | DataError:
    try:
        return survey_case(pair, max_voxels)
    except DataError as error:
        return error
    except MemoryError:
        return DataError(f"Out of memory while reading case '{pair.case_id}'.")


def survey_case(pair: Pair, max_voxels: int = MAX_VOXELS) -> CaseInfo:
    """Read an image and its label map, and check that they share a grid.

    Args:
        pair: A line of the pair list.
        max_voxels: Maximum number of voxels that a file's header may declare.

    Raises:
        DataError: If either cannot be used, or their grids differ; the message
            names both.
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
        pair=pair,
        grid=grid,
        label_values=tuple(values[values > 0].tolist()),
        segment_names={
            segment.value: on_one_line(segment.name) for segment in label_map.segments
        },
        image_checksum=image.checksum,
        label_checksum=label_map.checksum,
        content_checksum=content_checksum(image),
        notes=tuple(dict.fromkeys((*image.notes, *label_map.notes))),
    )


def check_duplicates(cases: Sequence[CaseInfo]) -> None:
    """Check that no scan is listed twice: split apart, it would leak into training.

    Raises:
        DataError: If the same scan has two case ids; the message names all of them.
    """
    first_with: dict[str, str] = {}
    duplicates = []
    for case in cases:
        first = first_with.setdefault(case.content_checksum, case.pair.case_id)
        if first != case.pair.case_id:
            duplicates.append(f"{first} and {case.pair.case_id}")
    if duplicates:
        raise DataError(
            "Each scan must be listed once, but these are the same: "
            f"{'; '.join(duplicates)}. Remove one of each, or use --allow-duplicates "
            "and give both the same subject."
        )
