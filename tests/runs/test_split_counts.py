from runs.split_counts import count_splits


def test_cases_and_subjects_are_counted_by_split():
    cases = [
        {"subject": "a", "split": "train"},
        {"subject": "a", "split": "train"},
        {"subject": "b", "split": "test"},
        {"subject": "c", "split": None},
    ]

    assert count_splits(cases) == (
        "4 cases of 3 subjects: train 2 cases of 1 subject, test 1 case, "
        "left out 1 case"
    )
    assert count_splits([]) == "0 cases"
