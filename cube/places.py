"""Where the files of a cube's scans are: beside the cube, or where the user says.

A cube names its files by their place relative to its own folder, so that both can be
moved or copied together. A file is recognised by its checksum, never by its place.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from cube.pairs import Pair
from cube.reader import Cube
from system.errors import DataError
from volumes.formats.checksums import checksum

MAX_CLIMB = 2  # folders above the cube's; a longer way is no neighbourhood


def real_place(path: Path) -> Path:
    """Return the absolute path of a file, its folder without links.

    A link to the file itself is kept: its target may lie in a store that names
    files by their content.
    """
    return path.parent.resolve() / path.name


def stored_path(path: Path, folder: Path) -> str:
    """Return the path of a scan as a cube in `folder` names it.

    Relative if the scan lies below the folder, or at most two folders above leads to
    it without leaving the file system's root; else absolute.
    """
    path, folder = real_place(path), folder.resolve()
    relative = Path(os.path.relpath(path, folder))
    climbed = relative.parts.count(os.pardir)
    meets_at_root = os.path.commonpath([path, folder]) == path.anchor
    is_near = climbed == 0 or (climbed <= MAX_CLIMB and not meets_at_root)
    return relative.as_posix() if is_near else str(path)


def stored_paths(pair: Pair, folder: Path) -> dict[str, str]:
    """Return the paths of a case's files as a cube in `folder` names them."""
    return {
        "image": stored_path(pair.image, folder),
        "label": stored_path(pair.label, folder),
    }


def checksum_if_readable(path: Path) -> str:
    """Return the checksum of a file; "" if it is damaged or no volume."""
    try:
        return checksum(path)
    except DataError:
        return ""


class ScanFinder:
    """Finds the files from which the rows of a cube were made.

    Args:
        cube: Open.
        scans: A folder to look in first, for files of the same name; of several, the
            one whose path ends most like the recorded one.
    """

    def __init__(self, cube: Cube, scans: Path | None = None):
        self.cube, self._scans = cube, scans
        self._found: dict[tuple[int, str], Path] = {}

    def find(self, row: int, kind: str) -> Path:
        """Return the path of a row's "image" or "label" file, as it was.

        Raises:
            DataError: If no file is found, or only one that changed; the message
                names the case, the path and the way out.
        """
        found = self._found.get((row, kind))
        if found is None or not found.exists():
            found = self._found[row, kind] = self._search(row, kind)
        return found

    def _search(self, row: int, kind: str) -> Path:
        recorded = Path(str(self.cube.sources[row].get(kind, "")))
        first = None
        for path in self._candidates(row, kind, recorded):
            found = checksum_if_readable(path)
            if self._is_the_one(row, kind, found):
                return path
            first = first or (path, found)
        if first is not None:
            self.check(row, kind, *first)
        searched = "" if self._scans is None else f", nor is it below {self._scans}"
        raise DataError(
            f"The {kind} of case '{self.cube.case_ids[row]}' must be a file that "
            f"exists. Received: {recorded}, which does not{searched}. Use --scans DIR "
            "if the scans were moved: files are looked for by name below DIR, and "
            "recognised by checksum."
        )

    def _is_the_one(self, row: int, kind: str, found: str) -> bool:
        return found == self.cube.sources[row].get(f"{kind}_checksum")

    def check(self, row: int, kind: str, path: Path, found: str) -> None:
        """Check that a file is the one that a row was made from.

        Raises:
            DataError: If its checksum `found` is another.
        """
        if not self._is_the_one(row, kind, found):
            raise DataError(
                f"{path} must be the {kind} that case '{self.cube.case_ids[row]}' was "
                "made from, but it changed after the cube was built. Build the cube "
                "again, or use --scans DIR if the unchanged file is in another folder."
            )

    def _candidates(self, row: int, kind: str, recorded: Path) -> Iterator[Path]:
        """Yield the places where a file may be, the likely ones first."""
        if self._scans is not None:
            named = self._by_name.get(recorded.name, [])
            yield from sorted(named, key=lambda path: -_common_tail(path, recorded))
        yield from filter(os.path.exists, self.cube.places(row, kind))

    @cached_property
    def _by_name(self) -> dict[str, list[Path]]:
        """Paths below the user's folder, by name, of the files that the cube needs."""
        wanted = {
            Path(str(source.get(kind, ""))).name
            for source in self.cube.sources
            for kind in ("image", "label")
        }
        found = defaultdict(list)
        seen = set()  # a link may lead back to a folder above it
        for folder, folders, files in os.walk(self._scans or "", followlinks=True):
            place = os.path.realpath(folder)
            if place in seen:
                folders.clear()
                continue
            seen.add(place)
            folders.sort()
            for name in sorted(wanted.intersection(folders + files)):
                found[name].append(Path(folder) / name)
        return found


def _common_tail(one: Path, other: Path) -> int:
    """Count the parts in which two paths end alike."""
    count = 0
    for part, match in zip(reversed(one.parts), reversed(other.parts), strict=False):
        if part != match:
            break
        count += 1
    return count
