import os

import pytest

from system.atomic import atomic_write
from system.errors import DataError


def test_replacing_leaves_the_old_file_when_the_block_fails(tmp_path):
    path = tmp_path / "cube.h5"
    path.write_text("old")

    def write_half():
        with atomic_write(path) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt("stop")

    with pytest.raises(KeyboardInterrupt, match="stop"):
        write_half()

    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_replacing_makes_folders_and_keeps_the_ending(tmp_path):
    path = tmp_path / "new" / "folder" / "label.seg.nrrd"

    with atomic_write(path) as temporary:
        assert temporary.parent == path.parent
        assert temporary.name.endswith("label.seg.nrrd")
        temporary.write_text("whole")
        assert not path.exists()

    assert path.read_text() == "whole"
    assert list(path.parent.iterdir()) == [path]


def test_replacing_gives_the_usual_rights(tmp_path):
    with atomic_write(tmp_path / "a") as temporary:
        temporary.write_text("a")
    (tmp_path / "b").write_text("b")

    assert os.stat(tmp_path / "a").st_mode == os.stat(tmp_path / "b").st_mode


def test_replacing_refuses_an_existing_file_a_folder_and_a_bad_place(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")

    with pytest.raises(DataError, match="must not exist yet"):
        atomic_write(path, force=False).__enter__()
    with pytest.raises(DataError, match="Received: a folder"):
        atomic_write(tmp_path).__enter__()
    with pytest.raises(DataError, match=r"below: could not be written"):
        atomic_write(path / "below").__enter__()

    assert path.read_text() == "old"
