"""Labelling the vertebrae of a label map, and writing files and tables of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from runs.label_plan import Outputs
from runs.label_scheme import doubt_scheme, suggest_scheme
from runs.shared_table import SharedTable
from runs.vertebra_plan import TABLES, VertebraFiles
from runs.vertebrae import LabelledSpine, choose_structures, label_vertebrae
from spine.tables import SPINE_COLUMNS, VERTEBRA_COLUMNS
from system.atomic import atomic_write
from system.errors import DataError, UsageError
from system.limits import MAX_VOXELS
from volumes.classes import count_labels
from volumes.formats.files import (
    read_finite_volume,
    read_label_map,
    write_label_map,
)
from volumes.label_tables import LabelTable, list_schemes, name_values
from volumes.lattice import place_on_grid
from volumes.structures import VERTEBRA_NAMES
from volumes.volume import Segment, Volume

MAX_STRUCTURES = 200  # of a label map; a scan has more values, even one of 8 bits


def label_file(
    source: Path,
    files: VertebraFiles,
    *,
    words: Sequence[str] = (),
    table: LabelTable | None = None,
    lowest: str | None = None,
    scan: Path | None = None,
    max_voxels: int = MAX_VOXELS,
) -> LabelledSpine:
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
        DataError: If a file cannot be read or written, the scan is on another grid,
            or no vertebrae are found.
        UsageError: If a word is not in the label map.
    """
    volume = read_label_map(source, max_voxels)
    names, notes = name_values(volume.segments, table)
    present = [v for v in np.flatnonzero(count_labels(volume.array)).tolist() if v]
    if not words:
        _check_count(source, present)
    doubt = doubt_scheme(table, names, present)
    image = None
    if scan is not None:
        image = read_finite_volume(scan, max_voxels)
        _check_grids(volume, image)
    try:
        chosen = choose_structures(present, names, words)
    except DataError as error:  # of its own kind: wrong use is told from bad data
        hint = f"; {doubt}" if doubt else ""
        raise type(error)(f"{files.name}: {error}{hint}") from error
    if doubt and list_schemes(present):  # another one, that names them all
        notes.append(doubt)
    if not names and not words and len(present) > 1:
        notes.append(suggest_scheme(present))
    named = {value: names.get(value, "") for value in chosen}
    found = _label(files, volume.array, named, lowest=lowest, like=volume, image=image)
    found.lines[1:1] = [*volume.notes, *notes]
    return found


def _check_count(source: Path, present: Sequence[int]) -> None:
    """Check that a label map has no more values than a label map may have."""
    if len(present) > MAX_STRUCTURES:
        raise DataError(
            f"{source} must be a label map of at most {MAX_STRUCTURES} values, unless "
            f"--labels chooses some. Received: {len(present)} values, as a scan has"
        )


def _check_grids(label_map: Volume, image: Volume) -> None:
    """Check that the voxels of a label map are those of its scan, or of a box of it.

    A box that begins at the first voxel is taken for the label map of another scan,
    whose origin is 0 as well, as files without a position have it.

    Raises:
        DataError: If not.
    """
    grid = label_map.grid
    begin = image.grid.to_index(grid.origin)
    fits = grid.shape == image.grid.shape or abs(begin).max() > 0.5
    try:
        place_on_grid(label_map, image, "")
    except DataError:
        fits = False
    if not fits:
        raise DataError(
            f"{label_map.path} must lie on the grid of its scan, or on a part of it "
            "with an origin of its own, to be drawn over it; --scans names the scan of "
            f"each label map. Received: {grid}, and {image.path}: {image.grid}"
        )


def choose_classes(segments: Sequence[Segment]) -> dict[int, str]:
    """Return the value and the canonical name of each class that is a vertebra.

    Args:
        segments: The structures that a network predicts.

    Raises:
        UsageError: If their names do not tell which are vertebrae.
    """
    names, _ = name_values(segments, None)
    try:
        chosen = choose_structures([each.value for each in segments], names)
    except DataError as error:
        raise UsageError(
            "--vertebrae needs a network of which a class is called vertebrae, or a "
            "level each; labelVertebrae.py --labels takes label maps of other names. "
            f"Received: {', '.join(each.name for each in segments)}"
        ) from error
    return {value: names.get(value, "") for value in chosen}


