"""Worker processes: one function over many cases, or one call in a new process."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from system.errors import DataError
from system.job import available_cpus
from system.shell import script
from system.termination import Terminated

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

    from system.compiled import Flag


class CanSubmit(Protocol):
    """An executor of `concurrent.futures`, or a cluster that is used like one."""

    def submit(self, function: Callable, item: Any, /) -> Any:
        """Schedule a call; return its future."""
        ...


@dataclass(frozen=True)
class Engine:
    """Where cases are computed: in processes of this computer, or on a cluster.

    Args:
        map_cases: Yields the results in order; has the arguments of `map_cases`.
        workers: Maximum number of cases in work.
        worker_memory: Bytes of each worker; None if they share this computer's.
    """

    map_cases: Callable[..., Iterator]
    workers: int
    worker_memory: int | None = None


def map_in_order(
    executor: CanSubmit,
    function: Callable,
    items: Iterable,
    ahead: int,
    waiting: deque[tuple[Any, Any]] | None = None,
) -> Iterator:
    """Yield `function(item)` in the order of the items.

    Args:
        executor: Any `concurrent.futures.Executor`.
        function: Picklable if the executor is a process pool.
        items: Its arguments, one per call.
        ahead: Maximum number of results computed in advance; bounds the memory.
        waiting: Empty; afterwards the items without result, each with its future, if
            a call raised.

    Raises:
        Exception: Whatever `function` raises.
    """
    waiting = deque() if waiting is None else waiting
    for item in items:
        waiting.append((item, executor.submit(function, item)))
        if len(waiting) > ahead:
            yield _next_result(waiting)
    while waiting:
        yield _next_result(waiting)


def _next_result(waiting: deque[tuple[Any, Any]]) -> Any:
    result = waiting[0][1].result()
    waiting.popleft()
    return result


def map_cases(
    function: Callable, cases: Iterable, workers: int, *, name: Callable = str
) -> Iterator:
    """Yield `function(case)` in the order of the cases, computed by worker processes.

    Args:
        function: Picklable.
        cases: Its arguments, one per call, picklable.
        workers: Number of processes; with one, everything runs in this process.
        name: Returns the name of a case for messages.

    Raises:
        DataError: If a worker was killed; names the cases it may have been working on.
        Exception: Whatever `function` raises.
    """
    if workers <= 1:
        yield from map(function, cases)
        return
    waiting: deque[tuple[Any, Future]] = deque()
    pool = WorkerPool(workers)
    try:
        yield from map_in_order(pool, function, cases, 3 * workers - 1, waiting)
    except BrokenExecutor as error:
        # The pool fails all unfinished calls alike; it starts them in order.
        lost = [
            name(case)
            for case, future in waiting
            if isinstance(future.exception(), BrokenExecutor)
        ]
        raise DataError(
            "A worker process was killed, usually because memory ran out, while these "
            f"cases were in work: {', '.join(lost[:workers])}. Fewer --workers need "
            "less memory."
        ) from error
    except BaseException:
        pool.terminate()
        raise
    finally:
        pool.shutdown()


class WorkerPool(ProcessPoolExecutor):
    """A pool of processes that share the CPU threads and end with their parent.

    They are spawned, not forked: neither HDF5 handles nor OpenMP threads survive
    a fork. Ctrl-C does not reach them; the parent terminates them.

    Args:
        workers: Number of processes.
    """

    def __init__(self, workers: int):
        threads = max(1, available_cpus() // workers)
        context = multiprocessing.get_context("spawn")
        super().__init__(
            workers,
            mp_context=context,
            initializer=_initialize_worker,
            initargs=(threads, context.Event()),
        )

    def submit(self, function: Callable, /, *args, **kwargs) -> Future:
        """Schedule a call; a process started for it is not interrupted by Ctrl-C."""
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            return super().submit(function, *args, **kwargs)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def terminate(self) -> None:
        """Terminate the processes without waiting; Python 3.14 has its own."""
        for process in list((self._processes or {}).values()):
            process.terminate()

    def __exit__(self, kind, error, trace) -> bool | None:
        if kind is not None:
            self.terminate()
        return super().__exit__(kind, error, trace)


def _initialize_worker(threads: int, has_announced: Flag) -> None:
    import numba

    from system.compiled import announce_compiling

    announce_compiling(has_announced)
    numba.set_num_threads(min(threads, numba.get_num_threads()))
    exit_with_parent()


def exit_with_parent() -> None:
    """Start a thread that ends this process when its parent ends, even if killed."""

    def wait():
        if (parent := multiprocessing.parent_process()) is not None:
            parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def run_in_process(function: Callable[..., int], *args: object) -> int:
    """Call a function as a script in a new process, and wait for it.

    If this process is killed, the new one exits at once rather than keep on
    writing files unnoticed.

    Args:
        function: Importable; returns an exit code.
        *args: Its arguments, picklable.

    Returns:
        The exit code, or minus the number of the signal that killed the process.
    """
    context = multiprocessing.get_context("spawn")
    child = context.Process(target=_run_child, args=(function, args))
    child.start()
    try:
        _join_despite_interrupt(child)
    except Terminated:
        child.terminate()
        child.join()
        raise
    return child.exitcode  # pyright: ignore[reportReturnType]  # not None: it ended


def _join_despite_interrupt(child: BaseProcess) -> None:
    try:
        child.join()
    except Terminated:
        raise
    except KeyboardInterrupt:
        child.join()  # Ctrl-C reached it too; let it clean up
        raise


def _run_child(function: Callable[..., int], args: tuple) -> None:
    exit_with_parent()
    sys.exit(script(function)(*args))
