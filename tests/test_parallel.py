"""Python functions on several threads: each item once, errors and Ctrl-C end all of it, and LAPACK lets others work."""

import gc
import sys
import threading
import time
import weakref
from functools import partial

import numpy as np
import pytest
from conftest import threads_of_fits, wait_until

from fastlr.linalg.lapack import cholesky_in_place
from fastlr.runtime import parallel
from fastlr.runtime.parallel import run_all


def in_caller():
    return threading.current_thread() is threading.main_thread()


@pytest.mark.parametrize("n_threads", [1, 2, 5])
def test_every_item_is_worked_on_once_and_told_of_once_at_a_time(n_threads):
    told, inside = {}, threading.Lock()

    def done(item, result):
        assert inside.acquire(blocking=False)
        time.sleep(0.001)
        assert item not in told
        told[item] = result
        inside.release()

    run_all(lambda item, check: item**2, list(range(40)), n_threads, done)
    assert told == {item: item**2 for item in range(40)}
    assert not threads_of_fits()


def test_helpers_share_the_work_and_the_callers_handling_of_floating_point_errors():
    met, states = threading.Barrier(2, timeout=60), []

    def work(item, check):
        met.wait()  # passes only if two threads are at work
        states.append(np.geterr())

    with np.errstate(all="ignore", divide="raise"):
        expected = np.geterr()
        run_all(work, [0, 1], 2, lambda item, result: None)
    assert states == [expected, expected]


@pytest.mark.parametrize("fails", ["caller", "helper"])
@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
def test_an_error_ends_all_work_at_the_next_check_and_is_raised(fails, error):
    met, told = threading.Barrier(2, timeout=60), []

    def work(item, check):
        met.wait()
        if in_caller() == (fails == "caller"):
            raise error
        while True:  # for ever, but for the check
            check()
            time.sleep(0.001)

    with pytest.raises(error):
        run_all(work, range(10), 2, lambda item, result: told.append(item))
    wait_until(lambda: not threads_of_fits())
    assert told == []


@pytest.mark.parametrize("fails", ["caller", "helper", "both"])
def test_nothing_holds_on_to_what_was_worked_on_when_an_error_ended_it(fails):
    """Without waiting for the collector of cycles."""
    big, met = np.zeros(10), threading.Barrier(2, timeout=60)
    alive = weakref.ref(big)

    def work(item, check, big):
        met.wait()
        if fails == "both" or in_caller() == (fails == "caller"):
            raise ZeroDivisionError(big.size)

    gc.collect()
    gc.disable()
    try:
        with pytest.raises(ZeroDivisionError):
            run_all(partial(work, big=big), [0, 1], 2, lambda *pair: None)
        wait_until(lambda: not threads_of_fits())
        del big
        assert alive() is None
    finally:
        gc.enable()


def test_the_caller_works_alone_where_the_system_gives_no_threads(monkeypatch):
    def refuse(*arguments, **keywords):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(parallel, "start", refuse)
    told = []
    run_all(lambda item, check: in_caller(), [1, 2, 3], 3, lambda *pair: told.append(pair))
    assert told == [(1, True), (2, True), (3, True)]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_cholesky_factor_replaces_its_matrix(dtype):
    X = np.random.default_rng(0).normal(size=(30, 40)).astype(dtype)
    matrix = np.asfortranarray(X @ X.T)
    factor = matrix.copy(order="F")
    assert cholesky_in_place(factor)
    lower = np.tril(factor).astype(np.float64)
    np.testing.assert_allclose(lower @ lower.T, matrix, atol=1e3 * np.finfo(dtype).eps)
    np.testing.assert_array_equal(np.triu(factor, 1), np.triu(matrix, 1))
    assert not cholesky_in_place(np.asfortranarray(-matrix))


def test_a_matrix_that_lapack_would_misread_is_refused():
    for matrix in (np.eye(4, 5, order="F"), np.ones((4, 4))[::2, ::2], np.tri(3)):
        with pytest.raises(ValueError, match="Fortran order"):
            cholesky_in_place(matrix)


@pytest.mark.skipif(not getattr(sys, "_is_gil_enabled", lambda: True)(), reason="threads never wait for each other")
def test_other_threads_work_during_a_factorisation(monkeypatch):
    matrix = np.asfortranarray(1500.0 * np.eye(1500) + 1.0)
    counts, ended = [0], threading.Event()

    def count():
        while not ended.is_set():
            counts[0] += 1
            time.sleep(0)

    interval = sys.getswitchinterval()
    thread = threading.Thread(target=count)
    try:
        sys.setswitchinterval(100.0)  # no thread is made to wait for another
        thread.start()
        before = counts[0]
        assert cholesky_in_place(matrix)
        after = counts[0]
    finally:
        ended.set()
        sys.setswitchinterval(interval)
        thread.join()
    assert after > before
