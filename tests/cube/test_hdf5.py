import errno
import fcntl
import gc
import os

import h5py
import numpy as np
import pytest
from support.cubes import clean_rows, make_row
from support.disks import room_for

from cube.attributes import ATTRIBUTES
from cube.hdf5 import local_dataset, local_datasets
from cube.reader import Cube
from cube.writer import CubeWriter
from system.errors import DataError


@pytest.fixture
def files(tmp_path):
    """Two HDF5 files, each with the dataset `voxels` in the group `scan`."""
    paths = [tmp_path / "file.h5", tmp_path / "other.h5"]
    for path in paths:
        with h5py.File(path, "w") as file:
            file["scan/voxels"] = np.arange(6)
    return paths


def external_link(file, other):
    file["scan/link"] = h5py.ExternalLink(str(other), "scan/voxels")


def soft_link(file, other):
    file["scan/link"] = h5py.SoftLink("/scan/voxels")


def virtual_dataset(file, other):
    layout = h5py.VirtualLayout((6,), np.int64)
    layout[:] = h5py.VirtualSource(other, "scan/voxels", (6,))
    file["scan"].create_virtual_dataset("link", layout)


def external_storage(file, other):
    storage = [(str(other), 0, 48)]
    file["scan"].create_dataset("link", (6,), np.int64, external=storage)


@pytest.mark.parametrize(
    ("add", "received"),
    [
        (external_link, "a link to 'scan/voxels' of .*other.h5"),
        (soft_link, "a link to '/scan/voxels'"),
        (virtual_dataset, "a virtual dataset"),
        (external_storage, "bytes in another file"),
    ],
)
def test_dataset_that_is_not_in_the_file_itself_is_refused(files, add, received):
    path, other = files
    with h5py.File(path, "r+") as file:
        add(file, other)

    with h5py.File(path) as file:
        message = f"must hold 'link' itself. Received: {received}"
        with pytest.raises(DataError, match=message):
            local_dataset(file["scan"], "link", path)
        with pytest.raises(DataError, match=message):
            list(local_datasets(file, path))


def test_group_in_the_place_of_a_dataset_is_refused(files):
    with (
        h5py.File(files[0]) as file,
        pytest.raises(DataError, match=r"'scan' as a dataset. Received: a group"),
    ):
        local_dataset(file, "scan", files[0])


def test_datasets_of_all_groups_are_listed(files):
    with h5py.File(files[0], "r+") as file:
        file["a/b/first"], file["last"] = 1, 2

    with h5py.File(files[0]) as file:
        names = [dataset.name for dataset in local_datasets(file, files[0])]

    assert names == ["/a/b/first", "/last", "/scan/voxels"]


def test_file_that_is_not_hdf5_is_refused(tmp_path):
    (tmp_path / "cube.h5").write_bytes(b"scan,label\n" * 100)

    with pytest.raises(DataError, match=r"cube\.h5 is not a cube of makeCube\.py"):
        Cube(tmp_path / "cube.h5")


def test_truncated_cube_is_refused(cube_path):
    cube_path.write_bytes(cube_path.read_bytes()[:-500])

    with pytest.raises(DataError, match="cannot be opened as HDF5"):
        Cube(cube_path)


LOCKS = os.environ.get("HDF5_USE_FILE_LOCKING", "TRUE").upper() not in ("FALSE", "0")


@pytest.mark.skipif(not LOCKS, reason="HDF5 is told to use no locks")
def test_lock_of_a_writing_program_is_explained(cube_path):
    with open(cube_path, "rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)

        with pytest.raises(DataError, match="cannot be locked for reading: Resource"):
            Cube(cube_path)


def test_disk_without_locks_is_explained(cube_path, monkeypatch):
    def no_locks(*_):
        number = errno.ENOLCK
        raise OSError(number, f"Unable to open file (unable to lock file, {number})")

    monkeypatch.setattr(h5py, "File", no_locks)

    with pytest.raises(DataError, match=r"No locks.*HDF5_USE_FILE_LOCKING=FALSE"):
        Cube(cube_path)


@pytest.mark.parametrize("room", [0, 600, 3000, 6000])
def test_hdf5_does_not_crash_when_the_disk_is_full(tmp_path, room):
    path = tmp_path / "cube.h5"
    attributes = {name: [] for name in ATTRIBUTES}
    shape = make_row("ann").image.shape

    def write():
        with (
            room_for(room),
            CubeWriter(path, shape=shape, num_rows=4, attributes=attributes) as cube,
        ):
            for row in clean_rows():
                cube.add(row)

    with pytest.raises(OSError, match="File too large"):
        write()

    # HDF5 has let go of it: after a failed write it crashes the process at the end.
    gc.collect()
    assert not h5py.h5f.get_obj_count(h5py.h5f.OBJ_ALL, h5py.h5f.OBJ_FILE)
