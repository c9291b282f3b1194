"""The finished cases of a cube that is being built, in a folder beside it.

`cube.h5.parts` holds `plan.json`, which lists the build's inputs, and a small cube
for each finished case, `1.h5`, `2.h5`, ... in the order of the pair list. A file is
renamed to such a name only when it is complete, so that even after a power cut every
file that has one can be used. The folder is removed once the cube is in place.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from system.atomic import (
    atomic_write,
    lock_folder,
    remove_temporary,
    report_write_errors,
)
from system.errors import DataError, UsageError

PLAN_NAME = "plan.json"
CASE_NAME = re.compile(r"[1-9]\d*\.h5")


class PartialBuild:
    """The folder of a cube's finished cases.

    Args:
        output: The cube's file.
    """

    def __init__(self, output: Path):
        self.folder = output.with_name(f"{output.name}.parts")

    def case_path(self, number: int) -> Path:
        """Return the file of a case; the first case is number 1."""
        return self.folder / f"{number}.h5"

    def _finished(self) -> list[Path]:
        paths = self.folder.iterdir() if self.folder.is_dir() else ()
        return [path for path in paths if CASE_NAME.fullmatch(path.name)]

    def check_holds(self, numbers: Iterable[int]) -> None:
        """Check that cases are there, whichever computer wrote them.

        Raises:
            DataError: If one is not.
        """
        # Listing a folder makes a network file system notice what others wrote.
        there = set(self._finished())
        for path in map(self.case_path, numbers):
            if path not in there:
                raise DataError(
                    f"{self.folder} must hold every case that was built. Received: "
                    f"no {path.name}; all workers must write to the same disk."
                )

    @property
    def count(self) -> int:
        """Number of finished cases; 0 if no build was started."""
        return len(self._finished()) if (self.folder / PLAN_NAME).is_file() else 0

    @property
    def size(self) -> int:
        """Bytes that the finished cases take on the disk."""
        return sum(path.stat().st_size for path in self._finished())

    def clear(self) -> None:
        """Remove what remains of a build that was killed with its cube in place."""
        if self.folder.is_dir():
            self._remove()
            self._leave()

    @contextmanager
    def locked(self, inputs: Mapping[str, Any], *, resume: bool) -> Iterator[None]:
        """Lock the folder while a cube is built.

        The block finishes the cases and puts the cube in place, after which the
        folder is removed. If the block raises, finished cases are kept.

        Args:
            inputs: Everything that decides the cube's bytes, JSON-safe, by the names
                that messages use.
            resume: Whether to keep the cases that are finished.

        Raises:
            UsageError: If another process is building this cube, or the finished
                cases were built from other inputs; the message names both values.
            OutputError: If the folder cannot be created or written to.
        """
        with report_write_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        busy = f"{self.folder}: another makeCube.py is building this cube."
        with lock_folder(self.folder, busy):
            self._check(json.loads(json.dumps(inputs)), resume=resume)
            try:
                self._begin(inputs)
                yield
                self._remove()
            finally:
                self._leave()

    def _check(self, inputs: dict, *, resume: bool) -> None:
        """Check that the finished cases have the same inputs, or remove them."""
        plan = self.folder / PLAN_NAME
        if not (resume and plan.is_file()):
            self._remove()
            return
        try:
            begun = json.loads(plan.read_text())
        except ValueError as error:
            raise DataError(f"{plan} cannot be read: {error}") from error
        for name in {**begun, **inputs}:
            before, now = begun.get(name, "nothing"), inputs.get(name, "nothing")
            if before != now:
                raise UsageError(
                    f"{self.folder} can only be resumed with the same {name}. "
                    f"Received: {now}, but the build was started with {before}. "
                    "--force without --resume starts over."
                )

    def _begin(self, inputs: Mapping[str, Any]) -> None:
        with atomic_write(self.folder / PLAN_NAME) as partial:
            partial.write_text(json.dumps(inputs, indent=1) + "\n")

    def _remove(self) -> None:
        # The plan first: without it, the remaining files cannot be resumed.
        with report_write_errors(self.folder):
            for path in (self.folder / PLAN_NAME, *self._finished()):
                path.unlink(missing_ok=True)

    def _leave(self) -> None:
        """Remove unfinished files, and the folder too if no case is finished."""
        remove_temporary(self.folder)
        if self.count:
            print(
                f"Finished cases kept in {self.folder}: {self.count}. Use --resume to "
                "continue.",
                file=sys.stderr,
            )
            return
        (self.folder / PLAN_NAME).unlink(missing_ok=True)
        with suppress(OSError):  # it holds files that are not ours
            self.folder.rmdir()
