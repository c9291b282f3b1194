import os

import pytest

from volumes.formats.data_file import find_data_file


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "secret.raw").touch()
    (tmp_path / "inside" / "below").mkdir(parents=True)
    return tmp_path / "inside"


def test_data_file_in_or_below_the_folder_is_found(folder):
    (folder / "below" / "voxels.raw").touch()
    (folder / "link.raw").symlink_to(folder / "below" / "voxels.raw")

    for name in ("below/voxels.raw", "./below/voxels.raw", "link.raw"):
        found = find_data_file(folder / "scan.nhdr", name)
        assert found == folder.resolve() / "below" / "voxels.raw"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("/dev/zero", r"in the header's own folder or below it$"),
        ("../secret.raw", r"in the header's own folder or below it$"),
        ("below/../../secret.raw", r"in the header's own folder or below it$"),
        ("x\0y", r"in the header's own folder or below it$"),
        ("link.raw", "not a link that leaves it"),
        ("none.raw", "must name a file that exists"),
        ("pipe.raw", "must name a regular file"),
        ("below", "must name a regular file"),
    ],
)
def test_data_file_elsewhere_or_of_another_kind_is_refused(folder, name, reason):
    (folder / "link.raw").symlink_to(folder.parent / "secret.raw")
    os.mkfifo(folder / "pipe.raw")

    with pytest.raises(ValueError, match=reason):
        find_data_file(folder / "scan.nhdr", name)
