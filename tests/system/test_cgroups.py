"""Trees of control groups, laid out in a folder as Linux shows them."""

import math

import pytest

from system.cgroups import cpu_limit, free_memory, group_folders

V2_MOUNT = "29 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
V1_MOUNTS = (
    "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
    "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
)
UNLIMITED_V1 = "9223372036854771712\n"


def lay_out(root, groups, mounts, files):
    """Write /proc/self/cgroup, /proc/self/mountinfo and the files of the groups."""
    proc = root / "proc/self"
    proc.mkdir(parents=True)
    (proc / "cgroup").write_text(groups)
    if mounts is not None:
        (proc / "mountinfo").write_text("23 1 8:1 / / rw - ext4 /dev/sda rw\n" + mounts)
    for name, text in files.items():
        path = root / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_version_2_has_the_least_limit_of_a_group_and_those_above(tmp_path):
    files = {
        "job/cpu.max": "300000 100000\n",
        "job/task/cpu.max": "max 100000\n",
        "job/memory.max": "3000\n",
        "job/memory.current": "1000\n",
        "job/memory.stat": "anon 5\ninactive_file 400\n",
        "job/task/memory.max": "9000\n",
        "job/task/memory.current": "200\n",
        "other/cpu.max": "100000 100000\n",  # of another process
    }
    lay_out(tmp_path, "0::/job/task\n", V2_MOUNT, files)

    assert cpu_limit(tmp_path) == 3
    # 3000 less the 1000 in use, of which 400 can be freed.
    assert free_memory(tmp_path) == 3000 - 600


def test_version_1_has_a_tree_for_each_controller(tmp_path):
    files = {
        "cpu,cpuacct/docker/a/cpu.cfs_quota_us": "150000\n",
        "cpu,cpuacct/docker/a/cpu.cfs_period_us": "100000\n",
        "cpu,cpuacct/docker/cpu.cfs_quota_us": "-1\n",
        "cpu,cpuacct/docker/cpu.cfs_period_us": "100000\n",
        "memory/slurm/memory.limit_in_bytes": "5000\n",
        "memory/slurm/memory.usage_in_bytes": "2000\n",
        "memory/slurm/memory.stat": "total_inactive_file 500\n",
        "memory/slurm/step/memory.limit_in_bytes": UNLIMITED_V1,
    }
    groups = "4:memory:/slurm/step\n2:cpu,cpuacct:/docker/a\n1:name=systemd:/x\n"
    lay_out(tmp_path, groups, V1_MOUNTS, files)

    assert cpu_limit(tmp_path) == 1.5
    assert free_memory(tmp_path) == 5000 - 1500


def test_a_container_sees_its_own_group_as_the_topmost(tmp_path):
    mount = "35 31 0:32 /docker/a /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
    files = {"memory/memory.limit_in_bytes": "700", "memory/memory.stat": ""}
    lay_out(tmp_path, "4:memory:/docker/a\n", mount, files)

    assert free_memory(tmp_path) == 700
    assert group_folders("memory", tmp_path) == [tmp_path / "sys/fs/cgroup/memory"]


def test_a_limit_above_a_container_of_version_1_is_found(tmp_path):
    files = {
        "memory/memory.limit_in_bytes": UNLIMITED_V1,
        "memory/memory.usage_in_bytes": "100",
        "memory/memory.stat": "hierarchical_memory_limit 900\n",
    }
    lay_out(tmp_path, "4:memory:/\n", V1_MOUNTS, files)

    assert free_memory(tmp_path) == 800


def test_versions_may_be_mixed(tmp_path):
    mounts = V1_MOUNTS + V2_MOUNT.replace("/sys/fs/cgroup", "/sys/fs/cgroup/unified")
    files = {
        "memory/a/memory.limit_in_bytes": "600",
        "unified/b/cpu.max": "200000 100000",
    }
    lay_out(tmp_path, "4:memory:/a\n0::/b\n", mounts, files)

    assert (cpu_limit(tmp_path), free_memory(tmp_path)) == (2, 600)


def test_a_memory_that_is_in_use_leaves_none(tmp_path):
    files = {"a/memory.max": "600", "a/memory.current": "601"}
    lay_out(tmp_path, "0::/a\n", V2_MOUNT, files)

    assert free_memory(tmp_path) == 0


def test_a_soft_limit_counts_too(tmp_path):
    files = {"a/memory.max": "600", "a/memory.high": "500", "a/memory.current": "100"}
    lay_out(tmp_path, "0::/a\n", V2_MOUNT, files)

    assert free_memory(tmp_path) == 400


def test_without_a_list_of_mounts_the_usual_folder_is_read(tmp_path):
    lay_out(tmp_path, "0::/a\n", None, {"a/cpu.max": "100000 100000"})

    assert cpu_limit(tmp_path) == 1


def test_a_folder_with_a_blank_is_found(tmp_path):
    mount = V2_MOUNT.replace("/sys/fs/cgroup", r"/sys/fs/cgroup/my\040tree")
    lay_out(tmp_path, "0::/\n", mount, {"my tree/cpu.max": "100000 100000"})

    assert cpu_limit(tmp_path) == 1


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"a/cpu.max": "", "a/memory.max": ""},
        {"a/cpu.max": "max\n", "a/memory.max": "max\n"},
        {"a/cpu.max": "many few\n", "a/memory.max": "much\n"},
        {"a/cpu.max": "100000 0\n", "a/memory.max": "-1\n"},
        {"a/cpu.max": "9" * 5000 + " 1\n", "a/memory.max": "9" * 5000},
    ],
)
def test_no_limit_and_no_sense_are_no_limit(tmp_path, files):
    lay_out(tmp_path, "0::/a\n", V2_MOUNT, files)

    assert (cpu_limit(tmp_path), free_memory(tmp_path)) == (math.inf, math.inf)


@pytest.mark.parametrize(
    "groups", ["", "nonsense\n", "0::\n", "0::/../../b\n", ":::\n"]
)
def test_odd_lists_of_groups_are_no_error(tmp_path, groups):
    lay_out(tmp_path, groups, V2_MOUNT, {"b/cpu.max": "100000 100000"})

    assert cpu_limit(tmp_path) == math.inf


def test_machine_without_groups_has_no_limit(tmp_path):
    assert (cpu_limit(tmp_path), free_memory(tmp_path)) == (math.inf, math.inf)
