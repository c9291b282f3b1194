import numpy as np
import pytest
from support.scans import make_case

from cube import resources
from cube.resources import ResourceEstimate, check_resources, estimate_resources
from system.errors import UsageError
from volumes.geometry import Grid, affine_from


def test_estimate_equals_a_calculation_by_hand():
    cases = [
        make_case(grid=Grid((4, 10, 10), affine_from((2, 1, 1)))),
        make_case(grid=Grid((5, 40, 8), affine_from((1, 1, 1)))),
    ]

    # Slices 4 to 9, and all sixteen; each slice is a chunk.
    extents = np.array([[(4, 10), (1, 30), (0, 16)], [(0, 16), (0, 2), (0, 2)]])

    estimate = estimate_resources(cases, extents, (16, 32, 16))

    # Two bytes a voxel.
    assert estimate.cube == (6 + 16) * 32 * 16 * 2
    # 12 bytes a voxel of the larger scan; 16 of the cube, and 3 for a row.
    assert estimate.memory_per_worker == 1600 * 12 + 8192 * (16 + 3)


def machine(monkeypatch, *, disk, memory):
    usage = type("Usage", (), {"free": disk})
    monkeypatch.setattr(resources.shutil, "disk_usage", lambda folder: usage)
    monkeypatch.setattr(resources, "available_memory", lambda: memory)


def test_workers_are_lowered_to_what_the_memory_holds(monkeypatch, tmp_path):
    machine(monkeypatch, disk=10**12, memory=35 * 10**8)

    assert check_resources(ResourceEstimate(10**9, 10**9), tmp_path / "cube.h5", 8) == 3
    assert check_resources(ResourceEstimate(10**9, 10**9), tmp_path / "cube.h5", 2) == 2


def test_cube_larger_than_the_disk_is_refused(monkeypatch, tmp_path):
    machine(monkeypatch, disk=10**9, memory=10**12)

    # The cube and, until it is complete, its cases beside it.
    output = tmp_path / "new" / "cube.h5"
    check_resources(ResourceEstimate(5 * 10**8, 1), output, 1)
    with pytest.raises(UsageError, match=r"about 700 MB, and .* has 1.0 GB free"):
        check_resources(ResourceEstimate(7 * 10**8, 1), output, 1)
    # Of its cases, 400 MB are there already.
    check_resources(ResourceEstimate(7 * 10**8, 1), output, 1, finished=4 * 10**8)


def test_case_larger_than_the_memory_is_refused(monkeypatch, tmp_path):
    machine(monkeypatch, disk=10**12, memory=2 * 10**9)

    with pytest.raises(UsageError, match=r"about 2.5 GB of memory, but 2.0 GB are"):
        check_resources(ResourceEstimate(1, 25 * 10**8), tmp_path / "cube.h5", 4)


def test_each_worker_of_a_cluster_has_memory_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setattr(resources, "available_memory", lambda: 1)
    output, estimate = tmp_path / "cube.h5", ResourceEstimate(1, 25 * 10**8)

    assert check_resources(estimate, output, 8, worker_memory=25 * 10**8) == 8
    with pytest.raises(UsageError, match=r"2\.5 GB of memory, but 2\.4 GB are free"):
        check_resources(estimate, output, 8, worker_memory=24 * 10**8)
