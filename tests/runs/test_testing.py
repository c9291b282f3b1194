import shutil
from dataclasses import replace

import h5py
import numpy as np
import pytest

from cube.places import ScanFinder
from cube.reader import Cube
from models.ensemble import load_members
from runs import testing
from system.errors import DataError
from volumes.formats.files import read_volume, write_image


def test_source_is_read_while_it_is_the_one_in_the_cube(small_cube, tmp_path):
    scans = shutil.copytree(small_cube.parent, tmp_path / "copy")
    path = scans / "cid.nrrd"
    expected = read_volume(path)

    with Cube(scans / small_cube.name) as cube:
        (row,) = [row for row in cube.rows("test") if cube.case_ids[row] == "cid"]
        finder = ScanFinder(cube)
        found = testing.read_source(finder, row, "image")
        np.testing.assert_array_equal(found.array, expected.array)

        write_image(path, expected.array + 1, expected.grid)
        with pytest.raises(DataError, match=r"cid\.nrrd must be the image.*'cid'.*ch"):
            testing.read_source(finder, row, "image")
        path.write_bytes(b"no NRRD")
        with pytest.raises(DataError, match=r"cid\.nrrd must be the image.*'cid'.*ch"):
            testing.read_source(finder, row, "image")
        path.unlink()
        (small_cube.parent / "cid.nrrd").rename(tmp_path / "cid.nrrd")
        try:
            with pytest.raises(DataError, match=r"'cid' must be a file that exists"):
                testing.read_source(finder, row, "image")
        finally:
            (tmp_path / "cid.nrrd").rename(small_cube.parent / "cid.nrrd")


def test_case_that_names_a_path_is_written_inside_the_run_folder(
    small_cube, small_run, tmp_path
):
    path = shutil.copy(small_cube, tmp_path / "cube.h5")
    with h5py.File(path, "r+") as file:
        for row, split in enumerate(file["split"].asstr()[:]):
            if split == "test":
                file["case_id"][row] = f"../../{row}"
    members = load_members([small_run / "model.keras"])

    with Cube(path) as cube:
        finder = ScanFinder(cube)
        testing.predict_test_cases(members, finder, tmp_path / "a" / "run")

    written = {p.relative_to(tmp_path) for p in tmp_path.rglob("*") if p.is_file()}
    folders = {str(path.parent) for path in written}
    assert folders == {".", "a/run/predictions", "a/run/overlays"}
    assert len(written) == 1 + 2 + 2


def test_case_of_which_all_was_kept_is_warned_of(small_cube, small_run, tmp_path):
    (member,) = load_members([small_run / "model.keras"])
    keeping = replace(member, metadata=replace(member.metadata, keep="spine"))

    with Cube(small_cube) as cube:
        found = testing.predict_test_cases([keeping], ScanFinder(cube), tmp_path)

    kept = [each for each in found.warnings if "prediction was kept, since" in each]
    assert [each.partition(":")[0] for each in kept] == ["cid", "dan"]


def test_changed_test_case_is_refused_before_training(small_cube, tmp_path):
    cube = shutil.copytree(small_cube.parent, tmp_path / "copy") / small_cube.name
    with h5py.File(cube, "r+") as file:
        file.attrs["built_in"] = '"/no such folder"'
    with Cube(cube) as unchanged:
        testing.check_sources(ScanFinder(unchanged))
    with open(cube.parent / "dan_reference.seg.nrrd", "ab") as file:
        file.write(b"\0")

    with (
        Cube(cube) as changed,
        pytest.raises(DataError, match=r"dan_reference.*must be the label.*'dan'"),
    ):
        testing.check_sources(ScanFinder(changed))


def test_scan_too_large_at_the_spacing_of_its_cube_is_refused(small_cube, tmp_path):
    path = shutil.copy(small_cube, tmp_path / "cube.h5")
    with h5py.File(path, "r+") as file:
        file.attrs["spacing"] = "[1e-6, 1e-6, 1e-6]"

    with Cube(path) as cube:
        finder = ScanFinder(cube, small_cube.parent)
        with pytest.raises(DataError, match=r"at most .* cube's spacing of .1e-06"):
            testing.check_sources(finder)