def label_prediction(
    files: VertebraFiles,
    prediction: npt.NDArray[np.integer],
    segments: Sequence[Segment],
    image: Volume,
    *,
    lowest: str | None = None,
) -> LabelledSpine:
    """Find the vertebrae of a prediction, and write the label map and the picture.

    Args:
        files: Files to write.
        prediction: Values of the segments, shape of the scan.
        segments: The structures that were predicted.
        image: The scan.
        lowest: Name of the lowest vertebra.

    Raises:
        DataError: If no vertebrae are found, or a file cannot be written.
        UsageError: If the names do not tell which structures are vertebrae.
    """
    named = choose_classes(segments)
    return _label(files, prediction, named, lowest=lowest, like=image, image=image)


def _label(
    files: VertebraFiles,
    labels: npt.NDArray[np.integer],
    named: Mapping[int, str],
    *,
    lowest: str | None,
    like: Volume,
    image: Volume | None,
) -> LabelledSpine:
    """Find the vertebrae among values of a label map, and write the files."""
    found = label_vertebrae(
        files.name, labels, like.grid, named, lowest=lowest, image=image
    )
    if len(named) > 1 and not all(name in VERTEBRA_NAMES for name in named.values()):
        found.lines.insert(
            1,
            f"the values {', '.join(map(str, named))} were taken together, as they "
            "are not all levels by name",
        )
    write_files(files, found, like=like)
    return found


def write_files(files: VertebraFiles, found: LabelledSpine, *, like: Volume) -> None:
    """Write the label map and the picture of a scan.

    Raises:
        DataError: If one cannot be written.
    """
    write_label_map(
        files.label_map, found.label_map, like=like, segments=found.segments
    )
    if files.picture is None:
        return
    with atomic_write(files.picture) as partial:
        found.picture.save(partial, format="PNG", optimize=True)


class VertebraTables:
    """vertebrae.csv and spines.csv, written after each scan so that none is lost.

    Args:
        folder: In which they lie; rows of other scans in them are kept.

    Raises:
        UsageError: If one has other columns, or cannot be read.
    """

    def __init__(self, folder: Path):
        vertebrae, spines = (folder / name for name in TABLES)
        self.vertebrae = SharedTable(vertebrae, VERTEBRA_COLUMNS, "scan")
        self.spines = SharedTable(spines, SPINE_COLUMNS, "scan")

    def add(self, found: LabelledSpine) -> None:
        """Replace the rows of a scan, and write both files.

        Raises:
            DataError: If one cannot be read or written.
        """
        scan = str(found.spine["scan"])
        self.vertebrae.replace([scan], found.rows)
        self.spines.replace([scan], [found.spine])

    def drop(self, scan: str) -> None:
        """Remove the rows of a scan, if there are any.

        Raises:
            DataError: If a file cannot be read or written.
        """
        self.vertebrae.replace([scan], [])
        self.spines.replace([scan], [])


class PredictedVertebrae:
    """The vertebrae of predicted scans, and where their files are written.

    Args:
        folder: Of vertebrae.csv and spines.csv.
        lowest: Name of the lowest vertebra of each scan; None if it is unknown.
        pictures: Whether pictures are drawn.
    """

    def __init__(self, folder: Path, lowest: str | None, *, pictures: bool = True):
        self.lowest = lowest
        self.pictures = pictures
        self.tables = VertebraTables(folder)

    def files_of(self, outputs: Outputs) -> VertebraFiles:
        """Return the files for a scan, beside its predicted label map."""
        files = outputs.vertebrae
        return files if self.pictures else replace(files, picture=None)

    def plan(self, outputs: Mapping[Path, Outputs]) -> dict[Path, VertebraFiles]:
        """Return the files for each scan."""
        return {scan: self.files_of(each) for scan, each in outputs.items()}

    def label(
        self,
        outputs: Outputs,
        prediction: npt.NDArray[np.integer],
        segments: Sequence[Segment],
        image: Volume,
    ) -> list[str]:
        """Find the vertebrae of a prediction, and write files and tables.

        Args:
            outputs: The files of the prediction.
            prediction: Values of the segments, shape of the scan.
            segments: The structures that were predicted.
            image: The scan.

        Returns:
            Lines to print.

        Raises:
            DataError: If no vertebrae are found, or a file cannot be written.
        """
        found = label_prediction(
            self.files_of(outputs), prediction, segments, image, lowest=self.lowest
        )
        self.tables.add(found)
        return found.lines
