import os
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from volumes.errors import DataError
from volumes.parallel import InProcess, map_in_order, worker_pool


def double(number):
    return 2 * number


def end_the_worker(number):
    os._exit(1)


def refuse(number):
    raise DataError(f"case {number} cannot be used")


def test_one_worker_needs_no_pool():
    with worker_pool(1) as pool:
        assert isinstance(pool, InProcess)
        assert list(map_in_order(pool, double, [3, 1, 2], ahead=2)) == [6, 2, 4]


def test_results_come_in_order_though_the_first_is_the_last_to_end():
    last_is_done = Event()

    def work(number):
        if number == 0:
            assert last_is_done.wait(timeout=10)
        if number == 3:
            last_is_done.set()
        return number

    with ThreadPoolExecutor(2) as pool:
        assert list(map_in_order(pool, work, range(4), ahead=3)) == [0, 1, 2, 3]


def test_no_more_results_wait_than_asked_for():
    begun = []
    results = map_in_order(InProcess(), begun.append, iter(range(9)), ahead=2)

    next(results)

    # One is handed over, two wait.
    assert begun == [0, 1, 2]


@pytest.mark.parametrize("items", [[], [5]])
def test_fewer_items_than_may_wait(items):
    assert list(map_in_order(InProcess(), double, items, ahead=4)) == [10] * len(items)


def test_error_of_a_case_comes_out_as_it_is():
    with pytest.raises(DataError, match="case 7 cannot be used"):
        list(map_in_order(InProcess(), refuse, [7], ahead=2))


def test_processes_give_results_in_order_and_a_killed_one_is_reported():
    with worker_pool(2) as pool:
        assert list(map_in_order(pool, double, range(5), ahead=2)) == [0, 2, 4, 6, 8]
        with pytest.raises(DataError, match="case 7 cannot be used"):
            list(map_in_order(pool, refuse, [7], ahead=2))
        with pytest.raises(DataError, match="most likely for want of memory"):
            list(map_in_order(pool, end_the_worker, [1], ahead=2))
