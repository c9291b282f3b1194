import os
import shutil
import subprocess
import sys
import threading

import numba
import numpy as np
import pytest
from support.places import ROOT

from system.compiled import announce_compiling, compiled

# Blur along the last axis by hand: a spike of 4 keeps 4 / sum(exp(-2 d^2)).
BLUR = """
import numpy as np
from volumes import filters
image = np.zeros((1, 2, 7), np.float32)
image[0, 1, 3] = 4
blurred = filters.gaussian_blur(image, (0, 0, 0.5))
expected = 4 / np.exp([-8, -2, 0, -2, -8]).sum()
np.testing.assert_allclose(blurred[0, 1, 3], expected, rtol=1e-6)
print(filters._blur.dispatcher.stats.cache_path)
"""
WARP = """
import numpy as np
from volumes.sampling import sample
from volumes.warp import warp
image = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
out, seg = warp(image, image.astype(np.uint8), np.eye(3, 4), (2, 3, 4))
np.testing.assert_array_equal(out, image)
np.testing.assert_array_equal(seg, image)
stats = sample.dispatcher.stats
print(sum(stats.cache_hits.values()), sum(stats.cache_misses.values()))
"""


def run(code, folder, **environment):
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    return ran.stdout.strip()


def double(image, out):
    for i in numba.prange(image.size):
        out[i] = 2 * image[i]


def test_kernel_is_compiled_where_no_cache_can_be_written(monkeypatch):
    asked, njit = [], numba.njit

    def without_a_place(**options):
        asked.append(options)
        if options.get("cache"):
            raise RuntimeError("cannot cache function 'double': no locator available")
        return njit(**options)

    with monkeypatch.context() as patch:
        patch.setattr(numba, "njit", without_a_place)
        kernel = compiled(double)
    out = np.empty(3, np.float32)
    kernel(np.array([1, 5, -2], np.float32), out)

    np.testing.assert_array_equal(out, (2, 10, -4))
    first, second = asked
    assert first == {**second, "cache": True}
    assert second["parallel"]
    assert second["nogil"]


def test_kernel_runs_where_the_disk_of_its_cache_is_full(monkeypatch):
    kernel, told = compiled(double), []

    def fail(*_):
        told.append("full")
        raise OSError(28, "No space left on device")

    cache = kernel.dispatcher._cache
    monkeypatch.setattr(cache, "load_overload", lambda *_: None)
    monkeypatch.setattr(cache, "save_overload", fail)
    out = np.empty(2, np.float32)
    kernel(np.array([1, 5], np.float32), out)

    np.testing.assert_array_equal(out, (2, 10))
    assert told == ["full"]


@pytest.mark.slow
def test_packages_work_where_neither_they_nor_home_can_be_written(tmp_path):
    for room in ("system", "volumes"):
        shutil.copytree(
            ROOT / room,
            tmp_path / room,
            ignore=shutil.ignore_patterns("__pycache__"),
        )
    # A file where a folder is wanted stops even an administrator.
    in_the_way = tmp_path / "volumes" / "__pycache__"
    in_the_way.write_text("")
    blocked = {
        name: str(in_the_way) for name in ("HOME", "XDG_CACHE_HOME", "NUMBA_CACHE_DIR")
    }

    assert run(BLUR, tmp_path, **blocked) == "None"


@pytest.mark.slow
def test_second_process_does_not_compile_again(tmp_path):
    cache = {"NUMBA_CACHE_DIR": str(tmp_path)}

    # Hits and misses of the cache.
    assert run(WARP, ROOT, **cache) == "0 1"
    assert run(WARP, ROOT, **cache) == "1 0"


ANNOUNCED = "compiling numerical kernels, which later calls reuse"
ANNOUNCE = """
import numpy as np
from system.compiled import announce_compiling
from volumes import filters
announce_compiling()
announce_compiling()
for dtype in (np.float32, np.float64):
    filters.gaussian_blur(np.zeros((1, 2, 7), dtype), (0, 0, 0.5))
"""


def test_compiling_is_announced_by_the_first_of_several_that_share_a_flag(capsys):
    def double_each(values):
        return 2 * values

    said = threading.Event()
    announce_compiling(said)
    for value in (1, 1.5, 1j):  # compiled for each type
        numba.njit(double_each)(value)

    assert capsys.readouterr().out == f"{ANNOUNCED}\n"
    assert said.is_set()


@pytest.mark.slow
def test_compiling_is_announced_once_and_not_where_the_cache_has_it(tmp_path):
    shown = [run(ANNOUNCE, ROOT, NUMBA_CACHE_DIR=str(tmp_path)) for _ in range(2)]

    assert [each.splitlines().count(ANNOUNCED) for each in shown] == [1, 0]
