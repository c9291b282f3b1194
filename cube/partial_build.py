"""The finished cases of a cube in the making, in a folder beside it.

`cube.h5.parts` holds `plan.json`, which says what is being built, and for each
finished case a cube of its rows alone, `1.h5`, `2.h5`, ... in the order of the list.
Each is renamed into place when it is whole, so whatever ended a build, even the
power, all that lies there under such a name is good. When the cube itself is in
place, the folder goes.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from cube.reader import Cube
from system.atomic import atomic_write, lock_folder, naming, remove_temporary
from system.errors import DataError, UsageError

PLAN_NAME = "plan.json"
PART = re.compile(r"[1-9]\d*\.h5")


class Parts:
    """The folder of a cube's finished cases.

    Args:
        output: The cube's file.
    """

    def __init__(self, output: Path):
        self.folder = output.with_name(f"{output.name}.parts")

    def part(self, number: int) -> Path:
        """Name the file of a case; the first is 1."""
        return self.folder / f"{number}.h5"

    @staticmethod
    def is_finished(part: Path) -> bool:
        """Tell whether the file of a case is there and whole."""
        try:
            Cube(part).close()
        except DataError:
            return False
        return True

    def _finished(self) -> list[Path]:
        found = self.folder.iterdir() if self.folder.is_dir() else ()
        return [path for path in found if PART.fullmatch(path.name)]

    @property
    def count(self) -> int:
        """How many cases are finished; 0 where nothing was begun."""
        return len(self._finished()) if (self.folder / PLAN_NAME).is_file() else 0

    @property
    def size(self) -> int:
        """How many bytes the finished cases take."""
        return sum(path.stat().st_size for path in self._finished())

    def clear(self) -> None:
        """Remove what a build left that was killed with its cube in place."""
        if self.folder.is_dir():
            self._remove()
            self._leave()

    @contextmanager
    def keeping(self, request: Mapping[str, Any], *, resume: bool) -> Iterator[None]:
        """Hold the folder while a cube is built.

        The block finishes the cases and puts the cube in place; then the folder is
        removed. If the block raises, finished cases stay.

        Args:
            request: All that decides the cube, JSON-safe, by names fit for a
                message.
            resume: Whether to go on with what is there; else it is removed.

        Raises:
            UsageError: If another process builds this cube, or what is there was
                begun with another request; both values are named.
            OutputError: If the folder cannot be made or written.
        """
        with naming(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        busy = f"{self.folder}: another makeCube.py is building this cube."
        with lock_folder(self.folder, busy):
            self._check(json.loads(json.dumps(request)), resume=resume)
            try:
                self._begin(request)
                yield
                self._remove()
            finally:
                self._leave()

    def _check(self, request: dict, *, resume: bool) -> None:
        """Remove what is there, or see that it was begun with the same request."""
        plan = self.folder / PLAN_NAME
        if not (resume and plan.is_file()):
            self._remove()
            return
        try:
            begun = json.loads(plan.read_text())
        except ValueError as error:
            raise DataError(f"{plan} cannot be read: {error}") from error
        for name in {**begun, **request}:
            before, now = (values.get(name, "nothing") for values in (begun, request))
            if before != now:
                raise UsageError(
                    f"{self.folder} can only be resumed with the same {name}. "
                    f"Received: {now}, but it was begun with {before}. --force "
                    "without --resume begins anew."
                )

    def _begin(self, request: Mapping[str, Any]) -> None:
        with atomic_write(self.folder / PLAN_NAME) as partial:
            partial.write_text(json.dumps(request, indent=1) + "\n")

    def _remove(self) -> None:
        # The plan first: without it, nobody takes the rest for something to resume.
        with naming(self.folder):
            for path in (self.folder / PLAN_NAME, *self._finished()):
                path.unlink(missing_ok=True)

    def _leave(self) -> None:
        """Remove what is half done, and the folder too if nothing is finished."""
        remove_temporary(self.folder)
        if self.count:
            print(
                f"Finished cases kept in {self.folder}: {self.count}. --resume goes on "
                "with them.",
                file=sys.stderr,
            )
            return
        (self.folder / PLAN_NAME).unlink(missing_ok=True)
        with suppress(OSError):  # somebody else's files are in it
            self.folder.rmdir()
