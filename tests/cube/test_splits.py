from collections import Counter

import pytest

from cube.splits import SPLITS, assign_splits, split_subjects
from system.errors import UsageError

# Twelve scans of eight people.
SUBJECTS = [*"abcdefgh", "b", "b", "e", "h"]


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("shares", [(0.2, 0.2), (0.1, 0.4), (0, 0.3), (0.5, 0)])
def test_no_subject_is_in_two_splits(seed, shares):
    splits = assign_splits(
        SUBJECTS, [None] * 12, validation=shares[0], test=shares[1], seed=seed
    )

    by_subject = {}
    for subject, split in zip(SUBJECTS, splits, strict=True):
        by_subject.setdefault(subject, set()).add(split)
    assert {len(found) for found in by_subject.values()} == {1}
    assert set(splits) <= set(SPLITS)


@pytest.mark.parametrize(
    ("validation", "test", "expected"),
    [
        # Of eight subjects: 8 * 0.2 = 1.6 is 2; 8 * 0.4 = 3.2 is 3.
        (0.2, 0.4, {"train": 3, "validation": 2, "test": 3}),
        (0.4, 0.2, {"train": 3, "validation": 3, "test": 2}),
        (0.0, 0.2, {"train": 6, "test": 2}),
        (0.2, 0.0, {"train": 6, "validation": 2}),
        (0.0, 0.0, {"train": 8}),
        # 8 * 0.01 is 0, but a share above 0 gets one.
        (0.01, 0.01, {"train": 6, "validation": 1, "test": 1}),
    ],
)
def test_shares_are_of_subjects_not_of_scans(validation, test, expected):
    splits = split_subjects(SUBJECTS, validation=validation, test=test, seed=5)

    assert set(splits) == set("abcdefgh")
    assert Counter(splits.values()) == expected


def test_order_and_number_of_scans_do_not_matter():
    shares = {"validation": 0.2, "test": 0.3, "seed": 3}

    assert split_subjects(SUBJECTS, **shares) == split_subjects(
        list(reversed("abcdefgh")), **shares
    )


def test_seed_decides_and_every_subject_gets_its_turn():
    tested = [
        subject
        for seed in range(200)
        for subject, split in split_subjects(
            "abcdefgh", validation=0.2, test=0.125, seed=seed
        ).items()
        if split == "test"
    ]

    # 200 draws of one of eight: 25 each, +- four binomial deviations of 4.7.
    assert len(tested) == 200
    assert all(abs(Counter(tested)[subject] - 25) <= 19 for subject in "abcdefgh")


@pytest.mark.parametrize(
    ("subjects", "shares", "received"),
    [
        ("a", (0.2, 0), "1 subject, of which 1 for validation and 0"),
        ("ab", (0.2, 0.2), "2 subjects, of which 1 for validation and 1"),
        ("aaaa", (0, 0.1), "1 subject, of which 0 for validation and 1"),
        ("abc", (0.8, 0.8), "3 subjects, of which 2 for validation and 2"),
    ],
)
def test_shares_that_leave_no_training_subject_are_refused(subjects, shares, received):
    with pytest.raises(UsageError, match=f"left to train on.*Received: {received}"):
        split_subjects(subjects, validation=shares[0], test=shares[1], seed=0)


def test_all_subjects_may_be_for_testing():
    splits = split_subjects("abb", validation=0, test=1, seed=0)

    assert splits == {"a": "test", "b": "test"}


@pytest.mark.parametrize("number", [2, 3, 5])
@pytest.mark.parametrize("shares", [(0.5, 0.5), (0.3, 0.7), (0.1, 0.9)])
def test_shares_that_sum_to_one_leave_no_training_subject(number, shares):
    names = [str(n) for n in range(number)]
    found = split_subjects(names, validation=shares[0], test=shares[1], seed=0)

    assert set(found.values()) == {"validation", "test"}


def test_splits_of_the_pair_list_are_kept():
    given = ["test", "train", "train", "validation"]

    splits = assign_splits("abbc", given, validation=0.5, test=0.4, seed=1)

    assert splits == given


def test_incomplete_splits_of_the_list_are_refused():
    given = ["train", None, "test"]

    with pytest.raises(UsageError, match=r"every case or to none.*1 of 3 cases"):
        assign_splits("abc", given, validation=0.2, test=0.2, seed=0)
