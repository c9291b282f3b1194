"""Four small scans and the cases built of them; a clean cube and its rows."""

import pytest
from support.cubes import clean_rows, write_cube
from support.scans import (
    SLICER,
    VERSE,
    named,
    record_built_cases,
    unnamed,
    write_scans,
)

from cube.checks import check_cube
from cube.reader import Cube


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


@pytest.fixture
def rows():
    """The rows of a clean cube, to be changed."""
    return clean_rows()


@pytest.fixture
def findings_of(tmp_path):
    """Return a function that checks a cube of some rows."""

    def check(rows):
        with Cube(write_cube(tmp_path / "cube.h5", rows)) as cube:
            return check_cube(cube)

    return check


@pytest.fixture
def mixed():
    """A file of 3D Slicer and one with VerSe's numbers."""
    return [named("ann", SLICER), named("ben", VERSE)]


@pytest.fixture
def bare():
    """Two label maps without names."""
    return [unnamed("ann", 20, 24), unnamed("ben", 20, 21)]
