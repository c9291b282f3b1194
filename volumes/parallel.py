"""Running one function over many cases, with results in order."""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor

import numba

from volumes.errors import DataError


class InProcess(Executor):
    """Run each call at once, in this process: one worker without a pool."""

    def submit(self, function, /, *args, **kwargs):
        """Run the call; the future returned is already done."""
        future: Future = Future()
        future.set_result(function(*args, **kwargs))
        return future


def worker_pool(workers: int) -> Executor:
    """Open a pool of processes that share the machine's threads evenly.

    Processes are spawned, not forked: neither HDF5 handles nor OpenMP threads
    survive a fork.
    """
    if workers <= 1:
        return InProcess()
    threads = max(1, numba.config.NUMBA_NUM_THREADS // workers)
    return ProcessPoolExecutor(
        workers,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=numba.set_num_threads,
        initargs=(threads,),
    )


def map_in_order(
    executor: Executor, function: Callable, items: Iterable, ahead: int
) -> Iterator:
    """Yield `function(item)` in the order of the items.

    Args:
        executor: Any `concurrent.futures.Executor`.
        function: Picklable where the executor is a pool.
        items: What to call it with.
        ahead: How many results may wait to be taken; bounds the memory.

    Raises:
        DataError: If a worker was killed; and whatever `function` raises.
    """
    waiting: deque[Future] = deque()
    try:
        for item in items:
            waiting.append(executor.submit(function, item))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenExecutor as error:
        raise DataError(
            "A worker ended before its work was done, most likely for want of memory. "
            "Fewer --workers need less."
        ) from error
