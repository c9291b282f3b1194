"""Run folders gathered: which networks they hold, and whether they compare fairly."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from evaluation.score_file import read_scores
from evaluation.scores import Score
from runs.folder import TITLES, read_json
from system.errors import DataError

# Arguments that may differ between runs which are trained alike.
WHERE = ("cube", "output", "force", "resume", "fold", "seed", "require_gpu")


@dataclass(frozen=True)
class Run:
    """What one network's run left.

    Args:
        path: Its folder.
        config: What was asked for, and of which cube.
        scores: Of its test cases.
        costs: What it took.
    """

    path: Path
    config: dict
    scores: tuple[Score, ...]
    costs: dict

    @property
    def title(self) -> str:
        """The network, "UNet-2D" or "UNet-3D"."""
        return TITLES[self.config["arguments"]["model"]]

    @property
    def fold(self) -> tuple[int | None, int | None]:
        """Which fold it tested, and of how many; None without folds."""
        asked = self.config["arguments"]
        return asked.get("fold"), asked.get("folds")


@dataclass(frozen=True)
class Side:
    """One network, trained and tested once or in several folds.

    Args:
        name: What it is called.
        runs: At least one, all trained alike, no case tested twice.
    """

    name: str
    runs: tuple[Run, ...]

    @cached_property
    def scores(self) -> list[Score]:
        """Of the test cases of all runs."""
        return [score for run in self.runs for score in run.scores]

    @cached_property
    def costs(self) -> dict[str, float | None]:
        """Minutes as the mean of a run, seconds of a scan, the peak of any run."""
        cases = [len({score.case_id for score in run.scores}) for run in self.runs]

        def merge(key, how, **weights):
            values = [run.costs.get(key) for run in self.runs]
            return None if None in values else float(how(values, **weights))

        seconds = None
        if any(cases):
            seconds = merge("seconds_per_scan", np.average, weights=cases)
        return {
            "parameters": merge("parameters", max),
            "training_minutes": merge("training_minutes", np.mean),
            "seconds_per_scan": seconds,
            "peak_memory_mib": merge("peak_memory_mib", max),
        }

    def missing_folds(self) -> list[int]:
        """List the folds that no run tested; none where there are no folds."""
        tested = {run.fold[0] for run in self.runs}
        return [fold for fold in range(self.runs[0].fold[1] or 0) if fold not in tested]


def gather(folders: Sequence[Path], against: Sequence[Path] = ()) -> list[Side]:
    """Read run folders and see that what they scored may be set side by side.

    Args:
        folders: Of one network each, or of both as `--model both` leaves them.
        against: More of them, which then are the second side; without them each
            network is a side.

    Returns:
        One side or two, UNet-2D before UNet-3D.

    Raises:
        DataError: If a folder holds no finished run, the runs are of different
            cubes, a case was tested twice by one side, its runs were trained
            unlike, or the sides are not of the same folds.
    """
    groups = [read_runs(folders), read_runs(against)]
    check_cubes([run for runs in groups for run in runs])
    if against:
        sides = [Side(name, tuple(runs)) for name, runs in _name_sides(groups)]
    else:
        sides = [
            Side(title, tuple(run for run in groups[0] if run.title == title))
            for title in TITLES.values()
        ]
        sides = [side for side in sides if side.runs]
    for side in sides:
        check_side(side)
    check_folds(sides)
    return sides


def read_runs(folders: Sequence[Path]) -> list[Run]:
    """Read each network's run; a folder of both stands for the two in it.

    Raises:
        DataError: If a folder holds no run, or one that has not finished.
    """
    runs = []
    for folder in folders:
        inner = [folder, *(folder / model for model in TITLES)]
        found = [path for path in inner if (path / "config.json").is_file()]
        if not found:
            raise DataError(
                f"{folder} must be a run folder of train.py. Received: no config.json"
            )
        runs += [_read_run(path) for path in found]
    return runs


def _read_run(path: Path) -> Run:
    config = read_json(path / "config.json")
    scores = tuple(read_scores(path / "scores.csv"))
    summary = read_json(path / "summary.json")
    missing = [
        *({"arguments", "cube_checksum"} - config.keys()),
        *({"costs"} - summary.keys()),
        *({"model"} - config.get("arguments", {}).keys()),
    ]
    if missing:
        raise DataError(
            f"{path} must be a run of train.py. Received: no {', '.join(missing)} in "
            "config.json and summary.json"
        )
    return Run(path, config, scores, summary["costs"])


def _name_sides(groups: Sequence[Sequence[Run]]) -> list[tuple[str, Sequence[Run]]]:
    """Call each side by its network or, where that does not tell, by its folder."""
    titles = [{run.title for run in runs} for runs in groups]
    if all(len(found) == 1 for found in titles) and titles[0] != titles[1]:
        return [(runs[0].title, runs) for runs in groups]
    folders = [
        os.path.commonpath([run.path.absolute() for run in runs]) for runs in groups
    ]
    above = os.path.commonpath(folders)
    if above in folders:  # one holds the other
        above = os.path.dirname(above)
    folders = [os.path.relpath(folder, above) for folder in folders]
    return list(zip(folders, groups, strict=True))


def check_cubes(runs: Sequence[Run]) -> None:
    """Refuse runs of different cubes.

    Raises:
        DataError: Names a run of each of two cubes.
    """
    first = runs[0]
    for run in runs[1:]:
        if run.config["cube_checksum"] != first.config["cube_checksum"]:
            cubes = " and ".join(
                f"{each.config['arguments']['cube']} "
                f"({each.config['cube_checksum'][:12]}) in {each.path}"
                for each in (first, run)
            )
            raise DataError(f"All runs must be of one cube. Received: {cubes}")


def check_side(side: Side) -> None:
    """Refuse runs that cannot be taken for one network.

    Raises:
        DataError: If a case was tested by two of them, or an argument that
            decides the training differs; names both runs.
    """
    tested: dict[str, Path] = {}
    for run in side.runs:
        for case_id in {score.case_id: None for score in run.scores}:
            if case_id in tested:
                raise DataError(
                    f"A side must test each case once. Received: '{case_id}' in "
                    f"{tested[case_id]} and in {run.path}. Two networks of one kind "
                    "are compared by --against."
                )
            tested[case_id] = run.path
    first = side.runs[0]
    for run in side.runs[1:]:
        before, now = first.config["arguments"], run.config["arguments"]
        for name in sorted((before.keys() | now.keys()) - set(WHERE)):
            if before.get(name) != now.get(name):
                raise DataError(
                    f"The runs of a side must be trained alike. Received: "
                    f"{name}={before.get(name)} in {first.path}, "
                    f"{name}={now.get(name)} in {run.path}"
                )


def check_folds(sides: Sequence[Side]) -> None:
    """Refuse sides that were not trained and tested on the same scans.

    Raises:
        DataError: If one side has a fold that the other lacks; names both.
    """
    folds = defaultdict(list)
    for side in sides:
        told = [_tell_fold(run.fold) for run in side.runs]
        folds[tuple(sorted(told))].append(side.name)
    if len(folds) > 1:
        told = "; ".join(
            f"{', '.join(found)} in {' and '.join(names)}"
            for found, names in folds.items()
        )
        raise DataError(f"Both sides must be of the same folds. Received: {told}")


def _tell_fold(fold: tuple[int | None, int | None]) -> str:
    return "no fold" if fold[0] is None else f"fold {fold[0]} of {fold[1]}"
