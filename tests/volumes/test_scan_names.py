from pathlib import Path

import pytest

from volumes.scan_names import choose_case_ids, name_of


@pytest.mark.parametrize(
    ("images", "names"),
    [
        (["a/ann.nii.gz", "b/ben.nrrd"], ["ann", "ben"]),
        (["VB2_05/image.nrrd", "VB2_06/image.nrrd"], ["VB2_05", "VB2_06"]),
        (["1/t1.nrrd", "1/t2.nrrd", "2/t1.nrrd"], ["1_t1", "1_t2", "2_t1"]),
        (["a.nrrd", "a.nii.gz", "a_2.nrrd"], ["a", "a_2", "a_2_2"]),
        (["a_2.nrrd", "a.nrrd", "A.nii.gz"], ["a_2", "a", "A_3"]),
        (["m\udcfcller/t1.nrrd", "a/t1.nrrd"], ["m?ller", "a"]),  # bytes, not UTF-8
    ],
)
def test_case_ids_are_the_shortest_that_tell_the_images_apart(images, names):
    assert choose_case_ids([Path(image) for image in images]) == names


def test_name_of_one_scan_is_that_of_its_folder_and_file():
    assert name_of(Path("/data/VB2_05/image.nii.gz")) == "VB2_05_image"
    assert name_of(Path("/scan.nrrd")) == "scan"
