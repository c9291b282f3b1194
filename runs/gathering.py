"""Reading run folders, and checking that their scores may be compared."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from evaluation.instance_columns import EARLIER_COLUMNS
from evaluation.instances import InstanceScore
from evaluation.score_file import read_instances, read_scores
from evaluation.scores import Score
from runs.folder import (
    EARLIER_INSTANCES_NAME,
    RUN_CONFIG_NAME,
    RUN_TITLES,
    TITLES,
    describe_unfinished,
    read_json,
)
from system.errors import DataError, UsageError

# Arguments that may differ between the runs of one side.
PLACES = ("cube", "scans", "output")
MAY_DIFFER = (*PLACES, "force", "resume", "fold", "seed", "require_gpu")
SUMMARY_FILE = "summary.json"  # written when a run is finished
# In config.json, beside the checksum of the content; see `check_cubes`.
WITH_PLACES = "cube_checksum_with_places"


@dataclass(frozen=True)
class Run:
    """A finished run of one network.

    Args:
        path: Its folder.
        config: The content of its config.json.
        scores: Scores of its test cases.
        costs: Parameters, time and memory, from its summary.json.
        instances: Scores of the instances, in cases that have any.
    """

    path: Path
    config: dict
    scores: tuple[Score, ...]
    costs: dict
    instances: tuple[InstanceScore, ...] = ()

    @property
    def title(self) -> str:
        """The network, "UNet-2D" or "UNet-3D", or "Ensemble"."""
        return RUN_TITLES[self.config["arguments"]["model"]]

    @property
    def fold(self) -> tuple[int | None, int | None]:
        """The tested fold and the number of folds; None without folds."""
        arguments = self.config["arguments"]
        return arguments.get("fold"), arguments.get("folds")


@dataclass(frozen=True)
class Side:
    """One side of a comparison: a network, tested in one run or in several folds.

    Args:
        name: Its name in tables.
        runs: At least one, all trained alike, no case tested twice.
    """

    name: str
    runs: tuple[Run, ...]

    @cached_property
    def scores(self) -> list[Score]:
        """Scores of the test cases of all runs."""
        return [score for run in self.runs for score in run.scores]

    @cached_property
    def instances(self) -> list[InstanceScore]:
        """Scores of the instances in the test cases of all runs."""
        return [score for run in self.runs for score in run.instances]

    @cached_property
    def costs(self) -> dict[str, float | None]:
        """Mean minutes per run, mean seconds per scan, maximum memory of the runs."""
        parameters = self._list_costs("parameters")
        minutes = self._list_costs("training_minutes")
        seconds = self._list_costs("seconds_per_scan")
        memory = self._list_costs("peak_memory_mib")
        num_cases = [len({score.case_id for score in run.scores}) for run in self.runs]
        return {
            "parameters": float(max(parameters)) if parameters else None,
            "training_minutes": float(np.mean(minutes)) if minutes else None,
            "seconds_per_scan": (
                float(np.average(seconds, weights=num_cases))
                if seconds and any(num_cases)
                else None
            ),
            "peak_memory_mib": float(max(memory)) if memory else None,
        }

    def _list_costs(self, key: str) -> list[float]:
        """List one cost of every run; empty if a run lacks it."""
        values = [run.costs.get(key) for run in self.runs]
        return [] if None in values else values

    def missing_folds(self) -> list[int]:
        """List the folds that no run tested; empty if there are no folds."""
        tested = {run.fold[0] for run in self.runs}
        return [fold for fold in range(self.runs[0].fold[1] or 0) if fold not in tested]


def gather(folders: Sequence[Path], against: Sequence[Path] = ()) -> list[Side]:
    """Read run folders and check that their scores may be compared.

    Args:
        folders: Of one network each, or of both as `--model both` leaves them.
        against: Folders of the second side; without them each network is a side.

    Returns:
        One side or two, UNet-2D before UNet-3D before an ensemble.

    Raises:
        DataError: If a folder holds no finished run, the runs are of different
            cubes, a side tested a case twice or its runs were trained with
            different arguments, or the sides are not of the same folds.
        UsageError: If there are more than two sides.
    """
    groups = [read_runs(folders), read_runs(against)]
    check_cubes([run for runs in groups for run in runs])
    if against:
        sides = [Side(name, tuple(runs)) for name, runs in _name_sides(groups)]
    else:
        sides = [
            Side(title, tuple(run for run in groups[0] if run.title == title))
            for title in RUN_TITLES.values()
        ]
        sides = [side for side in sides if side.runs]
    if len(sides) > 2:
        raise UsageError(
            "A page compares at most two sides; --against separates the runs of the "
            f"second. Received: {', '.join(side.name for side in sides)}"
        )
    for side in sides:
        check_side(side)
    check_folds(sides)
    return sides


def read_runs(folders: Sequence[Path]) -> list[Run]:
    """Read each network's run; a folder of both networks stands for two runs.

    Raises:
        UsageError: If a folder holds no run.
        DataError: If it holds one that has not finished.
    """
    runs = []
    for folder in folders:
        candidates = [folder, *(folder / model for model in TITLES)]
        found = [path for path in candidates if (path / RUN_CONFIG_NAME).is_file()]
        if not found:
            raise UsageError(
                f"{folder} must be a run folder of train.py. Received: no "
                f"{RUN_CONFIG_NAME}"
            )
        for path in found:
            if not (path / SUMMARY_FILE).is_file():
                raise DataError(describe_unfinished(path, folder))
        runs += [_read_run(path) for path in found]
    return runs


def _read_run(path: Path) -> Run:
    config = read_json(path / RUN_CONFIG_NAME)
    scores = tuple(read_scores(path / "scores.csv"))
    instances = read_instances(path / "scores.csv")
    earlier = path / EARLIER_INSTANCES_NAME
    if not instances and earlier.is_file():
        instances = read_instances(earlier, EARLIER_COLUMNS)
    summary = read_json(path / SUMMARY_FILE)
    missing = [name for name in ("arguments", "cube_checksum") if name not in config]
    if "costs" not in summary:
        missing.append("costs")
    if "model" not in config.get("arguments", {}):
        missing.append("model")
    if missing:
        raise DataError(
            f"{path} must be a run of train.py. Received: no {', '.join(missing)} in "
            "config.json and summary.json"
        )
    return Run(path, config, scores, summary["costs"], tuple(instances))


def _name_sides(groups: Sequence[Sequence[Run]]) -> list[tuple[str, Sequence[Run]]]:
    """Name each side by its network or, if that is ambiguous, by its folder."""
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
    """Check that all runs are of the same cube, by its content.

    Earlier versions recorded a checksum that depends on the place of the scans; later
    ones record both, so that runs of either can be told to be of one cube file.

    Raises:
        DataError: If two are not; names a run of each.
    """
    first = runs[0]
    for run in runs[1:]:
        old = [each for each in (first, run) if WITH_PLACES not in each.config]
        name = WITH_PLACES if len(old) == 1 else "cube_checksum"
        found = [each.config.get(name) for each in (first, run)]
        if len(old) == 1:
            found[0 if old[0] is first else 1] = old[0].config["cube_checksum"]
        if found[0] != found[1]:
            cubes = " and ".join(
                f"{each.config['arguments']['cube']} ({checksum[:12]}) in {each.path}"
                for each, checksum in zip((first, run), found, strict=True)
            )
            reason = "" if len(old) != 1 else _describe_old(old[0])
            raise DataError(f"All runs must be of one cube. Received: {cubes}{reason}")


def _describe_old(run: Run) -> str:
    return (
        f". {run.path} is of an earlier version of train.py, which knew a cube by the "
        "places of its scans as well: with a newer run it can only be compared if both "
        "are of one file. --weights with --epochs 0 tests its model again."
    )


def check_side(side: Side) -> None:
    """Check that the runs of a side are folds of one network.

    Raises:
        DataError: If two of them tested the same case, or were trained with
            different arguments; names both runs.
    """
    tested: dict[str, Path] = {}
    for run in side.runs:
        for case_id in {score.case_id: None for score in run.scores}:
            if case_id in tested:
                raise DataError(
                    f"A side must test each case once. Received: '{case_id}' in "
                    f"{tested[case_id]} and in {run.path}. Use --against to compare "
                    "two runs of the same network."
                )
            tested[case_id] = run.path
    first = side.runs[0]
    for run in side.runs[1:]:
        expected, received = first.config["arguments"], run.config["arguments"]
        may_differ = set(MAY_DIFFER)
        if expected.get("weights_checksum") and received.get("weights_checksum"):
            may_differ.add("weights")  # known by their checksums, wherever they lie
        for name in sorted((expected.keys() | received.keys()) - may_differ):
            if expected.get(name) != received.get(name):
                raise DataError(
                    "The runs of a side must be trained with the same arguments. "
                    f"Received: {name}={expected.get(name)} in {first.path}, "
                    f"{name}={received.get(name)} in {run.path}"
                )


def check_folds(sides: Sequence[Side]) -> None:
    """Check that both sides were tested on the same folds.

    Raises:
        DataError: If one side has a fold that the other lacks; names both.
    """
    sides_by_folds = defaultdict(list)
    for side in sides:
        folds = sorted(_format_fold(run.fold) for run in side.runs)
        sides_by_folds[", ".join(folds)].append(side.name)
    if len(sides_by_folds) > 1:
        received = "; ".join(
            f"{folds} in {' and '.join(names)}"
            for folds, names in sides_by_folds.items()
        )
        raise DataError(f"Both sides must be of the same folds. Received: {received}")


def _format_fold(fold: tuple[int | None, int | None]) -> str:
    return "no fold" if fold[0] is None else f"fold {fold[0]} of {fold[1]}"
