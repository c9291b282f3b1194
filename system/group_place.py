"""The place of this process among those that train one network together.

Slurm and TF_CONFIG tell it; a process that neither is told to is alone.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from system.errors import UsageError
from system.job import available_cpus

# Of a job's processes; below the ports that Linux gives to outgoing connections.
FIRST_PORT, NUM_PORTS = 12_000, 20_000
LAST_PORT = 65_535  # of any computer
CPU_VARIABLE = "PYTHON_CPU_COUNT"  # which `available_cpus` reads, as Python 3.13 does

LOG_LEVEL = "TF_CPP_MIN_LOG_LEVEL"


@dataclass(frozen=True)
class GroupPlace:
    """The place of a process in its group.

    Args:
        rank: Its number, from 0. The first writes the files and prints.
        addresses: "host:port" of each process, by rank.
    """

    rank: int
    addresses: tuple[str, ...]

    @property
    def size(self) -> int:
        """Number of processes."""
        return len(self.addresses)

    def _ranks_on_host(self) -> list[int]:
        hosts = [address.rpartition(":")[0] for address in self.addresses]
        return [rank for rank in range(self.size) if hosts[rank] == hosts[self.rank]]

    @property
    def num_local(self) -> int:
        """Number of processes on this host."""
        return len(self._ranks_on_host())

    @property
    def local_rank(self) -> int:
        """Number of this process among those on its host, from 0."""
        return self._ranks_on_host().index(self.rank)


ALONE = GroupPlace(0, ("localhost:0",))


def find_place(environment: Mapping[str, str] = os.environ) -> GroupPlace:
    """Find the place of this process by TF_CONFIG, else by Slurm.

    Raises:
        UsageError: If either cannot be used.
    """
    if "TF_CONFIG" in environment:
        return _place_by_config(environment["TF_CONFIG"])
    if environment.get("SLURM_STEP_NUM_TASKS", "1") != "1":
        return _place_by_slurm(environment)
    return ALONE


def _place_by_config(text: str) -> GroupPlace:
    """Return the place by the variable TF_CONFIG, JSON; a chief comes first."""
    try:
        config = json.loads(text)
        cluster = config.get("cluster", {})
        if not cluster:
            return ALONE
        _check_cluster(cluster)
        chiefs = cluster.get("chief", [])
        addresses = (*chiefs, *cluster.get("worker", []))
        kind, rank = config["task"]["type"], int(config["task"]["index"])
        rank += len(chiefs) if kind == "worker" else 0
        if kind not in cluster or not 0 <= rank < len(addresses):
            raise ValueError("its task is not in its cluster")
        return GroupPlace(rank, addresses)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise UsageError(
            "TF_CONFIG must be JSON with a cluster and a task, as in "
            '{"cluster": {"worker": ["host1:2222", "host2:2222"]}, "task": {"type": '
            f'"worker", "index": 0}}}}. Received: {text!r} ({error})'
        ) from error


def _check_cluster(cluster: dict) -> None:
    """Raise unless a cluster has lists of addresses of chief and worker.

    Raises:
        ValueError: With the reason.
    """
    if not cluster.keys() <= {"chief", "worker"}:
        raise ValueError("its cluster has other jobs than chief and worker")
    for addresses in cluster.values():
        if not isinstance(addresses, list):
            raise ValueError("its addresses must be in lists")
        for address in addresses:
            port = re.search(r":(\d+)$", address)
            if port is None or not 0 < int(port[1]) <= LAST_PORT:
                raise ValueError(
                    f"its addresses must end in a port, from 1 to {LAST_PORT}"
                )


def _place_by_slurm(environment: Mapping[str, str]) -> GroupPlace:
    """Return the place by the variables of a step of Slurm (`srun`)."""
    try:
        rank = int(environment["SLURM_PROCID"])
        hosts = expand_hosts(environment["SLURM_STEP_NODELIST"])
        counts = expand_counts(environment["SLURM_STEP_TASKS_PER_NODE"])
        job, step = (int(environment[f"SLURM_{name}_ID"]) for name in ("JOB", "STEP"))
        of_rank = [
            host
            for host, count in zip(hosts, counts, strict=True)
            for _ in range(count)
        ]
        host, number = of_rank[rank], environment.get("SLURM_NODEID")
    except (LookupError, ValueError) as error:
        raise UsageError(
            "SLURM_PROCID, SLURM_STEP_NODELIST, SLURM_STEP_TASKS_PER_NODE, SLURM_JOB_ID"
            " and SLURM_STEP_ID must be those of a step that srun started. Received: "
            f"{type(error).__name__}: {error}"
        ) from error
    if number is not None and hosts[int(number)] != host:
        raise UsageError(
            "Tasks must be numbered host by host: srun --distribution=block. Received: "
            f"task {rank} on {hosts[int(number)]} instead of {host}"
        )
    # Neighbouring jobs and steps have other ports.
    first = FIRST_PORT + (13 * job + step) * 64 % NUM_PORTS
    addresses = [f"{name}:{first + rank}" for rank, name in enumerate(of_rank)]
    return GroupPlace(rank, tuple(addresses))


def expand_hosts(text: str) -> list[str]:
    """List the hosts that Slurm writes as `gpu[01-03,7],login`, in its order."""
    hosts = []
    for part in re.findall(r"(?:[^,\[]|\[[^\]]*\])+", text):
        hosts += _expand_brackets(part)
    return hosts


def _expand_brackets(text: str) -> list[str]:
    before, opened, after = text.partition("[")
    if not opened:
        return [text]
    ranges, _, after = after.partition("]")
    found = []
    for piece in ranges.split(","):
        first, _, last = piece.partition("-")
        for number in range(int(first), int(last or first) + 1):
            found.append(f"{before}{number:0{len(first)}d}")
    return [host + rest for host in found for rest in _expand_brackets(after)]


def expand_counts(text: str) -> list[int]:
    """List the numbers of tasks that Slurm writes as `4(x2),1`: 4, 4 and 1."""
    counts: list[int] = []
    for part in text.split(","):
        count, _, times = part.rstrip(")").partition("(x")
        counts += [int(count)] * int(times or 1)
    return counts


def share_cpus(place: GroupPlace) -> None:
    """Leave this process its part of the CPUs, before packages count them.

    Slurm has given each task its own. The processes of TF_CONFIG that are on one host
    share them evenly.
    """
    if place.num_local > 1 and "TF_CONFIG" in os.environ:
        os.environ[CPU_VARIABLE] = str(max(1, available_cpus() // place.num_local))


def hide_lost(place: GroupPlace) -> None:
    """Hide what TensorFlow prints when a process is lost, which it raises as well.

    Must be called before TensorFlow is imported. A level that the user has set is
    kept, but for "2", which is that of a process alone.
    """
    if place.size > 1 and os.environ.get(LOG_LEVEL, "2") == "2":
        os.environ[LOG_LEVEL] = "3"
