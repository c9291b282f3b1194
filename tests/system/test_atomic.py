import os
import subprocess
import sys

import pytest
from support.places import ROOT

from system.atomic import (
    atomic_text,
    atomic_write,
    is_temporary,
    lock_folder,
    remove_temporary,
    require_folder,
)
from system.errors import DataError, OutputError, UsageError


def test_writing_leaves_the_old_file_when_the_block_fails(tmp_path):
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


def test_writing_makes_folders_and_keeps_the_ending(tmp_path):
    path = tmp_path / "new" / "folder" / "label.seg.nrrd"

    with atomic_write(path) as temporary:
        assert temporary.parent == path.parent
        assert temporary.name.endswith("label.seg.nrrd")
        temporary.write_text("whole")
        assert not path.exists()

    assert path.read_text() == "whole"
    assert list(path.parent.iterdir()) == [path]


def test_text_may_name_a_path_that_is_not_utf8(tmp_path):
    path = tmp_path / "summary.md"

    with atomic_text(path) as stream:
        stream.write("M\u00fcller\r\n" + os.fsdecode(b"m\xfcller") + "\n")

    assert path.read_bytes() == b"M\xc3\xbcller\r\nm\\udcfcller\n"


def test_writing_gives_the_usual_rights(tmp_path):
    with atomic_write(tmp_path / "a") as temporary:
        temporary.write_text("a")
    (tmp_path / "b").write_text("b")

    assert os.stat(tmp_path / "a").st_mode == os.stat(tmp_path / "b").st_mode


def test_a_folder_and_a_bad_place_are_refused(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")

    with pytest.raises(DataError, match="must not be a folder"):
        atomic_write(tmp_path).__enter__()
    with pytest.raises(DataError, match=r"below: could not be written"):
        atomic_write(path / "below").__enter__()

    assert path.read_text() == "old"


def test_what_a_killed_write_leaves_is_known_and_removed(tmp_path):
    code = (
        "import os, sys; from system.atomic import atomic_write\n"
        "with atomic_write(sys.argv[1]) as path:\n"
        "    path.write_text('half'); os.kill(os.getpid(), 9)"
    )
    killed = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "state.npz"], cwd=ROOT, check=False
    )
    assert killed.returncode == -9

    (left,) = tmp_path.iterdir()
    assert is_temporary(left)
    assert not is_temporary(tmp_path / "state.npz")
    assert not is_temporary(tmp_path / ".cafe-state.npz")
    (tmp_path / ".cafe-state.npz").touch()
    remove_temporary(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".cafe-state.npz"]
    remove_temporary(tmp_path / "none")


def test_locked_folder_is_refused_until_it_is_released(tmp_path):
    with (
        lock_folder(tmp_path, "first"),
        pytest.raises(UsageError, match="another run is in here"),
        lock_folder(tmp_path, "another run is in here"),
    ):
        pass
    with lock_folder(tmp_path, "second"):
        pass
    with (
        pytest.raises(UsageError, match="none cannot be read: No such file"),
        lock_folder(tmp_path / "none", "busy"),
    ):
        pass


def test_folder_must_be_one_or_be_possible(tmp_path):
    (tmp_path / "file").touch()

    require_folder(tmp_path / "new" / "folder")
    assert not (tmp_path / "new").exists()
    with pytest.raises(UsageError, match=r"below must be a folder\. .*file is a file"):
        require_folder(tmp_path / "file" / "below")


def test_writing_to_a_bad_place_is_an_output_error(tmp_path):
    (tmp_path / "file").touch()

    with (
        pytest.raises(OutputError, match=r"below: could not be written"),
        atomic_write(tmp_path / "file" / "below"),
    ):
        pass
