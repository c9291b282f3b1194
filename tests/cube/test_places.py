import shutil
from pathlib import Path

import pytest
from support.scans import build, write_scans

from cube.pairs import Pair
from cube.places import ScanFinder, stored_path, stored_paths
from cube.reader import Cube
from system.errors import DataError


@pytest.mark.parametrize(
    ("scan", "folder", "expected"),
    [
        ("a/b/scan.nrrd", "a/b", "scan.nrrd"),
        ("a/b/c/d/scan.nrrd", "a/b", "c/d/scan.nrrd"),
        ("a/scans/scan.nrrd", "a/cubes", "../scans/scan.nrrd"),
        ("a/scans/scan.nrrd", "a/b/c", "../../scans/scan.nrrd"),
        ("a/scans/scan.nrrd", "a/b/c/d", "/a/scans/scan.nrrd"),
    ],
)
def test_path_is_relative_where_two_folders_above_lead_to_it(
    tmp_path, scan, folder, expected
):
    expected = f"{tmp_path}{expected}" if expected.startswith("/") else expected

    assert stored_path(tmp_path / scan, tmp_path / folder) == expected


def test_path_that_leads_over_the_root_is_absolute():
    assert stored_path(Path("/no-a/scan.nrrd"), Path("/no-b")) == "/no-a/scan.nrrd"
    assert stored_path(Path("/no-a/scan.nrrd"), Path("/")) == "no-a/scan.nrrd"


def test_linked_folder_is_followed_and_a_linked_file_keeps_its_name(tmp_path):
    (tmp_path / "store").mkdir()
    (tmp_path / "real").mkdir()
    (tmp_path / "store" / "key-5f3.nrrd").touch()
    (tmp_path / "real" / "scan.nrrd").symlink_to(tmp_path / "store" / "key-5f3.nrrd")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    path = tmp_path / "link" / "scan.nrrd"

    pair = Pair(path, path, "ann", "ann", None, 1)

    expected = {"image": "real/scan.nrrd", "label": "real/scan.nrrd"}
    assert stored_paths(pair, tmp_path) == expected


@pytest.fixture
def cube_path(tmp_path):
    """A cube beside the folder of its scans."""
    (tmp_path / "old" / "scans").mkdir(parents=True)
    write_scans(tmp_path / "old" / "scans")
    flags = ("--copies", 0, "--output", tmp_path / "old" / "cube.h5")
    assert build(tmp_path / "old" / "scans", *flags) == 0
    return tmp_path / "old" / "cube.h5"


def find(cube_path, scans=None, kind="image", row=2):
    with Cube(cube_path) as cube:
        return ScanFinder(cube, scans).find(row, kind)


def test_scans_are_found_beside_the_cube_and_after_moving_both(cube_path, tmp_path):
    assert find(cube_path) == tmp_path / "old" / "scans" / "cid.nrrd"

    (tmp_path / "old").rename(tmp_path / "new")

    moved = find(tmp_path / "new" / "cube.h5", kind="label")
    assert moved == tmp_path / "new" / "scans" / "cid_label.nrrd"


def test_scans_are_found_where_they_were_after_moving_the_cube_alone(
    cube_path, tmp_path
):
    (tmp_path / "job").mkdir()
    cube_path.rename(tmp_path / "job" / "cube.h5")

    found = find(tmp_path / "job" / "cube.h5")

    assert found == tmp_path / "old" / "scans" / "cid.nrrd"


def test_missing_scan_is_named_with_its_case_and_the_way_out(cube_path, tmp_path):
    scans = tmp_path / "old" / "scans"
    scans.rename(tmp_path / "moved")
    (tmp_path / "empty").mkdir()

    with pytest.raises(
        DataError, match=r"image of case 'cid'.*scans/cid\.nrrd, which.*--scans DIR"
    ):
        find(cube_path)
    with pytest.raises(DataError, match=r"nor is it below .*/empty\. Use --scans"):
        find(cube_path, tmp_path / "empty")


def test_moved_scan_is_recognised_by_its_checksum_among_others(cube_path, tmp_path):
    moved = tmp_path / "elsewhere" / "deep" / "scans"
    moved.parent.mkdir(parents=True)
    (tmp_path / "old" / "scans").rename(moved)
    for folder in (tmp_path / "elsewhere" / "scans", tmp_path / "elsewhere"):
        folder.mkdir(exist_ok=True)
        shutil.copy(moved / "ann.nrrd", folder / "cid.nrrd")  # another scan

    assert find(cube_path, tmp_path / "elsewhere") == moved / "cid.nrrd"


def test_damaged_file_of_the_same_name_is_passed_over(cube_path, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "cid.nrrd").write_bytes(b"no NRRD")

    assert find(cube_path, tmp_path) == tmp_path / "old" / "scans" / "cid.nrrd"
    (tmp_path / "old" / "scans").rename(tmp_path / "away")
    with pytest.raises(DataError, match=r"a/cid\.nrrd must be the image .* it changed"):
        find(cube_path, tmp_path / "a")


def test_changed_scan_is_refused_or_found_unchanged_elsewhere(cube_path, tmp_path):
    scans = tmp_path / "old" / "scans"
    shutil.copytree(scans, tmp_path / "backup")
    shutil.copy(scans / "ann.nrrd", scans / "cid.nrrd")

    with pytest.raises(
        DataError,
        match=r"cid\.nrrd must be the image that case 'cid'.*changed.*--scans",
    ):
        find(cube_path)
    assert find(cube_path, tmp_path / "backup") == tmp_path / "backup" / "cid.nrrd"


def test_cubes_of_copied_scans_have_one_checksum(cube_path, tmp_path):
    copy = tmp_path / "another" / "place" / "study"
    shutil.copytree(tmp_path / "old" / "scans", copy)
    assert build(copy, "--copies", 0) == 0
    assert build(copy, "--copies", 0, "--seed", 1, "--output", copy / "other.h5") == 0

    with (
        Cube(cube_path) as first,
        Cube(copy / "cube.h5") as second,
        Cube(copy / "other.h5") as other,
    ):
        assert first.checksum == second.checksum
        assert first.checksum_with_places != second.checksum_with_places
        assert other.checksum != first.checksum


def test_complete_cube_is_resumed_after_moving_it_with_its_scans(cube_path, tmp_path):
    before = cube_path.read_bytes()
    (tmp_path / "old").rename(tmp_path / "new")
    cube_path = tmp_path / "new" / "cube.h5"

    code = build(
        tmp_path / "new" / "scans", "--copies", 0, "--output", cube_path, "--resume"
    )

    assert code == 0
    assert cube_path.read_bytes() == before


def test_scans_are_found_through_linked_folders_even_in_a_circle(cube_path, tmp_path):
    (tmp_path / "old" / "scans").rename(tmp_path / "moved")
    links = tmp_path / "links"
    links.mkdir()
    (links / "circle").symlink_to(links)
    (links / "data").symlink_to(tmp_path / "moved")

    assert find(cube_path, links) == links / "data" / "cid.nrrd"
