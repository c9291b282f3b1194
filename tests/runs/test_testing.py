import shutil

import h5py
import numpy as np
import pytest

from cube.reader import Cube
from models.model_file import load_model
from runs import testing
from system.errors import DataError
from volumes.formats.files import checksum, write_image


def test_source_is_read_while_it_is_the_one_in_the_cube(tmp_path, oblique_grid):
    voxels = np.arange(60, dtype=np.int16).reshape(oblique_grid.shape)
    path = tmp_path / "scan.nrrd"
    write_image(path, voxels, oblique_grid)
    source = {"image": str(path), "image_checksum": checksum(path), "shape": (3, 4, 5)}

    found = testing.read_source(source, "image", "ann")
    np.testing.assert_array_equal(found.array, voxels)

    write_image(path, voxels + 1, oblique_grid)
    with pytest.raises(DataError, match=r"scan\.nrrd must be the image.*'ann'.*chang"):
        testing.read_source(source, "image", "ann")
    path.unlink()
    with pytest.raises(DataError, match=r"scan\.nrrd: must be a file that exists"):
        testing.read_source(source, "image", "ann")


def test_case_that_names_a_path_is_written_inside_the_run_folder(
    small_cube, small_run, tmp_path
):
    path = shutil.copy(small_cube, tmp_path / "cube.h5")
    with h5py.File(path, "r+") as file:
        for row, split in enumerate(file["split"].asstr()[:]):
            if split == "test":
                file["case_id"][row] = f"../../{row}"
    network, metadata = load_model(small_run / "model.keras")

    with Cube(path) as cube:
        testing.predict_test_cases(network, metadata, cube, tmp_path / "a" / "run")

    written = {p.relative_to(tmp_path) for p in tmp_path.rglob("*") if p.is_file()}
    folders = {str(path.parent) for path in written}
    assert folders == {".", "a/run/predictions", "a/run/overlays"}
    assert len(written) == 1 + 2 + 2


def test_changed_test_case_is_refused_before_training(small_cube, tmp_path):
    cube = shutil.copytree(small_cube.parent, tmp_path / "copy") / small_cube.name
    with h5py.File(cube, "r+") as file:
        for row, source in enumerate(file["source"].asstr()[:]):
            file["source"][row] = source.replace(
                str(small_cube.parent), str(cube.parent)
            )
    with Cube(cube) as unchanged:
        testing.check_sources(unchanged)
    with open(cube.parent / "dan_reference.seg.nrrd", "ab") as file:
        file.write(b"\0")

    with (
        Cube(cube) as changed,
        pytest.raises(DataError, match=r"dan_reference.*must be the label.*'dan'"),
    ):
        testing.check_sources(changed)
