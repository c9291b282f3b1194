"""Running one function over many cases, with results in order."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from itertools import islice

from system.errors import DataError


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
        Exception: Whatever `function` raises.
    """
    waiting: deque[Future] = deque()
    for item in items:
        waiting.append(executor.submit(function, item))
        if len(waiting) > ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def map_cases(
    function: Callable, cases: Iterable, workers: int, *, name: Callable = str
) -> Iterator:
    """Yield `function(case)` in the order of the cases, made by several processes.

    A process that is killed breaks its pool. The cases that were in work are then
    made again one at a time, each in a process of its own and with all memory to
    itself, and the rest in a new pool.

    Args:
        function: Picklable.
        cases: What to call it with, picklable.
        workers: Processes; with one, all is done in this process.
        name: Tells in a message which case is meant.

    Yields:
        Results; a DataError in the place of a case whose process was killed
        both times.

    Raises:
        Exception: Whatever `function` raises.
    """
    if workers <= 1:
        yield from map(function, cases)
        return
    cases = iter(cases)
    waiting: deque[tuple[object, Future]] = deque()
    pool = WorkerPool(workers)
    try:
        while True:
            for case in islice(cases, 3 * workers - len(waiting)):
                waiting.append((case, pool.submit(function, case)))
            if not waiting:
                break
            if _is_broken(waiting[0][1]):
                pool.shutdown()
                pool = WorkerPool(workers)
                waiting = _made_again(function, waiting, pool, workers, name)
                continue
            yield waiting.popleft()[1].result()
    except BaseException:
        pool.terminate()
        raise
    finally:
        pool.shutdown()


def _is_broken(future: Future) -> bool:
    """Wait for a result; tell whether a killed process took it away."""
    return isinstance(future.exception(), BrokenExecutor)


def _made_again(
    function: Callable,
    waiting: Iterable[tuple[object, Future]],
    pool: WorkerPool,
    workers: int,
    name: Callable,
) -> deque[tuple[object, Future]]:
    """Make what a broken pool lost: first alone what may have broken it."""
    waiting = list(waiting)
    lost = [place for place, (_, future) in enumerate(waiting) if _is_broken(future)]
    in_work, rest = lost[:workers], lost[workers:]
    names = ", ".join(name(waiting[place][0]) for place in in_work)
    print(
        "A process was killed, most likely for want of memory, with these cases in "
        f"work: {names}. They are made again, one at a time.",
        file=sys.stderr,
    )
    for place in in_work:
        case = waiting[place][0]
        with WorkerPool(1) as alone:
            future = alone.submit(function, case)
            if _is_broken(future):
                future = Future()
                future.set_result(
                    DataError(
                        f"Case '{name(case)}': its process was killed twice, the "
                        "second time when it ran alone, most likely for want of memory."
                    )
                )
        waiting[place] = case, future
    for place in rest:
        case = waiting[place][0]
        waiting[place] = case, pool.submit(function, case)
    return deque(waiting)


class WorkerPool(ProcessPoolExecutor):
    """Processes that share the machine's threads, and end when this one does.

    They are spawned, not forked: neither HDF5 handles nor OpenMP threads survive
    a fork. Ctrl-C does not reach them: this process ends them.

    Args:
        workers: How many processes.
    """

    def __init__(self, workers: int):
        import numba  # late: it is slow to import, and --help needs none of it

        threads = max(1, numba.config.NUMBA_NUM_THREADS // workers)
        super().__init__(
            workers,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_begin,
            initargs=(threads,),
        )

    def submit(self, function: Callable, /, *args, **kwargs) -> Future:
        """Hand over a call; in a broken pool the future says so."""
        # A process that begins in here inherits that Ctrl-C is held back.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            return super().submit(function, *args, **kwargs)
        except BrokenExecutor as error:
            future: Future = Future()
            future.set_exception(error)
            return future
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def terminate(self) -> None:
        """End the processes, whatever they do. Python 3.14 brings this itself."""
        for process in list((self._processes or {}).values()):
            process.terminate()

    def __exit__(self, kind, error, trace) -> bool | None:
        if kind is not None:
            self.terminate()
        return super().__exit__(kind, error, trace)


def _begin(threads: int) -> None:
    """Set a worker up."""
    import numba

    numba.set_num_threads(threads)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Wait for the end of the process that began this one, however it comes."""
    multiprocessing.parent_process().join()
    os._exit(1)


def run_in_process(function: Callable[..., int], *args: object) -> int:
    """Call a function in a new process, and wait for it.

    If this process is killed, the other ends at once: nobody would know that it
    still writes files.

    Args:
        function: Importable; gives an exit code.
        *args: For the function; picklable.

    Returns:
        The exit code, or minus the signal that ended the process.
    """
    spawning = multiprocessing.get_context("spawn")
    child = spawning.Process(target=_call, args=(function, args))
    child.start()
    try:
        child.join()
    except KeyboardInterrupt:
        child.join()  # it was interrupted too, and tidies up
        raise
    return child.exitcode


def _call(function: Callable[..., int], args: tuple) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    sys.exit(function(*args))
