import os

import pytest
from support.nrrd_files import VOXELS, nrrd_bytes, write

from system.errors import DataError
from volumes.formats.files import read_volume


def test_a_data_file_that_leaves_the_folder_or_is_no_file_is_refused(tmp_path):
    inside = tmp_path / "inside"
    inside.mkdir()
    secret = write(tmp_path, VOXELS.tobytes(order="F"), "secret.raw")
    (inside / "link.raw").symlink_to(secret)
    os.mkfifo(inside / "pipe.raw")
    (inside / "folder.raw").mkdir()

    for name, reason in [
        ("link.raw", "not a link that leaves it"),
        ("pipe.raw", "must name a regular file"),
        ("folder.raw", "must name a regular file"),
    ]:
        path = write(inside, nrrd_bytes(b"", data_file=name), "scan.nhdr")
        with pytest.raises(DataError, match=reason):
            read_volume(path)
