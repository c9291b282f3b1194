import platform
import subprocess

import numpy as np
import pytest

from evaluation import provenance


def test_versions_are_those_of_python_and_the_packages():
    versions = provenance.package_versions()

    assert versions["python"] == platform.python_version()
    assert versions["numpy"] == np.__version__
    assert {"tensorflow", "keras", "h5py"} <= versions.keys()


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A git checkout with one commit, in which the module seems to lie."""
    monkeypatch.setattr(provenance, "__file__", str(tmp_path / "provenance.py"))
    (tmp_path / "file.txt").write_text("committed")
    author = ["-c", "user.name=Ann", "-c", "user.email=ann@example.org"]
    for command in (["init", "-q"], ["add", "."], [*author, "commit", "-qm", "First"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    return tmp_path


def test_commit_is_that_of_the_checkout_marked_if_files_changed(checkout):
    commit = provenance.current_commit()

    assert len(commit) == 40
    (checkout / "file.txt").write_text("changed")
    assert provenance.current_commit() == f"{commit}+"


def test_copy_without_git_has_no_commit(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.setattr(provenance, "__file__", str(tmp_path / "provenance.py"))

    assert provenance.current_commit() is None
