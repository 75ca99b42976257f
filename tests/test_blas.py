"""BLAS on one thread while a fit needs it, and on as many as before when the last fit ends."""

import threading

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from fastlr.linalg.blas import single_threaded_blas


def blas_threads():
    return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]


@pytest.fixture(autouse=True)
def two_threads():
    """What to find again afterwards."""
    before = blas_threads()
    if not before or 1 in before:
        pytest.skip("needs a BLAS that runs on several threads")
    return before


def test_one_thread_inside_and_the_former_number_after(two_threads):
    with single_threaded_blas():
        assert set(blas_threads()) == {1}
    assert blas_threads() == two_threads


def test_nested_contexts_lift_the_limit_with_the_outermost(two_threads):
    with single_threaded_blas():
        with single_threaded_blas():
            assert set(blas_threads()) == {1}
        assert set(blas_threads()) == {1}
    assert blas_threads() == two_threads


def test_an_error_inside_lifts_the_limit(two_threads):
    with pytest.raises(ZeroDivisionError), single_threaded_blas():
        raise ZeroDivisionError
    assert blas_threads() == two_threads


@pytest.mark.parametrize("first_leaves_first", [True, False])
def test_contexts_that_overlap_in_two_threads_share_one_limit(two_threads, first_leaves_first):
    entered, may_leave, left = (threading.Event() for _ in range(3))
    seen = []

    def other():
        with single_threaded_blas():
            entered.set()
            may_leave.wait(10)
            seen.append(set(blas_threads()))
        left.set()

    thread = threading.Thread(target=other)
    if first_leaves_first:
        with single_threaded_blas():
            thread.start()
            assert entered.wait(10)
        assert set(blas_threads()) == {1}  # the other one is still inside
        may_leave.set()
    else:
        with single_threaded_blas():
            thread.start()
            assert entered.wait(10)
            may_leave.set()
            assert left.wait(10)
            assert set(blas_threads()) == {1}
    thread.join(10)
    assert seen == [{1}]
    assert blas_threads() == two_threads


def test_the_limit_can_be_taken_again_and_again(two_threads):
    for _ in range(20):
        with single_threaded_blas():
            assert set(blas_threads()) == {1}
        assert blas_threads() == two_threads


def in_a_thread(function):
    thread = threading.Thread(target=function)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()


def test_a_fit_in_another_thread_leaves_everyone_their_say_over_the_limit(two_threads):
    # From 3.7 on, threadpoolctl lets one thread at a time set limits, until it gives that up; the others' do nothing.
    def enter():
        with single_threaded_blas():
            seen.append(set(blas_threads()))

    def limit():
        with threadpool_limits(limits=1, user_api="blas"):
            seen.append(set(blas_threads()))

    seen = []
    for function in (enter, limit):
        in_a_thread(function)
        function()
        in_a_thread(function)
        assert blas_threads() == two_threads
    assert seen == [{1}] * 6
