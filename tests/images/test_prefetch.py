import threading

import pytest

from deeplab_caffe.images.prefetch import Prefetch


@pytest.mark.parametrize("threads", [0, 1, 3])
def test_results_come_by_number(threads):
    work = Prefetch(lambda number: number * number, threads)
    work.begin(range(5))
    assert [work.take(number) for number in (3, 0, 7, 3)] == [9, 0, 49, 9]


def test_work_begins_before_it_is_needed_and_once():
    begun, go = [], threading.Event()

    def make(number):
        begun.append(number)
        go.set()
        return number

    work = Prefetch(make, 1)
    work.begin([4])
    assert go.wait(10)
    work.begin([4])
    assert work.take(4) == 4 and begun == [4]


def test_an_error_is_raised_where_the_result_is_taken():
    def make(number):
        raise ValueError(f"number {number}")

    work = Prefetch(make, 1)
    work.begin([0, 1])
    with pytest.raises(ValueError, match="number 1"):
        work.take(1)
