from dataclasses import replace
from pathlib import Path

import pytest
from support.scans import make_case

from cube.persons import check_persons
from system.errors import DataError


def case_of(path, subject="", *, label=""):
    """Return a case of a path; its case id is the path, and so is its content."""
    case = make_case(path, subject=subject or path)
    pair = replace(case.pair, image=Path("/d") / path, names_subject=bool(subject))
    return replace(case, pair=pair, label_content_checksum=label)


def refused(cases, message):
    with pytest.raises(DataError, match=message) as caught:
        check_persons(cases, allow=False)
    return str(caught.value)


def test_equal_label_maps_are_refused_with_the_pair_and_the_way_out():
    cases = [case_of("a", label="x"), case_of("b", label="x"), case_of("c", label="y")]
    cases.append(case_of("d", label="z"))

    message = refused(cases, r"one person: 'a' and 'b' \(equal label maps\)\. Name")

    assert "--allow-same-person" in message
    assert "image,label,subject" in message
    notes = check_persons(cases, allow=True)
    assert notes == ["taken for different persons: 'a' and 'b' (equal label maps)"]


def test_equal_label_maps_of_named_persons_are_refused_too():
    cases = [case_of("a", "ann", label="x"), case_of("b", "ben", label="x")]
    cases += [case_of("c", "cid"), case_of("d", "dan")]

    refused(cases, "equal label maps")


def test_one_subject_may_have_equal_label_maps_and_names():
    cases = [case_of("1_t1", "p1", label="x"), case_of("1_t2", "p1", label="x")]
    cases += [case_of("2_t1", "p2", label="y"), case_of("2_t2", "p2", label="y")]

    assert check_persons(cases, allow=False) == []


def test_label_map_of_three_quarters_of_the_subjects_is_no_evidence():
    cases = [case_of(name, label="x") for name in "abc"]
    cases += [case_of("d", label="d")]

    (note,) = check_persons(cases, allow=False)
    assert note.startswith("label maps of 3 subjects are equal, as of phantoms")

    # Three of five may be one person's.
    refused([*cases, case_of("e", label="e")], r"'a' and 'b' \(equal label maps\)")


def test_label_map_of_all_subjects_is_no_evidence_however_few_they_are():
    cases = [case_of("a", label="x"), case_of("b", label="x")]

    (note,) = check_persons(cases, allow=False)
    assert note.startswith("label maps of 2 subjects are equal, as of phantoms")
    refused([*cases, case_of("c", label="y")], r"'a' and 'b' \(equal label maps\)")


def test_empty_label_checksums_are_no_evidence():
    assert check_persons([case_of("a"), case_of("b"), case_of("c")], allow=False) == []


def test_scan_listed_twice_is_accepted_with_a_note():
    cases = [
        case_of(name, label=label) for name, label in zip("abcd", "xxyz", strict=True)
    ]
    cases[1] = replace(cases[1], content_checksum=cases[0].content_checksum)

    notes = check_persons(cases, allow=False)

    assert notes == ["taken for different persons: 'a' and 'b' (the same scan)"]


def test_one_bids_subject_is_refused_unless_the_list_names_both():
    paths = ("sub-1/anat/sub-1_T1w.nii", "sub-1/anat/sub-1_dwi.nii", "sub-2/a.nii")

    refused([case_of(path) for path in paths], r"\(both of sub-1\)")
    refused([case_of(paths[0], "a"), case_of(paths[1]), case_of(paths[2])], "sub-1")
    named = [case_of(path, name) for path, name in zip(paths, "abc", strict=True)]
    (note,) = check_persons(named, allow=False)
    assert "taken for different persons" in note
    assert "both of sub-1" in note


def test_bids_subjects_of_two_data_sets_are_two_persons():
    paths = ("one/sub-1/anat/a.nii", "two/sub-1/anat/b.nii")

    assert check_persons([case_of(path) for path in paths], allow=False) == []


def test_names_but_for_the_contrast_are_refused_unless_the_list_names_both():
    paths = ("1_t1", "1_t2", "2_t1")

    message = refused([case_of(path) for path in paths], "1_t1 and 1_t2 differ only in")
    assert "2_t1" not in message
    named = [case_of(path, name) for path, name in zip(paths, "abc", strict=True)]
    assert check_persons(named, allow=False) == []


def test_only_the_first_of_many_pairs_are_shown():
    cases = [case_of(f"{n}_{word}") for n in range(13) for word in ("t1", "t2")]

    assert (
        refused(cases, "'9_t1' and '9_t2'").count("differ only in contrast or visit")
        == 10
    )
    refused(cases, "and 3 more")
