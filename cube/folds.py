"""Cross-validation: a cube's subjects in folds, so that each is tested once.

The folds depend only on the cube's subjects and seed, so that every network trained
on a cube is tested on the same scans. All scans of one subject are in one fold.
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
from system.text import count_of

MIN_FOLDS = 3  # one to test, one to validate, one to train on


def assign_folds(subjects: Sequence[str], folds: int, seed: int) -> dict[str, int]:
    """Assign the subjects to folds at random.

    Folds differ by at most one subject. Subjects with many scans are assigned first,
    so that the scans are spread evenly as well. The order of the scans has no effect.

    Args:
        subjects: Subject of each scan.
        folds: Number of folds.
        seed: Seed of the shuffle.

    Returns:
        Fold of each subject, from 0 to `folds` - 1.

    Raises:
        UsageError: If there are fewer subjects than folds.
    """
    num_scans = Counter(subjects)
    names = sorted(num_scans)
    if len(names) < folds:
        raise UsageError(
            f"{folds} folds need at least as many subjects, test subjects excluded. "
            f"Received: {count_of(len(names), 'subject')}"
        )
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    shuffled = [names[index] for index in rng.permutation(len(names))]
    shuffled.sort(key=lambda name: -num_scans[name])
    # In alternating direction, so that the first fold of one round is last in the next.
    order = [*range(folds), *reversed(range(folds))]
    return {name: order[n % len(order)] for n, name in enumerate(shuffled)}


class FoldedCube(Cube):
    """A cube whose splits are those of one fold.

    Every scan of the cube's `train` and `validation` splits is in a fold. Fold `fold`
    is for testing, the next one (cyclically) for validation, the others for training.
    Augmented copies of validation and test scans have no split. The cube's test scans
    are in no fold, so that they stay unseen.

    Args:
        path: The HDF5 file.
        fold: The fold to test on, from 0.
        folds: Number of folds, at least 3.

    Raises:
        DataError: If the file is not a complete cube.
        ValueError: If there is no such fold.
    """

    def __init__(self, path: str | Path, fold: int, folds: int):
        if not 0 <= fold < folds or folds < MIN_FOLDS:
            raise ValueError(
                f"Fold must be below the number of folds, which is {MIN_FOLDS} or "
                f"more. Received: fold={fold}, folds={folds}"
            )
        super().__init__(path)
        self.fold, self.folds = fold, folds

    @cached_property
    def fold_of(self) -> dict[str, int]:
        """Fold of each subject; the cube's test subjects have none.

        Raises:
            UsageError: If there are fewer subjects than folds.
        """
        subjects = [
            self.subjects[row]
            for row, split in enumerate(self._column("split"))
            if split != "test" and self.copies[row] == 0
        ]
        return assign_folds(subjects, self.folds, self.seed)

    @cached_property
    def splits(self) -> list[str]:
        """Split in this fold, by row; "" for rows that have none."""
        split_of = ["train"] * self.folds
        split_of[self.fold] = "test"
        split_of[(self.fold + 1) % self.folds] = "validation"
        splits = []
        for subject, copy in zip(self.subjects, self.copies, strict=True):
            fold = self.fold_of.get(subject)
            split = "" if fold is None else split_of[fold]
            splits.append("" if copy > 0 and split != "train" else split)
        return splits


def open_cube(path: str | Path, fold: int | None, folds: int | None) -> Cube:
    """Open a cube with its own splits, or with those of a fold if one is given."""
    return Cube(path) if fold is None else FoldedCube(path, fold, folds)


def training_rows(cube: Cube, copy: int | None = None) -> list[int]:
    """List the rows to train on, or those of one copy, equally many of each case.

    In a fold a training case may have no copies, as the cube holds copies of its own
    training cases only. Its rows are then repeated, so that a uniform draw from the
    list takes every case equally often.
    """
    by_case = defaultdict(list)
    for row in cube.rows("train", copy):
        by_case[cube.case_ids[row]].append(row)
    most = max(map(len, by_case.values()), default=0)
    return [row for rows in by_case.values() for row in (rows * most)[:most]]


def record_splits(cube: Cube) -> dict:
    """Return the split and fold of every case, JSON-safe, for splits.json."""
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
    """Describe which cases of `record_splits` a fold trains, validates and tests."""
    members = defaultdict(list)
    for case in record["cases"]:
        members[case["split"]].append(case["case_id"])
    lines = [f"Fold {record['fold']} of {record['folds']}, by subject"]
    lines += [f"  {split:<10}  {', '.join(members[split])}" for split in SPLITS]
    if members[None]:
        lines.append(f"  left out    {', '.join(members[None])}: the cube's test cases")
    return "\n".join(lines)
