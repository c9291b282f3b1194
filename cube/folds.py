"""Cross-validation: a cube's subjects in folds, so that each is tested once.

The folds follow from the cube alone, its subjects and its seed, so every network
that is trained on a cube is tested on the same scans. Whole subjects are dealt
out, never scans: two scans of one person are always in one fold.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from cube.reader import Cube
from cube.splits import SPLITS
from system.errors import UsageError

LEAST_FOLDS = 3  # one to test, one to validate, one to train on


def assign_folds(subjects: Sequence[str], folds: int, seed: int) -> dict[str, int]:
    """Deal the subjects into folds at random.

    Folds differ by one subject at most. Those with many scans are dealt first,
    so that the scans are spread as well.

    Args:
        subjects: One name per scan; repeats are one subject. Order is no matter.
        folds: How many folds.
        seed: Of the shuffle.

    Returns:
        Fold of each subject, from 0 to `folds` - 1.

    Raises:
        UsageError: If there are fewer subjects than folds.
    """
    num_scans = Counter(subjects)
    names = sorted(num_scans)
    if len(names) < folds:
        raise UsageError(
            f"{folds} folds need a subject each that may be trained on. "
            f"Received: {len(names)} subjects"
        )
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    shuffled = [names[index] for index in rng.permutation(len(names))]
    shuffled.sort(key=lambda name: -num_scans[name])
    # To and fro: who comes first in one lap comes last in the next.
    to_and_fro = [*range(folds), *reversed(range(folds))]
    return {
        name: to_and_fro[place % len(to_and_fro)] for place, name in enumerate(shuffled)
    }


class FoldedCube(Cube):
    """A cube with the splits of one fold in place of its own.

    Every scan of its own `train` and `validation` splits is in a fold. Fold
    `fold` is tested, the next one validated (after the last comes the first),
    the others are trained on. Outside training only the scans themselves have a
    split: no `rows` of any split lead to the augmented copies of a scan that is
    validated or tested. The cube's own test scans are left out of every fold,
    so that they stay unseen.

    Args:
        path: The HDF5 file.
        fold: Which fold is tested, from 0.
        folds: How many there are, at least 3.

    Raises:
        DataError: If the file is not a whole cube.
        ValueError: If there is no such fold.
    """

    def __init__(self, path: str | Path, fold: int, folds: int):
        if not 0 <= fold < folds or folds < LEAST_FOLDS:
            raise ValueError(
                f"Fold must be below the number of folds, which is {LEAST_FOLDS} or "
                f"more. Received: fold={fold}, folds={folds}"
            )
        super().__init__(path)
        self.fold, self.folds = fold, folds

    @cached_property
    def fold_of(self) -> dict[str, int]:
        """Fold of each subject; the cube's own test subjects have none.

        Raises:
            UsageError: If there are fewer subjects than folds.
        """
        dealt = [
            self.subjects[row]
            for row, split in enumerate(self._column("split"))
            if split != "test" and self.copies[row] == 0
        ]
        return assign_folds(dealt, self.folds, self.seed)

    @cached_property
    def splits(self) -> list[str]:
        """Split in this fold, by row; "" for rows that are left out."""
        roles = ["train"] * self.folds
        roles[self.fold] = "test"
        roles[(self.fold + 1) % self.folds] = "validation"
        splits = []
        for subject, copy in zip(self.subjects, self.copies, strict=True):
            fold = self.fold_of.get(subject)
            split = "" if fold is None else roles[fold]
            splits.append("" if copy > 0 and split != "train" else split)
        return splits


def open_cube(path: str | Path, fold: int | None, folds: int | None) -> Cube:
    """Open a cube with its own splits or, where a fold is named, with that fold's."""
    return Cube(path) if fold is None else FoldedCube(path, fold, folds)


def training_rows(cube: Cube, copy: int | None = None) -> list[int]:
    """List the rows to train on, or one copy's, as many of one case as of another.

    In a fold a case may have no copies, for the cube has them only of its own
    training cases. Its rows are then listed repeatedly: drawn from evenly, the
    list gives every case its share.
    """
    by_case = defaultdict(list)
    for row in cube.rows("train", copy):
        by_case[cube.case_ids[row]].append(row)
    most = max(map(len, by_case.values()), default=0)
    return [row for rows in by_case.values() for row in (rows * most)[:most]]


def record_splits(cube: Cube) -> dict:
    """Say which case is in which split and fold, JSON-safe, for splits.json."""
    folded = isinstance(cube, FoldedCube)
    return {
        "fold": cube.fold if folded else None,
        "folds": cube.folds if folded else None,
        "seed": cube.seed,
        "cases": [
            {
                "case_id": cube.case_ids[row],
                "subject": cube.subjects[row],
                "split": cube.splits[row] or None,
                "fold": cube.fold_of.get(cube.subjects[row]) if folded else None,
            }
            for row in cube.rows(copy=0)
        ],
    }


def describe_splits(record: dict) -> str:
    """Tell from `record_splits` which cases a fold trains, validates and tests."""
    members = defaultdict(list)
    for case in record["cases"]:
        members[case["split"]].append(case["case_id"])
    lines = [f"Fold {record['fold']} of {record['folds']}, by subject"]
    lines += [f"  {split:<10}  {', '.join(members[split])}" for split in SPLITS]
    if members[None]:
        lines.append(f"  left out    {', '.join(members[None])}: the cube's test cases")
    return "\n".join(lines)
