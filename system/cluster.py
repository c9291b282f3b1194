"""Cases on a Dask cluster, computed by calls like those of local worker processes.

A worker needs the environment and the disks of this process, nothing else: each call
names this project's folder. A worker computes one case at a time, on as many threads
as it has. A call may run twice, where a worker is lost or cut off, so that whatever
it writes must have the same bytes each time and be renamed into place.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import json
import logging
import pickle
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

from system.errors import DataError, UsageError
from system.processes import Engine, map_cases, map_in_order
from system.shell import FOLDER
from system.surroundings import fix_surroundings

# Calls that the scheduler holds; each has ten kilobytes or so.
AHEAD = 1000
CONNECT_SECONDS = 5
PYTHON = ".".join(map(str, sys.version_info[:2]))
# Dask gives a worker no further calls while it uses more of its memory.
USABLE_MEMORY = 0.8
_ONE_CASE = threading.Lock()  # of a worker; kernels of numba must not run side by side


def open_engine(
    scheduler: str | None, workers: int, packages: Sequence[str]
) -> AbstractContextManager[Engine]:
    """Open a Dask cluster, or processes of this computer.

    Args:
        scheduler: See `open_cluster`; None for this computer.
        workers: Number of processes, ignored for a cluster.
        packages: See `open_cluster`.
    """
    if scheduler is None:
        return nullcontext(Engine(map_cases, workers))
    return open_cluster(scheduler, packages)


@contextmanager
def open_cluster(scheduler: str, packages: Sequence[str]) -> Iterator[Engine]:
    """Connect to a Dask cluster, and describe it on standard output.

    Args:
        scheduler: Address of the scheduler, or the file that it wrote.
        packages: Those that must have one version here and on the workers.

    Raises:
        UsageError: If `distributed` is not installed, the scheduler cannot be
            reached, or a worker has another Python.
    """
    address = _read_address(scheduler)
    try:
        import distributed
    except ImportError as error:
        raise UsageError(
            "--scheduler needs the package distributed. Received: "
            f"{error}. Install it: {sys.executable} -m pip install -r "
            "requirements-cluster.txt"
        ) from error
    # Messages of this project report what fails; its workers have logs of their own.
    for name in ("distributed", "distributed.client"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        # Whatever listens there; a client would wait twice, and again when it ends.
        kind = asyncio.run(_identify(address))
    except Exception as error:
        raise UsageError(
            "--scheduler must be the address of a running Dask scheduler, or its "
            f"--scheduler-file. Received: {scheduler}: {_describe_failure(error)}"
        ) from error
    if kind != "Scheduler":
        raise UsageError(
            f"--scheduler must be the address of a Dask scheduler. Received: {kind}"
        )
    client = distributed.Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    try:
        yield _describe(client, packages)
    finally:
        with suppress(Exception):  # the scheduler may have ended
            client.close(timeout=5)


async def _identify(address: str) -> str:
    """Return what answers at an address: "Scheduler", "Worker" or "Nanny"."""
    from distributed import Security, rpc

    options = Security().get_connection_args("client")  # TLS, as Dask is configured
    async with rpc(address, timeout=CONNECT_SECONDS, connection_args=options) as peer:
        answer: Any = await asyncio.wait_for(peer.identity(), CONNECT_SECONDS)
    return answer["type"]


def _describe_failure(error: Exception) -> str:
    """Return why nothing answered; two time limits race, and one has no text."""
    if isinstance(error, TimeoutError | asyncio.TimeoutError):
        return f"timed out: no answer within {CONNECT_SECONDS} s"
    return str(error) or repr(error)


def _read_address(scheduler: str) -> str:
    """Return the scheduler's address, which a file may hold.

    Raises:
        UsageError: If it is neither.
    """
    path = Path(scheduler)
    if not path.exists() and ":" in scheduler:
        return scheduler
    try:
        return json.loads(path.read_text(encoding="utf-8"))["address"]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UsageError(
            "--scheduler must be an address, as tcp://10.0.0.1:8786, or a file that "
            f"`dask scheduler --scheduler-file` wrote. Received: {scheduler}: "
            f"{error!r}"
        ) from error


def _describe(client: Any, packages: Sequence[str]) -> Engine:
    """Return the engine of a cluster, whose size and dashboard are printed."""
    for worker, found in client.get_versions()["workers"].items():
        version = ".".join(found["packages"]["python"].split(".")[:2])
        if version != PYTHON:
            raise UsageError(
                f"The workers must have the Python of this process, {PYTHON}. "
                f"Received: {version} on {worker}"
            )
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    threads = sum(worker["nthreads"] for worker in workers)
    print(
        f"cluster   {client.scheduler.address}, workers: {len(workers)}, threads: "
        f"{threads}, dashboard: {client.dashboard_link}"
    )
    limits = [worker["memory_limit"] for worker in workers if worker["memory_limit"]]
    memory = int(USABLE_MEMORY * min(limits)) if limits else sys.maxsize
    cluster = _Cluster(client, packages)
    return Engine(cluster.map_cases, max(1, len(workers)), memory)


class _Cluster:
    """Calls on the workers of a cluster.

    Args:
        client: Of `distributed`, connected.
        packages: Those that must have one version here and on the workers.
    """

    def __init__(self, client: Any, packages: Sequence[str]):
        self._client = client
        self._address = client.scheduler.address  # unknown once it is lost
        self._versions = _versions_of(packages)

    def submit(self, function: Callable, case: Any) -> Any:
        """Schedule a call; the scheduler need not know this project.

        Raises:
            DataError: If the scheduler was lost before.
        """

        # Nested, so that it is pickled by value: a worker cannot import this module
        # before it knows the folder.
        def run_case(folder: str, versions: dict, call: bytes) -> Any:
            import sys

            if folder not in sys.path:
                sys.path.insert(0, folder)
            from system.cluster import run_on_worker

            return run_on_worker(versions, call)

        call = pickle.dumps((function, case))
        try:
            return self._client.submit(
                run_case, str(FOLDER), self._versions, call, pure=False
            )
        except Exception as error:
            if self._client.status == "running":
                raise
            raise self._lost() from error

    def _lost(self) -> DataError:
        return DataError(
            f"The Dask scheduler {self._address} must run until the "
            "end. Received: the connection to it was lost."
        )

    def map_cases(
        self, function: Callable, cases: Iterable, workers: int, *, name: Callable = str
    ) -> Iterator:
        """Yield `function(case)` in the order of the cases; see `processes.map_cases`.

        Args:
            function: Picklable.
            cases: Its arguments, one per call, picklable.
            workers: Ignored: workers may come and go.
            name: Returns the name of a case for messages.

        Raises:
            DataError: If a case kills its workers, no worker can run it, or the
                scheduler is lost.
            Exception: Whatever `function` raises.
        """
        from distributed import CancelledError, KilledWorker

        waiting: deque = deque()
        try:
            yield from map_in_order(self, function, cases, AHEAD, waiting)
        except KilledWorker as error:
            raise DataError(
                f"Case '{name(waiting[0][0])}' must fit into the memory of a worker. "
                "Received: several workers were killed while they computed it. With "
                "fewer --nworkers each has more memory."
            ) from error
        except CancelledError as error:
            raise self._lost() from error
        except ModuleNotFoundError as error:
            raise DataError(
                "The workers must have the environment of this process and, on a "
                f"shared disk, the folder {FOLDER}. Received: {error}"
            ) from error
        finally:
            with suppress(Exception):  # the scheduler may have ended
                self._client.cancel([future for _, future in waiting])


def run_on_worker(versions: dict[str, str], call: bytes) -> Any:
    """Compute a case on a worker, on all its threads.

    Args:
        versions: Of the packages that decide the result, as the client has them.
        call: The function and the case, pickled.

    Raises:
        DataError: If the worker has other versions.
        Exception: Whatever the function raises.
    """
    from distributed import get_worker

    worker, here = get_worker(), _versions_of(versions)
    if here != versions:
        raise DataError(
            "The workers must have the packages of the client: "
            f"{_format_versions(versions)}. Received: {_format_versions(here)} on "
            f"{worker.address}"
        )
    fix_surroundings()
    import numba

    with _ONE_CASE:
        threads = min(worker.state.nthreads, numba.get_num_threads())
        numba.set_num_threads(threads)
        function, case = pickle.loads(call)
        return function(case)


def _versions_of(packages: Iterable[str]) -> dict[str, str]:
    return {name: importlib.metadata.version(name) for name in packages}


def _format_versions(versions: dict[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())
