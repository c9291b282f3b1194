"""Which files of vertebrae are written for each scan, settled before any is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from system.atomic import require_folder
from system.errors import UsageError
from volumes.formats.files import in_each_format, suffix_of
from volumes.scan_names import name_of

TABLES = ("vertebrae.csv", "spines.csv")


@dataclass(frozen=True)
class VertebraFiles:
    """The files that are written for one label map.

    Args:
        name: Of the scan in tables and messages, with which the names begin.
        label_map: With a value for each vertebra.
        picture: Of the vertebrae along the spine; None for no picture.
    """

    name: str
    label_map: Path
    picture: Path | None

    @classmethod
    def named(
        cls, name: str, folder: Path, suffix: str, *, picture: bool = True
    ) -> VertebraFiles:
        """Return the files in a folder whose names begin with that of a scan."""
        begin = folder / f"{name}_vertebrae"
        drawn = Path(f"{begin}.png") if picture else None
        return cls(name, Path(f"{begin}{suffix}"), drawn)

    def paths(self) -> list[Path]:
        """List the files, the label map in each format: an earlier call chose one."""
        label_maps = in_each_format(self.label_map)
        return [*label_maps, self.picture] if self.picture else label_maps


def plan_files(
    sources: Sequence[Path], folder: Path, kind: str, *, force: bool
) -> dict[Path, VertebraFiles]:
    """Choose the files that are written for each label map, before any is read.

    Their names begin as those of predict.py do; see `volumes.scan_names`.

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
        suffix = ".seg.nrrd"
        if kind == "input" and suffix_of(source):
            suffix = suffix_of(source).replace("nhdr", "nrrd").replace(".mhd", ".mha")
        plan[source] = VertebraFiles.named(name_of(source), folder, suffix)
    names = [files.name for files in plan.values()]
    if len(set(names)) < len(sources):
        repeated = sorted({name for name in names if names.count(name) > 1})
        raise UsageError(
            "Label maps must be given once each and differ in their names or their "
            f"folders' names. Received twice: {', '.join(repeated) or 'a label map'}"
        )
    check_existing(plan, folder, force=force)
    return plan


def check_existing(
    plan: Mapping[Path, VertebraFiles], folder: Path, *, force: bool
) -> None:
    """Raise if a file of a scan would be replaced, other than by --force.

    The tables may exist: they keep the rows of other scans.

    Args:
        plan: The files for each one that is read.
        folder: Of the tables.
        force: Whether existing files may be replaced.

    Raises:
        UsageError: If one exists, or would replace what is read.
    """
    tables = [folder / name for name in TABLES]
    written = [path for files in plan.values() for path in files.paths()]
    inputs = {source.resolve() for source in plan}
    replaced = [str(path) for path in [*tables, *written] if path.resolve() in inputs]
    if replaced:
        raise UsageError(
            "A file that is read must not be replaced; --output states another folder. "
            f"Received as both: {', '.join(replaced)}"
        )
    existing = [str(path) for path in written if path.exists()]
    if existing and not force:
        raise UsageError(
            "The files of vertebrae must not exist yet; --force replaces them. "
            f"Received: {', '.join(existing)}"
        )
