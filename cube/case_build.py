"""Building one case of a cube: its scan is read, and its rows are written to a file.

Workers do this, which may be processes of this computer or of others.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from cube.places import stored_paths
from cube.rows import CubeSpec, PreparedCase, make_row
from cube.survey import CaseInfo
from cube.writer import CubeWriter
from system.atomic import atomic_write
from system.errors import DataError, OutputError
from volumes.classes import build_lookup, count_labels
from volumes.formats.files import read_finite_volume, read_label_map
from volumes.ignored import IGNORED
from volumes.lattice import place_on_grid
from volumes.volume import Volume


@dataclass(frozen=True)
class Job:
    """One case for a worker: read it, make its rows, write them.

    Args:
        case: The case.
        split: Its split.
        copies: Number of its augmented copies.
        spec: What all rows have in common.
        label_values: Values of each class in this case's label map.
        ignored_values: Values of it that are ignored.
        attributes: Attributes of the cube.
        path: Where its rows are written, as a cube of their own.
    """

    case: CaseInfo
    split: str
    copies: int
    spec: CubeSpec
    label_values: tuple[tuple[int, ...], ...]
    ignored_values: tuple[int, ...]
    attributes: dict
    path: Path


@dataclass(frozen=True)
class BuiltCase:
    """A case whose rows are written.

    Args:
        kind: How its intensities were normalised.
        seconds: How long it took; None if an earlier run built it.
    """

    kind: str
    seconds: float | None


def build_case(job: Job) -> BuiltCase | DataError:
    """Read one scan and write its row and those of its copies.

    Returns:
        How it went, or why the case cannot be built.

    Raises:
        OutputError: If the rows cannot be written.
    """
    start = time.perf_counter()
    try:
        kind = _write_rows(job)
    except OutputError:  # the disk fails for all cases
        raise
    except DataError as error:
        return error
    except MemoryError as error:
        case_id = job.case.pair.case_id
        return DataError(f"Out of memory while building case '{case_id}'. {error}")
    return BuiltCase(kind, time.perf_counter() - start)


def _write_rows(job: Job) -> str:
    """Write the rows of a case; return how its intensities were normalised."""
    pair = job.case.pair
    max_voxels = math.prod(job.case.grid.shape)  # no more than when it was surveyed
    image = read_finite_volume(pair.image, max_voxels)
    label_map = read_label_map(pair.label, max(max_voxels, job.case.label_voxels))
    _check_unchanged(job.case, image, label_map)
    label_map = place_on_grid(label_map, image, pair.case_id)
    lookup = build_lookup(job.label_values, job.ignored_values)
    prepared = PreparedCase(image.array, label_map.array, image.grid, job.spec, lookup)
    source = {
        **job.case.source,
        **stored_paths(pair, job.path.parent.parent),
        "intensity": prepared.intensity.to_dict(),
        "label_values": job.label_values,
    }
    if job.ignored_values:
        source["ignored_values"] = job.ignored_values
    if not job.path.parent.is_dir():  # do not begin one whose build has ended
        raise OutputError(f"{job.path.parent} must be a folder that workers can reach.")
    with (
        atomic_write(job.path) as partial,
        CubeWriter(
            partial,
            shape=job.spec.shape,
            num_rows=1 + job.copies,
            attributes=job.attributes,
        ) as cube,
    ):
        for copy in range(1 + job.copies):
            row = make_row(
                prepared,
                case_id=pair.case_id,
                subject=pair.subject,
                split=job.split,
                source=source,
                copy=copy,
            )
            cube.add(replace(row, source={**source, **_count_voxels(job, row.label)}))
    return prepared.intensity.kind


def _check_unchanged(case: CaseInfo, image: Volume, label_map: Volume) -> None:
    """Check that the files are those of the survey, by which the cube was planned."""
    for path, volume, checksum in (
        (case.pair.image, image, case.image_checksum),
        (case.pair.label, label_map, case.label_checksum),
    ):
        if volume.checksum != checksum:
            raise DataError(
                f"{path} of case '{case.pair.case_id}' must not change while the cube "
                f"is built. Received: SHA-256 {checksum[:12]} when it was surveyed, "
                f"then {volume.checksum[:12]}; --force builds the cube anew"
            )


def _count_voxels(job: Job, label: np.ndarray) -> dict:
    """Count the voxels of each class of a row, and those that are ignored if any."""
    counts = count_labels(label, len(job.label_values)).tolist()
    if not job.ignored_values:
        return {"class_voxels": counts}
    return {
        "class_voxels": counts[: len(job.label_values)],
        "ignored_voxels": sum(counts[IGNORED:]),
    }
