import json

import pytest

from system.errors import UsageError
from system.group_place import (
    ALONE,
    LOG_LEVEL,
    GroupPlace,
    expand_counts,
    expand_hosts,
    find_place,
    hide_lost,
    share_cpus,
)

ADDRESSES = ("a:2222", "a:2223", "b:2222")
STEP = {
    "SLURM_STEP_NUM_TASKS": "3",
    "SLURM_STEP_NODELIST": "gpu[08-09]",
    "SLURM_STEP_TASKS_PER_NODE": "2,1",
    "SLURM_JOB_ID": "1000",
    "SLURM_STEP_ID": "0",
    "SLURM_PROCID": "2",
    "SLURM_NODEID": "1",
}


def by_config(cluster, kind, index):
    config = {"cluster": cluster, "task": {"type": kind, "index": index}}
    return {"TF_CONFIG": json.dumps(config)}


def test_process_without_any_variable_is_alone():
    assert find_place({}) == ALONE
    assert (ALONE.rank, ALONE.size, ALONE.num_local) == (0, 1, 1)


def test_place_by_config_counts_a_chief_as_the_first():
    workers = {"worker": list(ADDRESSES)}
    with_chief = {"chief": ["a:2222"], "worker": ["a:2223", "b:2222"]}

    for environment, rank in (
        (by_config(workers, "worker", 1), 1),
        (by_config(with_chief, "chief", 0), 0),
        (by_config(with_chief, "worker", 1), 2),
    ):
        assert find_place(environment) == GroupPlace(rank, ADDRESSES)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "Expecting property name"),
        ('{"cluster": {"worker": ["a:1"]}}', "'task'"),
        (by_config({"worker": ["a:1"]}, "worker", 1)["TF_CONFIG"], "not in its"),
        (by_config({"worker": ["a:1", "b"]}, "worker", 0)["TF_CONFIG"], "in a port"),
        (by_config({"worker": ["a:65536"]}, "worker", 0)["TF_CONFIG"], "1 to 65535"),
        (by_config({"worker": ["a:0"]}, "worker", 0)["TF_CONFIG"], "from 1 to"),
        (by_config({"worker": "a:1"}, "worker", 0)["TF_CONFIG"], "in lists"),
        (by_config({"worker": ["a:1"]}, "evaluator", 0)["TF_CONFIG"], "not in its"),
        (by_config({"ps": ["a:1"]}, "ps", 0)["TF_CONFIG"], "other jobs than chief"),
    ],
)
def test_config_that_cannot_be_used_is_refused_with_an_example(text, reason):
    with pytest.raises(UsageError, match=rf"TF_CONFIG must be JSON.*{reason}"):
        find_place({"TF_CONFIG": text})


def test_config_without_a_cluster_is_that_of_one_process():
    assert find_place({"TF_CONFIG": "{}"}) == ALONE


def test_place_by_slurm_numbers_tasks_host_by_host_with_a_port_each():
    place = find_place(STEP)

    # 12,000 + 64 * 13 * 1,000 modulo 20,000.
    assert place.addresses == ("gpu08:24000", "gpu08:24001", "gpu09:24002")
    assert (place.rank, place.local_rank, place.num_local) == (2, 0, 1)
    first = find_place({**STEP, "SLURM_PROCID": "1", "SLURM_NODEID": "0"})
    assert (first.rank, first.local_rank, first.num_local) == (1, 1, 2)


def test_neighbouring_jobs_and_steps_of_slurm_have_other_ports():
    steps = [(job, step) for job in range(1000, 1020) for step in range(10)]

    addresses = {
        find_place(
            {**STEP, "SLURM_JOB_ID": str(job), "SLURM_STEP_ID": str(step)}
        ).addresses
        for job, step in steps
    }

    assert len(addresses) == len(steps)


def test_slurm_job_without_a_step_of_several_tasks_is_one_process():
    assert find_place({"SLURM_NTASKS": "4", "SLURM_PROCID": "0"}) == ALONE
    assert find_place({**STEP, "SLURM_STEP_NUM_TASKS": "1"}) == ALONE


def test_tasks_dealt_to_hosts_in_turn_are_refused():
    dealt = {**STEP, "SLURM_PROCID": "1", "SLURM_NODEID": "1"}

    with pytest.raises(UsageError, match=r"block\. Received: task 1 on gpu09 instead"):
        find_place(dealt)


@pytest.mark.parametrize("name", ["SLURM_PROCID", "SLURM_STEP_NODELIST"])
def test_incomplete_step_is_refused_by_the_name_of_what_is_absent(name):
    left = {key: value for key, value in STEP.items() if key != name}

    with pytest.raises(UsageError, match=f"that srun started.*{name}"):
        find_place(left)


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("login", ["login"]),
        ("n[9-11],m", ["n9", "n10", "n11", "m"]),
        ("gpu[08-09,3]-ib", ["gpu08-ib", "gpu09-ib", "gpu3-ib"]),
        ("r[1-2]n[1,3]", ["r1n1", "r1n3", "r2n1", "r2n3"]),
    ],
)
def test_hosts_of_slurm_are_expanded_in_order(text, hosts):
    assert expand_hosts(text) == hosts


def test_counts_of_slurm_are_expanded():
    assert expand_counts("4") == [4]
    assert expand_counts("2(x3),1") == [2, 2, 2, 1]


@pytest.mark.parametrize(("rank", "threads"), [(0, "3"), (2, None)])
def test_processes_of_one_host_share_its_cpus(monkeypatch, rank, threads):
    found = {"TF_CONFIG": ""}
    monkeypatch.setattr("system.group_place.os.environ", found)
    monkeypatch.setattr("system.group_place.available_cpus", lambda: 7)

    share_cpus(GroupPlace(rank, ADDRESSES))

    assert found.get("PYTHON_CPU_COUNT") == threads  # 7 // 2; alone on its host


def test_slurm_has_given_each_task_its_cpus(monkeypatch):
    found = {"SLURM_CPUS_PER_TASK": "8"}
    monkeypatch.setattr("system.group_place.os.environ", found)

    share_cpus(GroupPlace(0, ADDRESSES))

    assert "PYTHON_CPU_COUNT" not in found


@pytest.mark.parametrize(
    ("place", "level", "expected"),
    [
        (ALONE, None, None),
        (GroupPlace(0, ADDRESSES), None, "3"),
        (GroupPlace(0, ADDRESSES), "2", "3"),
        (GroupPlace(0, ADDRESSES), "0", "0"),
    ],
)
def test_errors_about_lost_processes_are_hidden_unless_the_user_wants_all(
    monkeypatch, place, level, expected
):
    found = {} if level is None else {LOG_LEVEL: level}
    monkeypatch.setattr("system.group_place.os.environ", found)

    hide_lost(place)

    assert found.get(LOG_LEVEL) == expected
