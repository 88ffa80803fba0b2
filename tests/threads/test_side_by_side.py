import threading
import time
from contextlib import closing

import pytest

from deeplab_caffe.threads import thread_count
from deeplab_caffe.threads.side_by_side import Stopped, check_stopped, side_by_side


@pytest.mark.parametrize("most", [1, 2, 5])
def test_results_are_in_order(most):
    def work(number):
        time.sleep(0.002 * (number % 3))
        return number * number

    assert list(side_by_side(work, range(40), None, most)) == [n * n for n in range(40)]
    assert list(side_by_side(work, [], None, most)) == []


def test_so_many_at_a_time_share_the_threads():
    inside = threading.Barrier(3)

    def work(number):
        inside.wait(20)
        count = thread_count(None)
        inside.wait(20)
        return count

    assert list(side_by_side(work, range(6), 6, 3)) == [2] * 6
    assert list(side_by_side(work, range(3), 1, 3)) == [1] * 3
    assert list(side_by_side(work, range(3), None, 3, shared=False)) == [thread_count(None)] * 3


def test_the_last_takes_the_threads_of_the_others():
    first_is_done = threading.Event()

    def work(number):
        if number:
            first_is_done.wait(20)
            while thread_count(None) != 8:  # until the other has left
                time.sleep(0.001)
        return thread_count(None)

    results = side_by_side(work, range(2), 8, 2)
    next(results)
    first_is_done.set()
    assert list(results) == [8]


def test_an_error_comes_in_its_turn():
    def work(number):
        if number == 2:
            raise ValueError("two")
        return number

    results = side_by_side(work, range(100), None, 4)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(ValueError, match="two"):
        next(results)
    assert next(results, None) is None


def test_few_are_begun_ahead():
    begun = []
    with closing(side_by_side(lambda n: begun.append(n), iter(range(10_000)), None, 2)) as results:
        for _ in range(5):
            next(results)
        assert len(begun) < 30


def test_who_closes_stops_the_work():
    inside, stopped = threading.Event(), []

    def work(number):
        if number:
            inside.set()
            try:
                while True:
                    check_stopped()
                    time.sleep(0.001)
            except Stopped:
                stopped.append(number)
                raise
        return number

    with closing(side_by_side(work, range(50), None, 2)) as results:
        assert next(results) == 0
        inside.wait(20)
    assert stopped and max(stopped) <= 3  # and those that had not begun never did
    check_stopped()  # this thread goes on
