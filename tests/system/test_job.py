import os
import resource

import pytest

from system import job
from system.job import available_cpus, available_memory


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A machine of eight CPUs and 4 MiB, without groups and without a batch job."""
    for name in (*job.CPU_VARIABLES, job.MEMORY_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/meminfo").write_text("MemFree: 1 kB\nMemAvailable: 4096 kB\n")
    return tmp_path


def test_the_system_alone_limits_a_process_without_a_job(root):
    assert available_cpus(root) == 8
    assert available_memory(root) == 4 * 2**20


@pytest.mark.parametrize(
    ("text", "count"), [("150000 100000", 2), ("1000 100000", 1), ("max 100000", 8)]
)
def test_the_time_of_a_group_is_rounded_up_to_cpus(root, text, count):
    (root / "proc/self/cgroup").write_text("0::/\n")
    (root / "sys/fs/cgroup").mkdir(parents=True)
    (root / "sys/fs/cgroup/cpu.max").write_text(text)

    assert available_cpus(root) == count


@pytest.mark.parametrize(
    ("word", "count"), [("3", 3), ("64", 8), ("0", 8), ("many", 8), ("-2", 8), ("", 8)]
)
@pytest.mark.parametrize("name", job.CPU_VARIABLES)
def test_a_batch_job_only_lowers_the_cpus(root, monkeypatch, name, word, count):
    monkeypatch.setenv(name, word)

    assert available_cpus(root) == count


@pytest.mark.parametrize(("word", "mib"), [("3", 3), ("64", 4), ("0", 4), ("x", 4)])
def test_a_batch_job_only_lowers_the_memory(root, monkeypatch, word, mib):
    monkeypatch.setenv(job.MEMORY_VARIABLE, word)

    assert available_memory(root) == mib * 2**20


def test_a_limit_of_the_address_space_counts(root, monkeypatch):
    limits = 2**40, resource.RLIM_INFINITY  # far above what the process has
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits)
    (root / "proc/meminfo").write_text(f"MemAvailable: {2**32} kB\n")

    assert 0 < available_memory(root) < 2**40


def test_a_machine_without_proc_has_half_its_memory(root):
    (root / "proc/meminfo").unlink()

    assert 2**24 < available_memory(root) < 2**46


def test_this_machine_has_some_of_both():
    assert 1 <= available_cpus() <= (os.cpu_count() or 1)
    # More than 16 MB, or no test would run; less than 64 TB.
    assert 2**24 < available_memory() < 2**46
