"""Reading every case before a cube is built, so that planning knows them all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from operator import attrgetter

import numpy as np

from cube.label_checks import check_label_map, looks_like_labels
from cube.pairs import Pair
from system.errors import DataError
from system.limits import MAX_VOXELS
from system.processes import map_cases
from volumes.classes import Member, border_values, count_labels, find_members
from volumes.formats.checksums import content_checksum
from volumes.formats.files import read_finite_volume, read_label_map
from volumes.geometry import Grid
from volumes.intensity_rule import IntensityProfile, measure_profile
from volumes.label_tables import name_values
from volumes.lattice import check_not_empty, place_on_grid
from volumes.volume import Volume


@dataclass(frozen=True)
class CaseInfo:
    """What planning knows about a case.

    Args:
        pair: Its line of the pair list.
        grid: The scan's grid.
        label_values: Values above 0 in the label map, ascending.
        names: Canonical name of each value that the label map, or else the table
            stated in the pair list, names; see `volumes.structures`.
        image_checksum: SHA-256 of the image file.
        label_checksum: SHA-256 of the label map's file.
        content_checksum: Of the scan, whatever its file format.
        profile: What the scan's voxels say of their unit.
        notes: What had to be assumed while reading.
        label_voxels: Number of voxels in the label map's file, on its own grid.
        label_content_checksum: Of the label map on the scan's grid, whatever its file
            format.
        label_ml: Volume of each value above 0 on the scan's grid.
        cut_values: Values that reach the border of the scan.
    """

    pair: Pair
    grid: Grid
    label_values: tuple[int, ...]
    names: dict[int, str]
    image_checksum: str
    label_checksum: str
    content_checksum: str
    profile: IntensityProfile
    notes: tuple[str, ...]
    label_voxels: int = 0
    label_content_checksum: str = ""
    label_ml: dict[int, float] = field(default_factory=dict)
    cut_values: tuple[int, ...] = ()

    @property
    def found_names(self) -> dict[int, str]:
        """Names of the values that occur in the label map."""
        return {v: self.names[v] for v in self.label_values if v in self.names}

    @property
    def source(self) -> dict:
        """Where the case came from, as its rows record it; paths are absolute."""
        return {
            "image": str(self.pair.image.resolve()),
            "label": str(self.pair.label.resolve()),
            "image_checksum": self.image_checksum,
            "label_checksum": self.label_checksum,
            "content_checksum": self.content_checksum,
            "label_content_checksum": self.label_content_checksum,
            "shape": list(self.grid.shape),
            "spacing": list(self.grid.spacing),
            "orientation": self.grid.orientation,
            "profile": self.profile.to_dict(),
            "notes": list(self.notes),
            "label_voxels": self.label_voxels,
            "label_names": {str(v): name for v, name in self.found_names.items()},
        }


def survey_cases(
    pairs: Sequence[Pair],
    workers: int,
    max_voxels: int = MAX_VOXELS,
    *,
    skip: bool = False,
    allow_unlikely: bool = False,
    ignored: Sequence[Member] = (),
    map_cases: Callable[..., Iterator] = map_cases,
) -> tuple[tuple[CaseInfo, ...], dict[str, str]]:
    """Read every case, so that a faulty one is found before hours of work.

    Args:
        pairs: The pair list.
        workers: Maximum number of processes.
        max_voxels: Maximum number of voxels that a file's header may declare.
        skip: Whether to leave out cases that cannot be used.
        allow_unlikely: Whether to accept label maps that look like none.
        ignored: Structures that may fill a label map, since they are ignored.
        map_cases: Where the cases are read; see `system.processes.Engine`.

    Returns:
        The cases, and why each of the others was left out.

    Raises:
        DataError: If a case cannot be used and `skip` is off, or if none can be
            used; the message names all of them.
    """
    # A pool of processes takes seconds to start; few cases are read sooner.
    workers = min(workers, len(pairs) // 8)
    survey = partial(
        _survey_or_error,
        max_voxels=max_voxels,
        allow_unlikely=allow_unlikely,
        ignored=ignored,
    )
    results = list(map_cases(survey, pairs, workers, name=attrgetter("case_id")))
    errors = {
        pair.case_id: str(result)
        for pair, result in zip(pairs, results, strict=True)
        if isinstance(result, DataError)
    }
    if errors and (not skip or len(errors) == len(pairs)):
        raise DataError("\n".join(errors.values()))
    return tuple(case for case in results if isinstance(case, CaseInfo)), errors


def _survey_or_error(
    pair: Pair, max_voxels: int, *, allow_unlikely: bool, ignored: Sequence[Member]
) -> CaseInfo | DataError:
    try:
        return survey_case(
            pair, max_voxels, allow_unlikely=allow_unlikely, ignored=ignored
        )
    except DataError as error:
        return error
    except MemoryError:
        return DataError(f"Out of memory while reading case '{pair.case_id}'.")


def survey_case(
    pair: Pair,
    max_voxels: int = MAX_VOXELS,
    *,
    allow_unlikely: bool = False,
    ignored: Sequence[Member] = (),
) -> CaseInfo:
    """Read an image and its label map, and check that they can be a pair.

    Args:
        pair: A line of the pair list.
        max_voxels: Maximum number of voxels that a file's header may declare.
        allow_unlikely: Whether to accept a label map that looks like none.
        ignored: See `survey_cases`.

    Raises:
        DataError: If either cannot be used, their voxels do not coincide, or the
            label map is empty or cannot be one; the message names both.
    """
    image = read_finite_volume(pair.image, max_voxels)
    label_map = _read_label_map(pair, image, max_voxels)
    check_not_empty(label_map)
    label_voxels = label_map.array.size
    label_map = place_on_grid(label_map, image, pair.case_id)
    counts = count_labels(label_map.array)
    values = np.flatnonzero(counts)
    voxel_ml = image.grid.voxel_volume / 1000
    label_ml = {int(v): float(counts[v] * voxel_ml) for v in values if v}
    names, name_notes = name_values(label_map.segments, pair.label_table)
    places = list(find_members(ignored, values[values > 0].tolist(), names))
    counts[0] += counts[places].sum()  # what is ignored counts as background
    counts[places] = 0
    unlikely = () if allow_unlikely else check_label_map(pair, image, label_map, counts)
    notes = (*image.notes, *label_map.notes, *name_notes, *unlikely)
    return CaseInfo(
        pair=pair,
        grid=image.grid,
        label_values=tuple(values[values > 0].tolist()),
        names=names,
        image_checksum=image.checksum,
        label_checksum=label_map.checksum,
        content_checksum=content_checksum(image),
        profile=measure_profile(image.array),
        notes=tuple(dict.fromkeys(notes)),
        label_voxels=label_voxels,
        label_content_checksum=content_checksum(label_map),
        label_ml=label_ml,
        cut_values=tuple(sorted(border_values(label_map.array))),
    )


def _read_label_map(pair: Pair, image: Volume, max_voxels: int) -> Volume:
    """Read the label map of a pair; say so if it may be the image."""
    try:
        return read_label_map(pair.label, max_voxels)
    except DataError as error:
        if not looks_like_labels(image):
            raise
        raise DataError(
            f"{error}; the image {pair.image} looks like a label map, so the two may "
            f"be swapped in line {pair.line} of the pair list."
        ) from error


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
