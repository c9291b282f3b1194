"""Four small scans and the cases built of them; a clean cube."""

import pytest
from support.cubes import clean_rows, write_cube
from support.scans import record_built_cases, write_scans


@pytest.fixture
def scans(tmp_path):
    """The folder of four scans, their label maps and the pair list."""
    return write_scans(tmp_path)


@pytest.fixture
def built(monkeypatch):
    """The ids of the cases that are built, in order."""
    return record_built_cases(monkeypatch)


@pytest.fixture
def cube_path(tmp_path):
    """The file of a clean cube."""
    return write_cube(tmp_path / "cube.h5", clean_rows())
