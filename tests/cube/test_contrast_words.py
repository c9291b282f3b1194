from pathlib import Path

import pytest

from cube.contrast_words import bids_subject, names_without_contrast


def left_of(*paths):
    images = {path: Path("/data") / path for path in paths}
    return list(names_without_contrast(images).values())


@pytest.mark.parametrize(
    "paths",
    [
        ("1_t1.nrrd", "1_t2.nrrd", "2_t1.nrrd"),
        ("1_T1W.nrrd", "1-STIR.nii.gz", "2_t1.nrrd"),
        ("1_t2.mha", "1_t2_SPACE.mha", "2_t1.mha"),
        ("t1/1.nrrd", "t2/1.nrrd", "t1/2.nrrd"),
        ("p1/t1.nrrd", "p1/t2.nrrd", "p2/t1.nrrd"),
        ("p1/sag/t1/image.nrrd", "p1/tra/t2/image.nrrd", "p2/t1/image.nrrd"),
        ("1_dixon_W.nrrd", "1_dixon_F.nrrd", "2_dixon_W.nrrd"),
        ("1_in_phase.nrrd", "1_opp_phase.nrrd", "2_in_phase.nrrd"),
        ("1_ct.nrrd", "1_mr.nrrd", "2_ct.nrrd"),
        ("1T1.nrrd", "1T2.nrrd", "2T1.nrrd"),
        ("1_T1weighted.nrrd", "1_T2FLAIR.nrrd", "2_T1weighted.nrrd"),
        ("1_soft.nrrd", "1_bone.nrrd", "2_soft.nrrd"),
        ("a_ses-01_run-1_T1w.nrrd", "a_ses-02_run-2.nrrd", "b_ses-01.nrrd"),
        ("a_echo1.nrrd", "a_echo2.nrrd", "b_echo1.nrrd"),
        ("a 1 pre Gd.nrrd", "a 1 post Gd.nrrd", "a 2 pre Gd.nrrd"),
    ],
)
def test_first_two_paths_are_one_person_and_the_third_is_another(paths):
    first, second, third = left_of(*paths)

    assert first == second != ()
    assert third != first


@pytest.mark.parametrize(
    "paths",
    [
        ("scan_1.nrrd", "scan_2.nrrd"),
        ("p1/t1.nrrd", "p2/t1.nrrd"),
        ("VB2_05/image.nrrd", "VB2_06/image.nrrd"),
        ("spine_t1.nrrd", "spine_t2.nrrd", "spine_t3.nrrd"),  # numbers, no contrasts
        ("ct1.nrrd", "ct2.nrrd"),
        ("fat1.nrrd", "water1.nrrd"),  # no whole words
        ("case_f.nrrd", "case_w.nrrd"),  # letters of persons
    ],
)
def test_paths_of_several_persons_differ(paths):
    found = left_of(*paths)

    assert len(set(found)) == len(found)


@pytest.mark.parametrize(
    "paths",
    [
        ("t1.nrrd", "t2.nrrd"),
        ("t1/image.nrrd", "t2/image.nrrd"),
        ("ct/scan.nrrd", "mr/scan.nrrd"),
        ("t1.nrrd",),
    ],
)
def test_nothing_is_left_of_names_that_name_no_one(paths):
    assert set(left_of(*paths)) == {()}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/d/sub-01/anat/sub-01_T1w.nii.gz", ("/d", "sub-01")),
        ("/d/sub-01_ses-2_T2w.nii.gz", ("/d", "sub-01")),
        ("/d/sub-verse401_split-verse253_ct.nii.gz", ("/d", "sub-verse401")),
        ("/d/rawdata/Sub-01/sub-01_T1w.nii.gz", ("/d", "sub-01")),
        ("/d/derivatives/n4/sub-01/anat/sub-01_T2w.nii.gz", ("/d", "sub-01")),
        ("/sub-study/c1.nrrd", None),
        ("/d/subject-01/image.nrrd", None),
        ("/d/nosub-01.nrrd", None),
    ],
)
def test_subject_of_bids_is_found_with_the_folder_of_its_data_set(path, expected):
    assert bids_subject(Path(path)) == expected
