"""Splitting subjects, never single scans, into train, validation and test."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from system.errors import UsageError
from system.text import count_of

SPLITS = ("train", "validation", "test")


def split_subjects(
    subjects: Sequence[str], *, validation: float, test: float, seed: int
) -> dict[str, str]:
    """Assign each subject to one split at random.

    The result depends on the set of subjects and the seed, not on the order of the
    scans or their number.

    Args:
        subjects: Subject of each scan.
        validation: Share of the subjects, in [0, 1].
        test: Share of the subjects, in [0, 1].
        seed: Seed of the shuffle.

    Returns:
        Split of each subject. A share above 0 gets at least one subject.

    Raises:
        UsageError: If there are too few subjects, or no subject is left for training
            although the shares sum to less than 1.
    """
    names = sorted(set(subjects))
    counts = [
        max(1, round(share * len(names))) if share > 0 else 0
        for share in (validation, test)
    ]
    # Shares that sum to 1 ask for a cube without training cases.
    available = len(names) if validation + test > 1 - 1e-9 else len(names) - 1
    if 0 < validation < 1 and abs(validation + test - 1) < 1e-9:
        counts[1] = max(1, len(names) - counts[0])  # rounded up, both may not fit
    if sum(counts) > available:
        raise UsageError(
            "At least one subject must be left to train on, unless the shares of "
            "validation and test sum to 1. Received: "
            f"{count_of(len(names), 'subject')}, of which {counts[0]} for validation "
            f"and {counts[1]} for test. --validation 0 or --test 0 leaves a split "
            "empty."
        )
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    shuffled = [names[index] for index in rng.permutation(len(names))]
    bounds = np.cumsum([0, *counts])
    splits = dict.fromkeys(names, "train")
    for split, first, last in zip(SPLITS[1:], bounds, bounds[1:], strict=False):
        splits.update(dict.fromkeys(shuffled[first:last], split))
    return splits


def assign_splits(
    subjects: Sequence[str],
    given: Sequence[str | None],
    *,
    validation: float,
    test: float,
    seed: int,
) -> list[str]:
    """Return the split of every case: the one in the pair list, or a random one.

    Args:
        subjects: Subject of each case.
        given: Split of each case in the pair list, or None.
        validation: Share of the subjects, if the list has no splits.
        test: Share of the subjects, if the list has no splits.
        seed: Seed of the shuffle.

    Raises:
        UsageError: If only some cases have a split.
    """
    if all(split is None for split in given):
        drawn = split_subjects(subjects, validation=validation, test=test, seed=seed)
        return [drawn[subject] for subject in subjects]
    if None in given:
        raise UsageError(
            "The pair list must give a split to every case or to none. Received: "
            f"{given.count(None)} of {len(given)} cases without a split."
        )
    return list(given)
