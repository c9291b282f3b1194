"""The files of vertebrae: label map and picture of each scan, and two tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from runs.label_plan import name_of
from runs.vertebrae import Labelled, choose_structures, label_vertebrae
from spine.tables import write_spines, write_vertebrae
from system.atomic import atomic_write, require_folder
from system.errors import DataError, UsageError
from system.limits import MAX_VOXELS
from volumes.classes import count_labels
from volumes.formats.files import (
    read_finite_volume,
    read_label_map,
    suffix_of,
    write_label_map,
)
from volumes.label_tables import SCHEMES, LabelTable, name_values, read_label_table
from volumes.structures import VERTEBRA_NAMES
from volumes.volume import Segment, Volume

TABLES = ("vertebrae.csv", "spines.csv")


@dataclass(frozen=True)
class VertebraFiles:
    """The files that are written for one label map.

    Args:
        name: Of the scan in tables and messages, with which the names begin.
        label_map: With a value for each vertebra.
        picture: Of the vertebrae along the spine.
    """

    name: str
    label_map: Path
    picture: Path


def plan_files(
    sources: Sequence[Path], folder: Path, kind: str, *, force: bool
) -> dict[Path, VertebraFiles]:
    """Choose the files that are written for each label map, before any is read.

    Their names begin as those of predict.py do; see `runs.label_plan.name_of`.

    Args:
        sources: Label maps.
        folder: For all files.
        kind: "seg.nrrd", or "input" for each label map's own format.
        force: Whether existing files may be replaced.

    Raises:
        UsageError: If two outputs would have the same name, a file exists already or
            would replace a label map, or the folder is not writable.
    """
    require_folder(folder)
    plan = {}
    for source in sources:
        name = name_of(source)
        suffix = ".seg.nrrd"
        if kind == "input" and suffix_of(source):
            suffix = suffix_of(source).replace("nhdr", "nrrd").replace(".mhd", ".mha")
        plan[source] = VertebraFiles(
            name,
            folder / f"{name}_vertebrae{suffix}",
            folder / f"{name}_vertebrae.png",
        )
    names = [files.name for files in plan.values()]
    if len(set(names)) < len(sources):
        repeated = sorted({name for name in names if names.count(name) > 1})
        raise UsageError(
            "Label maps must be given once each and differ in their names or their "
            f"folders' names. Received twice: {', '.join(repeated) or 'a label map'}"
        )
    _check_existing(plan, folder, force=force)
    return plan


def _check_existing(
    plan: dict[Path, VertebraFiles], folder: Path, *, force: bool
) -> None:
    """Raise if a file would be replaced, other than by --force."""
    written = [folder / name for name in TABLES]
    written += [path for f in plan.values() for path in (f.label_map, f.picture)]
    inputs = {source.resolve() for source in plan}
    replaced = [str(path) for path in written if path.resolve() in inputs]
    if replaced:
        raise UsageError(
            "A label map that is read must not be replaced; --output states another "
            f"folder. Received as both: {', '.join(replaced)}"
        )
    existing = [str(path) for path in written if path.exists()]
    if existing and not force:
        raise UsageError(
            "The files of vertebrae must not exist yet; --force replaces them. "
            f"Received: {', '.join(existing)}"
        )


def read_scheme(word: str | None) -> LabelTable | None:
    """Return the table of label values that --scheme names.

    Args:
        word: A known scheme or a CSV file; None for no table.

    Raises:
        DataError: If the file cannot be read; see `read_label_table`.
    """
    if word is None:
        return None
    return SCHEMES.get(word) or read_label_table(Path(word))


def label_file(
    source: Path,
    files: VertebraFiles,
    *,
    words: Sequence[str] = (),
    table: LabelTable | None = None,
    lowest: str | None = None,
    scan: Path | None = None,
    max_voxels: int = MAX_VOXELS,
) -> Labelled:
    """Find the vertebrae of a label map, and write the label map and the picture.

    Args:
        source: Label map to read.
        files: Files to write.
        words: Structures that are vertebrae; see `runs.vertebrae.choose_structures`.
        table: Names of values, for a label map without names.
        lowest: Name of the lowest vertebra.
        scan: For the picture; None for a picture of the label map alone.
        max_voxels: Of the label map and the scan.

    Raises:
        DataError: If a file cannot be read or written, or no vertebrae are found.
        UsageError: If a word is not in the label map.
    """
    volume = read_label_map(source, max_voxels)
    names, notes = name_values(volume.segments, table)
    image = None if scan is None else read_finite_volume(scan, max_voxels)
    found = _label(
        files, volume.array, names, words, lowest=lowest, like=volume, image=image
    )
    found.lines[1:1] = [*volume.notes, *notes]
    return found


def label_prediction(
    files: VertebraFiles,
    prediction: npt.NDArray[np.integer],
    segments: Sequence[Segment],
    image: Volume,
    *,
    lowest: str | None = None,
) -> Labelled:
    """Find the vertebrae of a prediction, and write the label map and the picture.

    Args:
        files: Files to write.
        prediction: Values of the segments, shape of the scan.
        segments: The structures that were predicted.
        image: The scan.
        lowest: Name of the lowest vertebra.

    Raises:
        DataError: If no vertebrae are found, or a file cannot be written.
    """
    names, _ = name_values(segments, None)
    return _label(files, prediction, names, (), lowest=lowest, like=image, image=image)


def _label(
    files: VertebraFiles,
    labels: npt.NDArray[np.integer],
    names: Mapping[int, str],
    words: Sequence[str],
    *,
    lowest: str | None,
    like: Volume,
    image: Volume | None,
) -> Labelled:
    """Find the vertebrae among the values of a label map, and write the files."""
    present = [int(value) for value in np.flatnonzero(count_labels(labels)) if value]
    try:
        chosen = choose_structures(present, names, words)
    except DataError as error:  # of its own kind: wrong use is told from bad data
        raise type(error)(f"{files.name}: {error}") from error
    named = {value: names.get(value, "") for value in chosen}
    found = label_vertebrae(
        files.name, labels, like.grid, named, lowest=lowest, image=image
    )
    if len(chosen) > 1 and not all(name in VERTEBRA_NAMES for name in named.values()):
        found.lines.insert(
            1,
            f"the values {', '.join(map(str, chosen))} were taken together, as they "
            "are not all levels by name",
        )
    write_files(files, found, like=like)
    return found


def write_files(files: VertebraFiles, found: Labelled, *, like: Volume) -> None:
    """Write the label map and the picture of a scan.

    Raises:
        DataError: If one cannot be written.
    """
    write_label_map(
        files.label_map, found.label_map, like=like, segments=found.segments
    )
    with atomic_write(files.picture) as partial:
        found.picture.save(partial, format="PNG", optimize=True)


def write_tables(folder: Path, found: Iterable[Labelled]) -> None:
    """Write vertebrae.csv and spines.csv of all scans.

    Raises:
        DataError: If one cannot be written.
    """
    found = list(found)
    rows = [row for each in found for row in each.rows]
    write_vertebrae(folder / TABLES[0], rows)
    write_spines(folder / TABLES[1], [each.spine for each in found])
