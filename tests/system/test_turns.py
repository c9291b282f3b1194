import errno
import os
import stat
import threading
import time

import pytest

from system import turns
from system.errors import OutputError
from system.turns import take_turn


def test_writers_take_turns_and_leave_no_lock(tmp_path):
    path = tmp_path / "new" / "count.txt"

    def count():
        for _ in range(5):
            with take_turn(path):
                number = int(path.read_text()) if path.exists() else 0
                time.sleep(0.002)  # in which another one would read the same number
                path.write_text(str(number + 1))

    threads = [threading.Thread(target=count) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert path.read_text() == "15"
    assert os.listdir(path.parent) == ["count.txt"]


def test_a_writer_that_never_ends_is_named_after_a_while(tmp_path):
    path = tmp_path / "a.csv"
    expected = r"\.a\.csv\.lock must be unlocked.*locked by another one for 0\.05 s"

    with (
        take_turn(path),
        pytest.raises(OutputError, match=expected),
        take_turn(path, patience=0.05),
    ):
        pass


def test_a_lock_of_a_killed_process_is_taken_over(tmp_path):
    (tmp_path / ".a.csv.lock").touch()

    with take_turn(tmp_path / "a.csv", patience=0):
        pass

    assert os.listdir(tmp_path) == []


def test_a_lock_may_be_opened_by_each_user(tmp_path):
    umask = os.umask(0o077)
    try:
        with take_turn(tmp_path / "a.csv"):
            mode = (tmp_path / ".a.csv.lock").stat().st_mode
    finally:
        os.umask(umask)

    assert stat.S_IMODE(mode) == 0o666


def refuse_to_open(monkeypatch, count):
    """Refuse to open files, as those of another user are, for a number of times."""
    refused, real_open = [], os.open

    def refuse(path, *args):
        if len(refused) < count:
            refused.append(path)
            raise PermissionError(errno.EACCES, "Permission denied")
        return real_open(path, *args)

    monkeypatch.setattr(os, "open", refuse)


def test_a_lock_that_another_user_has_just_made_is_waited_for(tmp_path, monkeypatch):
    refuse_to_open(monkeypatch, 2)

    with take_turn(tmp_path / "a.csv"):
        assert os.listdir(tmp_path) == [".a.csv.lock"]


def test_a_lock_that_may_never_be_opened_is_named_after_a_while(tmp_path, monkeypatch):
    refuse_to_open(monkeypatch, 1000)

    with (
        pytest.raises(OutputError, match=r"another one for 0\.05 s; .*remove the file"),
        take_turn(tmp_path / "a.csv", patience=0.05),
    ):
        pass


def test_a_folder_in_which_nothing_may_be_made_is_not_waited_for(tmp_path, monkeypatch):
    refuse_to_open(monkeypatch, 1000)
    monkeypatch.setattr(os, "access", lambda *_: False)

    with (
        pytest.raises(OutputError, match="could not be written: Permission denied"),
        take_turn(tmp_path / "a.csv"),
    ):
        pass


def test_a_lock_that_its_last_user_removes_after_it_was_opened_is_made_again(
    tmp_path, monkeypatch
):
    locks, lock = [], turns._lock

    def remove_first(handle):
        locks.append(handle)
        if len(locks) == 1:
            (tmp_path / ".a.csv.lock").unlink()
        return lock(handle)

    monkeypatch.setattr(turns, "_lock", remove_first)

    with take_turn(tmp_path / "a.csv"):
        assert os.listdir(tmp_path) == [".a.csv.lock"]
    assert len(locks) == 2


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()

    with (
        pytest.raises(OutputError, match=r"\.a\.csv\.lock: could not be written"),
        take_turn(tmp_path / "file" / "a.csv"),
    ):
        pass
